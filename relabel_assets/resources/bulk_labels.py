"""Labeling a file of pairs with a student: any number of rows in bounded memory, each exactly once, whatever interrupts.

What belongs here: reading PAIRS in batches, keeping each batch's labels as a file of its own until all are there, and
making OUT of them. What does not: grading (core/student), finding the texts behind ids (the caller's `Texts`) and other
machines (ray_labels.py).
"""

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import polars as pl

from relabel_assets.core.pairs import DOCUMENT_COLUMNS
from relabel_assets.core.progress import Progress, silent
from relabel_assets.errors import ConfigError

ROWS_A_BATCH = 5_000
_QUERY, _DOCUMENT = "query", "body"
_READERS: dict[str, Callable[[Path], pl.LazyFrame]] = {
    ".parquet": pl.scan_parquet,
    ".csv": lambda path: pl.scan_csv(path, infer_schema=False),
    ".jsonl": pl.scan_ndjson,
    ".json": pl.scan_ndjson,
}


class Grades(Protocol):
    """What grades: a Labeler."""

    def grade(self, pairs: pl.DataFrame) -> pl.DataFrame: ...


class Engine(Protocol):
    """What grades batches: the rows of each, with their texts, become the file beside it, whole or not at all."""

    def __call__(self, batches: "Iterable[Batch]", done: Callable[["Batch"], None]) -> None: ...


@dataclass(frozen=True)
class Batch:
    """A run of rows of PAIRS: `rows()` gives them with their texts, `part` is the file that their labels go to."""

    part: Path
    rows: Callable[[], pl.DataFrame]
    n_rows: int


# Given the name of an id column and ids, the rows of that table that have them: (query_id, text), or (doc_id, *DOCUMENT_COLUMNS).
Texts = Callable[[str, pl.Series], pl.DataFrame]


