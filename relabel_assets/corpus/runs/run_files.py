"""Run files of systems, as trec_eval reads them: query_id, Q0, doc_id, rank, score, name.

What belongs here: finding the files of a folder, and their rows. What does not: what a system is built on
(kin_file.py) and measures (benchmark/systems/).

The score orders the documents, and equal scores are ordered by document id, descending. The rank is not
used: trec_eval does not use it either.
"""

import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import polars as pl

from relabel_assets.corpus.documents_folder.doc_ids import hint, with_meant_ids
from relabel_assets.errors import CorpusError, Problem
from relabel_assets.intake.input_limits import (
    GIB,
    MAX_ID_CHARACTERS,
    MAX_UNPACKED_IN_ANY_CASE,
    MAX_UNPACKED_TIMES,
)
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.one_input import SetAside, costs_itself
from relabel_assets.intake.regular_files import open_regular
from relabel_assets.intake.text import one_line, shown
from relabel_assets.plural import counted
from relabel_assets.progress import Progress, silent

FOLDER, KIN_FILE = "runs", "systems.yaml"
RUNS = {"system": pl.String, "query_id": pl.String, "doc_id": pl.String, "score": pl.Float64}
# TREC: 1,000 documents for each of some hundred queries are 10 MB a system.
_MAX_BYTES = 2 * GIB
# Endings that are no part of a system's name. Names of TREC's runs have dots: input.bl_bcai.
_ENDINGS = (".gz", ".run", ".txt", ".trec", ".res")
_MOST_LISTED = 20  # lines of one file, and unknown ids: a run of another corpus has a million


@dataclass
class Runs:
    """The rows of all systems with the columns of RUNS, in files' order, and what was set aside."""

    frame: pl.DataFrame
    problems: list[Problem] = field(default_factory=list)

    @property
    def systems(self) -> list[str]:
        """The names of the systems, sorted."""
        return self.frame["system"].unique().sort().to_list()


def system_name(file: str) -> str:
    """The name of the system of a run file: the file's name without .gz, .run, .txt, .trec or .res.

    >>> system_name("runs/bm25.run.gz"), system_name("input.p_bm25")
    ('bm25', 'input.p_bm25')
    """
    name = file.rsplit("/", 1)[-1]
    while (ending := next((end for end in _ENDINGS if name.endswith(end)), "")) and name != ending:
        name = name.removesuffix(ending)
    return name


def is_run(file: str) -> bool:
    """Whether `file` of a corpus folder is a run: runs/NAME.run or runs/NAME.run.gz.

    >>> is_run("runs/bm25.run"), is_run("runs/notes.md")
    (True, False)
    """
    folder, _, name = file.rpartition("/")
    return folder == FOLDER and name.removesuffix(".gz").endswith(".run")


def files_in(path: Path) -> tuple[Path, list[str]]:
    """The folder at `path` and its run files, or those of a single file. Raises CorpusError without any.

    Every file counts, whatever its ending, but hidden ones and systems.yaml.
    """
    if path.is_file():
        return path.parent, [path.name]
    try:
        names = sorted(entry.name for entry in path.iterdir() if not entry.is_dir())
    except OSError as error:
        raise CorpusError(
            f"{path} is no folder of run files: {error.strerror}. Give a folder, or one run file."
        ) from error
    names = [name for name in names if not name.startswith(".") and name != KIN_FILE]
    if not names:
        raise CorpusError(
            f"{path} has no run files. Put a file for each system there, with lines as trec_eval reads "
            "them: query_id Q0 doc_id rank score name."
        )
    return path, names


def read_runs(root: Path, files: Sequence[str], progress: Progress = silent) -> Runs:
    """The runs in `files` under `root`, one a system. A line that cannot be used costs itself."""
    runs, file_of = Runs(pl.DataFrame(schema=RUNS)), dict[str, str]()
    frames = [runs.frame]
    for done, file in enumerate(files, start=1):
        with costs_itself(runs.problems, file):
            name = system_name(file)
            if name != one_line(name):
                raise SetAside("its name has control characters", "Rename it.")
            if name in file_of:
                message = f"{file_of[name]} is a run of the system {name!r} already"
                raise SetAside(message, "Rename one of them.")
            rows = _run(_text(root, file), file, runs.problems)
            frames.append(rows.select(pl.lit(name).alias("system"), pl.all()))
            file_of[name] = file
        progress("reading runs", done, len(files))
    runs.frame = pl.concat(frames)
    return runs


def _text(root: Path, file: str) -> str:
    """The text of a run file, unpacked. Raises SetAside for one that is no text."""
    with open_regular(root, file, max_bytes=_MAX_BYTES) as opened:
        raw = _unpacked(opened, file) if file.endswith(".gz") else opened.read()
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = raw[: error.start].count(b"\n") + 1
        raise SetAside(f"line {line} is not UTF-8 text", "Save the file as UTF-8.") from error


