"""Labeling a file of pairs with a student: any number of rows in bounded memory, each exactly once, whatever interrupts.

What belongs here: keeping each batch's labels as a file of its own until all are there, and making OUT of them. What does
not: reading PAIRS (pairs_file.py), grading (core/student), finding the texts behind ids (the caller's `Texts`) and other
machines (ray_labels.py).
"""

import hashlib
import json
import shutil
import time
import uuid
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout

from relabel_assets.corpus.pairs import DOCUMENT_COLUMNS
from relabel_assets.errors import ConfigError
from relabel_assets.labeling import pairs_file
from relabel_assets.progress import Progress, silent

ROWS_A_BATCH = 5_000


class Grades(Protocol):
    """What grades: a Labeler."""

    def grade(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> pl.DataFrame: ...


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
    texts_hash: str = "",
    rows_a_batch: int = ROWS_A_BATCH,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Grade every row of `pairs` (Parquet, CSV or JSON Lines) into `out` (the same formats); (status, status_reason, rows).

    `pairs` has query_id or query (a text), and doc_id or body (with title, author, path, updated_at, doc_type where
    there are). `out` has row (from 0), query_id, doc_id, status, status_reason, grade, expected_grade, grade_probs,
    model_id and model_hash; a row that cannot be graded has a reason and no grade. What is done is kept in `OUT.parts`
    until all is: the same call goes on from there. `texts_hash` tells the texts behind ids from changed ones. Raises
    ConfigError for files that cannot be used; then nothing was graded, or all that was is kept.
    """
    opened = _opener(out)
    if out.exists():
        raise ConfigError(f"{out} is there already. Move it away, or choose another --out.")
    n_rows, columns = pairs_file.check(pairs)
    has_texts = {pairs_file.QUERY, pairs_file.DOCUMENT} <= columns
    job = {"model_id": model_id, "model_hash": model_hash, "rows_a_batch": rows_a_batch,
           "texts": "" if has_texts else texts_hash}  # fmt: skip
    parts = out.with_name(f"{out.name}.parts")
    with _begun(parts, pairs, job):
        started = time.monotonic()
        n_done = {"before": 0, "now": 0}

        def report(batch: Batch) -> None:
            n_done["now"] += batch.n_rows
            n_all = n_done["before"] + n_done["now"]
            left_s = (time.monotonic() - started) / n_done["now"] * (n_rows - n_all)
            progress("labeling, pairs", n_all, n_rows, f"{left_s:,.0f} s left")

        def waiting() -> Iterator[Batch]:
            first = 0
            for number, frame in enumerate(pairs_file.runs(pairs, rows_a_batch)):
                part = parts / f"{number:08}.parquet"
                if part.exists():
                    n_done["before"] += frame.height
                else:
                    row = pl.int_range(first, first + frame.height, dtype=pl.Int64)
                    rows = frame.with_columns(row=row, model_id=pl.lit(model_id), model_hash=pl.lit(model_hash))
                    yield Batch(part, partial(_with_texts, rows, texts), frame.height)
                first += frame.height

        engine(waiting(), report)
        counts = _finish(parts, out, opened)
    shutil.rmtree(parts, ignore_errors=True)
    return counts


@contextmanager
def _begun(parts: Path, pairs: Path, job: dict[str, object]) -> Iterator[None]:
    """Make `parts`, or see that it is this very job's; and that no other process is at it."""
    with pairs.open("rb") as content:
        job = job | {"pairs": hashlib.file_digest(content, "sha256").hexdigest()}
    note = parts / "job.json"
    try:
        parts.mkdir(parents=True, exist_ok=True)
        lock = FileLock(parts / "lock", blocking=False)
        lock.acquire()
        if not note.exists():
            half = note.with_suffix(".half")
            half.write_text(json.dumps(job), encoding="utf-8")
            half.replace(note)
        same = json.loads(note.read_text(encoding="utf-8")) == job
    except Timeout as error:
        raise ConfigError(f"another process is labeling into {parts}. Wait for it, or choose another --out.") from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{parts} cannot be used: {error}. Choose another --out.") from error
    with lock:
        if not same:
            raise ConfigError(
                f"{parts} was begun with other pairs, another student or other documents. To begin anew, remove it; "
                "to keep it, choose another --out."
            )
        yield


def in_process(labeler: Grades, progress: Progress = silent) -> Engine:
    """The engine that grades here, a batch after the other."""

    def grade(batches: Iterable[Batch], done: Callable[[Batch], None]) -> None:
        for batch in batches:
            write_part(batch.part, batch.rows(), labeler, progress)
            done(batch)

    return grade


def write_part(part: Path, rows: pl.DataFrame, labeler: Grades, progress: Progress = silent) -> None:
    """Grade `rows`, as Batch.rows gives them, into `part`, whole or not at all. Done twice, it is the same file."""
    half = part.with_name(f".{part.name}.{uuid.uuid4().hex}.half")
    _graded(rows, labeler, progress).write_parquet(half)
    half.replace(part)


def _with_texts(batch: pl.DataFrame, texts: Texts) -> pl.DataFrame:
    """`batch` with `text`, the document's columns, and status_reason where a row cannot be graded.

    A row's own texts count; where it has none, those behind its ids do.
    """
    rows = batch.rename({pairs_file.QUERY: "text"})
    for key, own, columns in (("query_id", "text", ("text",)), ("doc_id", pairs_file.DOCUMENT, DOCUMENT_COLUMNS)):
        asked = rows.filter(pl.col(own).is_null() & pl.col(key).is_not_null())[key].unique()
        if asked.is_empty():
            continue
        rows = rows.join(texts(key, asked), on=key, how="left", maintain_order="left", suffix="_known")
        known = [
            pl.when(pl.col(own).is_null()).then(f"{name}_known").otherwise(name).alias(name) for name in columns
        ]  # fmt: skip
        rows = rows.with_columns(known).drop(pl.selectors.ends_with("_known"))
    reason = (
        pl.when(pl.col("text").fill_null("").str.strip_chars() == "")
        .then(pl.lit("the query is not known or has no text"))
        .when(pl.concat_str(pl.col("title", "body").fill_null("")).str.strip_chars() == "")
        .then(pl.lit("the document is not known or has no text"))
    )
    return rows.with_columns(status_reason=reason)


def _graded(rows: pl.DataFrame, labeler: Grades, progress: Progress) -> pl.DataFrame:
    usable = rows.filter(pl.col("status_reason").is_null())
    # The labeler takes an id for its text, and a file may give one id to two texts: here the text is the id.
    pairs = usable.with_columns(
        query_id=pl.col("text").hash().cast(pl.String), doc_id=pl.struct(DOCUMENT_COLUMNS).hash().cast(pl.String)
    )
    grades = labeler.grade(pairs, progress=progress).drop("query_id", "doc_id").with_columns(row=usable["row"])
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


Write = Callable[[pl.DataFrame], object]


def _opener(out: Path) -> Callable[[Path], AbstractContextManager[Write]]:
    """What opens a labels file of the format that `out` names and gives the writing of one batch's labels."""
    openers: dict[str, Callable[[Path], AbstractContextManager[Write]]] = {
        ".parquet": _parquet,
        ".csv": _csv,
        ".jsonl": _json_lines,
    }
    if out.suffix.lower() not in openers:
        raise ConfigError(f"--out {out}: its ending names no format. Endings: {', '.join(openers)}.")
    return openers[out.suffix.lower()]


@contextmanager
def _parquet(file: Path) -> Iterator[Write]:
    writer: pq.ParquetWriter | None = None

    def write(labels: pl.DataFrame) -> None:
        nonlocal writer
        table = labels.to_arrow()
        writer = writer or pq.ParquetWriter(file, table.schema, compression="zstd")
        writer.write_table(table)

    try:
        yield write
    finally:
        if writer:
            writer.close()


@contextmanager
def _csv(file: Path) -> Iterator[Write]:
    with file.open("wb") as content:

        def write(labels: pl.DataFrame) -> None:
            probs = pl.col("grade_probs").cast(pl.List(pl.String)).list.join(";")
            labels.with_columns(probs).write_csv(content, include_header=not content.tell())

        yield write


@contextmanager
def _json_lines(file: Path) -> Iterator[Write]:
    with file.open("wb") as content:
        yield lambda labels: labels.write_ndjson(content)


def _finish(parts: Path, out: Path, opened: Callable[[Path], AbstractContextManager[Write]]) -> pl.DataFrame:
    half = out.with_name(f".{out.name}.half")
    counts = []
    try:
        with opened(half) as write:
            for file in sorted(parts.glob("[0-9]*.parquet")):  # one at a time: all of them need not fit in memory
                labels = pl.read_parquet(file)
                write(labels)
                counts.append(labels.group_by("status", "status_reason").agg(rows=pl.len()))
        half.replace(out)
    except (OSError, pl.exceptions.PolarsError, pa.ArrowException) as error:
        raise ConfigError(f"{out} cannot be written: {error}. The labels are in {parts}; run this again.") from error
    found = pl.concat(counts).group_by("status", "status_reason").agg(pl.col("rows").sum())
    return found.sort("status", "status_reason")