def label_file(
    pairs: Path,
    out: Path,
    *,
    engine: Engine,
    texts: Texts,
    model_id: str,
    model_hash: str,
    rows_a_batch: int = ROWS_A_BATCH,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Grade every row of `pairs` (Parquet, CSV or JSON Lines) into `out` (the same formats); (status, status_reason, rows).

    `pairs` has query_id or query (a text), and doc_id or body (with title, author, path, updated_at, doc_type where
    there are). `out` has row (from 0), query_id, doc_id, status, status_reason, grade, expected_grade, grade_probs,
    model_id and model_hash; a row that cannot be graded has a reason and no grade. What is done is kept in `OUT.parts`
    until all is: the same call goes on from there. Raises ConfigError for files that cannot be used.
    """
    writer, source = _writer(out), _scan(pairs)
    parts = out.with_name(f"{out.name}.parts")
    _begin(parts, pairs, out, {"model_id": model_id, "model_hash": model_hash, "rows_a_batch": rows_a_batch})
    n_rows, started = source.select(pl.len()).collect().item(), time.monotonic()
    n_done = {"before": 0, "now": 0}

    def report(batch: Batch) -> None:
        n_done["now"] += batch.n_rows
        n_all = n_done["before"] + n_done["now"]
        left_s = (time.monotonic() - started) / n_done["now"] * (n_rows - n_all)
        progress("labeling, pairs", n_all, n_rows, f"{left_s:,.0f} s left")

    def waiting() -> Iterator[Batch]:
        first = 0
        for number, frame in enumerate(_batches(source, rows_a_batch, file=pairs)):
            part = parts / f"{number:08}.parquet"
            if part.exists():
                n_done["before"] += frame.height
            else:
                about = {"row": pl.int_range(first, first + frame.height, dtype=pl.Int64), "model_id": pl.lit(model_id)}
                rows = frame.with_columns(**about, model_hash=pl.lit(model_hash))
                yield Batch(part, partial(_with_texts, rows, texts), frame.height)
            first += frame.height

    engine(waiting(), report)
    return _finish(parts, out, writer)


def _scan(pairs: Path) -> pl.LazyFrame:
    reader = _READERS.get(pairs.suffix.lower())
    if reader is None:
        raise ConfigError(f"{pairs}: its ending names no format. Endings: {', '.join(_READERS)}.")
    try:
        if not pairs.is_file() or not pairs.stat().st_size:
            raise ConfigError(f"{pairs}: {'it is empty' if pairs.is_file() else 'there is no such file'}.")
        frame = reader(pairs)
        columns = frame.collect_schema().names()
    except (OSError, pl.exceptions.PolarsError, UnicodeDecodeError) as error:
        raise _unreadable(pairs, error) from error
    for either in (("query_id", _QUERY), ("doc_id", _DOCUMENT)):
        if not set(either) & set(columns):
            raise ConfigError(
                f"{pairs}: it has neither {either[0]} nor {either[1]}. Its columns: {', '.join(columns)}."
            )
    wanted = [name for name in ("query_id", _QUERY, "doc_id", *DOCUMENT_COLUMNS) if name in columns]
    return frame.select(pl.col(name).cast(pl.String) for name in wanted)


def _unreadable(pairs: Path, error: Exception) -> ConfigError:
    return ConfigError(f"{pairs} cannot be read as {pairs.suffix.lower()}: {str(error).splitlines()[0]}.")


def _begin(parts: Path, pairs: Path, out: Path, job: dict[str, object]) -> None:
    """Make `parts`, or see that it is this very job's."""
    if out.exists():
        raise ConfigError(f"{out} is there already. Move it away, or choose another --out.")
    with pairs.open("rb") as content:
        job = job | {"pairs": hashlib.file_digest(content, "sha256").hexdigest()}
    note = parts / "job.json"
    try:
        parts.mkdir(parents=True, exist_ok=True)
        if not note.exists():
            half = note.with_suffix(".half")
            half.write_text(json.dumps(job), encoding="utf-8")
            half.replace(note)
        same = json.loads(note.read_text(encoding="utf-8")) == job
    except (OSError, ValueError) as error:
        raise ConfigError(f"{parts} cannot be used: {error}. Choose another --out.") from error
    if not same:
        raise ConfigError(f"{parts} is of other pairs or another student. Remove it, or choose another --out.")


def _batches(source: pl.LazyFrame, size: int, *, file: Path) -> Iterator[pl.DataFrame]:
    """Runs of exactly `size` rows, in order: a later call cuts at the same places."""
    waiting = pl.DataFrame()
    try:
        for found in source.collect_batches(chunk_size=size, maintain_order=True):
            waiting = pl.concat([waiting, found]) if waiting.width else found
            while waiting.height >= size:
                yield waiting.head(size)
                waiting = waiting.slice(size)
    except pl.exceptions.PolarsError as error:
        raise _unreadable(file, error) from error
    if waiting.height:
        yield waiting


def in_process(labeler: Grades) -> Engine:
    """The engine that grades here, a batch after the other."""

    def grade(batches: Iterable[Batch], done: Callable[[Batch], None]) -> None:
        for batch in batches:
            write_part(batch.part, batch.rows(), labeler)
            done(batch)

    return grade


def write_part(part: Path, rows: pl.DataFrame, labeler: Grades) -> None:
    """Grade `rows`, as Batch.rows gives them, into `part`, whole or not at all. Done twice, it is the same file."""
    half = part.with_name(f".{part.name}.{uuid.uuid4().hex}.half")
    _graded(rows, labeler).write_parquet(half)
    half.replace(part)


def _with_texts(batch: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """`batch` with `text`, the document's columns, and status_reason where a row cannot be graded."""
    rows = batch
    if _QUERY in rows.columns:
        rows = rows.rename({_QUERY: "text"})
    else:
        rows = rows.join(texts("query_id", rows["query_id"]), on="query_id", how="left", maintain_order="left")
    if _DOCUMENT not in rows.columns:
        rows = rows.drop(set(DOCUMENT_COLUMNS) & set(rows.columns)).join(
            texts("doc_id", rows["doc_id"]), on="doc_id", how="left", maintain_order="left"
        )
    absent = [name for name in ("query_id", "doc_id", *DOCUMENT_COLUMNS) if name not in rows.columns]
    rows = rows.with_columns(pl.lit(None, pl.String).alias(name) for name in absent)
    reason = (
        pl.when(pl.col("text").fill_null("").str.strip_chars() == "")
        .then(pl.lit("the query is not known or has no text"))
        .when(pl.concat_str(pl.col("title", "body").fill_null("")).str.strip_chars() == "")
        .then(pl.lit("the document is not known or has no text"))
    )
    return rows.with_columns(status_reason=reason)


def _graded(rows: pl.DataFrame, labeler: Grades) -> pl.DataFrame:
    usable = rows.filter(pl.col("status_reason").is_null())
    # The labeler takes an id for its text, and a file may give one id to two texts: here the text is the id.
    pairs = usable.with_columns(
        query_id=pl.col("text").hash().cast(pl.String), doc_id=pl.struct(DOCUMENT_COLUMNS).hash().cast(pl.String)
    )
    grades = labeler.grade(pairs).drop("query_id", "doc_id").with_columns(row=usable["row"])
    return rows.join(grades, on="row", how="left", maintain_order="left").select(
        "row",
        "query_id",
        "doc_id",
        pl.when(pl.col("status_reason").is_null()).then(pl.lit("ok")).otherwise(pl.lit("set_aside")).alias("status"),
        "status_reason",
        pl.col("grade").cast(pl.Int8),
        "expected_grade",
        "grade_probs",
        "model_id",
        "model_hash",
    )


def _writer(out: Path) -> Callable[[pl.LazyFrame, Path], object]:
    writers: dict[str, Callable[[pl.LazyFrame, Path], object]] = {
        ".parquet": lambda rows, path: rows.sink_parquet(path),
        ".csv": lambda rows, path: rows.with_columns(
            pl.col("grade_probs").cast(pl.List(pl.String)).list.join(";")
        ).sink_csv(path),
        ".jsonl": lambda rows, path: rows.sink_ndjson(path),
    }
    if out.suffix.lower() not in writers:
        raise ConfigError(f"--out {out}: its ending names no format. Endings: {', '.join(writers)}.")
    return writers[out.suffix.lower()]


def _finish(parts: Path, out: Path, writer: Callable[[pl.LazyFrame, Path], object]) -> pl.DataFrame:
    files = sorted(parts.glob("[0-9]*.parquet"))
    if not files:
        raise ConfigError(f"there is no row to label, so {out} was not made.")
    rows = pl.scan_parquet(files)
    half = out.with_name(f".{out.name}.half")
    try:
        writer(rows, half)
        counts = rows.group_by("status", "status_reason").agg(rows=pl.len()).sort("status", "status_reason").collect()
        half.replace(out)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise ConfigError(f"{out} cannot be written: {error}. The labels are in {parts}; run this again.") from error
    shutil.rmtree(parts, ignore_errors=True)
    return counts