def _unpacked(opened: BinaryIO, file: str) -> bytes:
    most = MAX_UNPACKED_TIMES * len(opened.read())
    opened.seek(0)
    most = max(most, MAX_UNPACKED_IN_ANY_CASE)
    try:
        with gzip.open(opened) as packed:
            raw = packed.read(most + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile) as error:
        raise SetAside(f"it cannot be unpacked: {error}", "Copy it again.") from error
    if len(raw) > most:
        raise SetAside(f"{file} unpacks to more than {most:,} bytes", "Unpack it yourself.")
    return raw


def _run(text: str, file: str, problems: list[Problem]) -> pl.DataFrame:
    """The usable rows of one run: query_id, doc_id, score. Others are added to `problems`."""
    text = nfc(text).replace("\t", " ").replace("\r", " ")
    while "  " in text:  # whole text at once: a regular expression a line takes five times as long
        text = text.replace("  ", " ")
    lines = pl.DataFrame({"text": text.split("\n")}).with_row_index("line", offset=1)
    rows = (
        lines.with_columns(pl.col("text").str.strip_chars(" "))
        .filter(pl.col("text") != "")
        .with_columns(pl.col("text").str.splitn(" ", 7).alias("parts"))
        .unnest("parts")
        .rename({"field_0": "query_id", "field_2": "doc_id", "field_4": "score"})
        .with_columns(pl.col("score").cast(pl.Float64, strict=False).alias("value"))
    )
    if rows.is_empty():
        raise SetAside("it has no lines", "A line holds: query_id Q0 doc_id rank score name.")
    is_long = pl.max_horizontal(pl.col("query_id", "doc_id").str.len_chars()) > MAX_ID_CHARACTERS
    fault = (
        pl.when(pl.col("score").is_null() | pl.col("field_6").is_not_null())
        .then(pl.lit("fields"))
        .when(is_long)
        .then(pl.lit("id"))
        .when(~pl.col("value").is_finite().fill_null(False))
        .then(pl.lit("score"))
    )
    rows = rows.with_columns(fault=fault)
    first_line = pl.col("line").filter(pl.col("fault").is_null()).first()
    is_repeated = pl.col("fault").is_null() & (
        pl.col("line") > first_line.over("query_id", "doc_id")
    )
    rows = rows.with_columns(
        fault=pl.when(is_repeated).then(pl.lit("duplicate")).otherwise("fault")
    )
    faulty = rows.filter(pl.col("fault").is_not_null())
    problems += [
        Problem(file, row["line"], *_reason(row)) for row in faulty.head(_MOST_LISTED).to_dicts()
    ]
    if faulty.height > _MOST_LISTED:
        n_more = counted(faulty.height - _MOST_LISTED, "more line")
        problems.append(Problem(file, None, f"{n_more} cannot be used", "Correct these first."))
    return rows.filter(pl.col("fault").is_null()).select("query_id", "doc_id", score="value")


def _reason(row: dict[str, str]) -> tuple[str, str]:
    """The message and the remedy for a row that cannot be used."""
    if row["fault"] == "duplicate":
        query_id, doc_id = one_line(row["query_id"]), one_line(row["doc_id"])
        return (
            f"document {doc_id} is found twice for query {query_id}; the first one counts",
            "Keep one of them.",
        )
    if row["fault"] == "score":
        return f"the score {shown(row['score'])} is no number", "Write a finite number."
    if row["fault"] == "id":
        return "an id is too long", f"At most {MAX_ID_CHARACTERS:,} characters are read."
    n_fields = len(row["text"].split())
    return (
        f"{shown(row['text'])} has {counted(n_fields, 'field')}",
        "A line holds: query_id Q0 doc_id rank score name.",
    )


def with_known_queries(runs: Runs, query_ids: pl.Series, doc_ids: pl.Series) -> Runs:
    """`runs` without queries that the corpus does not have. Unknown documents stay, and are named.

    They hold their places in the order, as in trec_eval, and nobody has graded them. A document may be
    written with the ending of its file.
    """
    problems, file = list(runs.problems), FOLDER
    frame = with_meant_ids(runs.frame, "doc_id", doc_ids)
    if frame is not runs.frame:  # with an ending and without: its better place counts
        best = frame.sort("score", descending=True, maintain_order=True)
        frame = best.unique(["system", "query_id", "doc_id"], keep="first", maintain_order=True)
    for thing, column, ids, effect in (
        ("unknown query", "query_id", query_ids, "Left out."),
        ("unknown document", "doc_id", doc_ids, "Kept in its place, without a grade."),
    ):
        unknown = frame.filter(~pl.col(column).is_in(ids.implode()))[column].unique().sort()
        if unknown.is_empty():
            continue
        names = ", ".join(map(one_line, unknown.head(_MOST_LISTED)))
        more = ", ..." if unknown.len() > _MOST_LISTED else ""
        message = f"{counted(unknown.len(), thing)}, not in the corpus: {names}{more}"
        problems.append(Problem(file, None, message, f"{hint(unknown[0], ids)}{effect}"))
    known = frame.filter(pl.col("query_id").is_in(query_ids.implode()))
    return Runs(known, problems)
