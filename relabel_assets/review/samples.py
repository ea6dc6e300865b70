"""The samples of a corpus on disk: which pairs people are asked about, and with which chance.

What belongs here: reading and writing `reviews/samples/`. What does not: which pairs are drawn
(draws/), and what people answer (store.py).

Each draw writes one file, `0001.jsonl` and so on, with a line for every pair of the pool, drawn or not. The
last file holds; the earlier ones are its history.
"""

import json
import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import DuplicateCheck, optional_text, required_id, required_text
from relabel_assets.errors import CorpusError, Problem
from relabel_assets.files import whole
from relabel_assets.intake.input_limits import MAX_ROWS_FILE_BYTES
from relabel_assets.intake.one_input import INPUT_ERRORS, SetAside, problem_of
from relabel_assets.intake.regular_files import numbered_lines, open_text
from relabel_assets.intake.tables.json_lines import JsonRow, json_rows
from relabel_assets.intake.text import shown

FOLDER = "samples"  # under reviews/
BY = ("pair", "query")
# The pool of a corpus, as the last draw left it. `joined`: the draw in which a pair joined the pool. `u`: its
# permanent random number. `need`: how much it counts when the sample is allocated to strata.
FRAME = {
    "query_id": pl.String,
    "doc_id": pl.String,
    "stratum": pl.String,
    "inclusion_prob": pl.Float64,
    "query_prob": pl.Float64,
    "is_drawn": pl.Boolean,
    "why": pl.String,
    "drawn_at": pl.String,
    "joined": pl.Int64,
    "u": pl.Float64,
    "need": pl.Float64,
    "by": pl.String,
}
_PAIR = ["query_id", "doc_id"]
_FILE = re.compile(r"\d{4,}\.jsonl")


def read_samples(folder: Path) -> pl.DataFrame:
    """The pairs that were drawn for people, each once, with its present chance; sorted by key.

    `folder` is the folder reviews/ of a corpus. Columns: query_id, doc_id, stratum, inclusion_prob (of this
    pair, above 0), query_prob (of its query; 1 where pairs were drawn and not queries), n_stratum (pairs of
    the pool in its stratum), n_drawn (those drawn of them), why (in words), drawn_at (UTC). No row before
    the first draw. Raises CorpusError for a damaged file: without all its lines no chance is known.

    >>> read_samples(Path("/nowhere")).columns[:4]
    ['query_id', 'doc_id', 'stratum', 'inclusion_prob']
    """
    frame = read_frame(folder).with_columns(
        n_stratum=pl.len().over("stratum").cast(pl.Int64),
        n_drawn=pl.col("is_drawn").sum().over("stratum").cast(pl.Int64),
        drawn_at=pl.col("drawn_at").str.to_datetime(time_zone="UTC"),
    )
    columns = [*_PAIR, "stratum", "inclusion_prob", "query_prob", "n_stratum", "n_drawn", "why"]
    return frame.filter("is_drawn").select(*columns, "drawn_at").sort(_PAIR)


def read_frame(folder: Path) -> pl.DataFrame:
    """The whole pool, drawn or not, with the columns of FRAME; empty before the first draw.

    Raises CorpusError for a damaged file.

    >>> read_frame(Path("/nowhere")).height
    0
    """
    number = last_draw(folder)
    if not number:
        return pl.DataFrame(schema=FRAME)
    file = f"{FOLDER}/{number:04}.jsonl"
    try:
        with open_text(folder, file, max_bytes=MAX_ROWS_FILE_BYTES) as opened:
            rows = _rows(json_rows(numbered_lines(opened)), f"reviews/{file}")
    except (SetAside, OSError) as error:
        raise _damaged(problem_of(error, f"reviews/{file}")) from error
    return pl.DataFrame(rows, schema=FRAME, orient="row")


def last_draw(folder: Path) -> int:
    """The number of the last draw; 0 before the first.

    >>> last_draw(Path("/nowhere"))
    0
    """
    try:
        names = [entry.name for entry in (folder / FOLDER).iterdir()]
    except (FileNotFoundError, NotADirectoryError):
        return 0
    numbers = (int(name.removesuffix(".jsonl")) for name in names if _FILE.fullmatch(name))
    return max(numbers, default=0)


def write_frame(folder: Path, frame: pl.DataFrame) -> Path:
    """Write `frame` as the next draw, whole and durable; return its file.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as reviews:
    ...     write_frame(Path(reviews), pl.DataFrame(schema=FRAME)).name
    '0001.jsonl'
    """
    path = folder / FOLDER / f"{last_draw(folder) + 1:04}.jsonl"
    with whole(path, is_durable=True) as scratch, scratch.open("w", encoding="utf-8") as file:
        for row in frame.select(list(FRAME)).sort(_PAIR).iter_rows(named=True):
            file.write(json.dumps(row, ensure_ascii=False) + "\n")
    return path


def _rows(rows: Iterable[tuple[int, JsonRow]], file: str) -> list[tuple[Any, ...]]:
    """The values of every line. Raises CorpusError for the first line that is wrong."""
    pairs, values = DuplicateCheck(), []
    for line, row in rows:
        try:
            if isinstance(row, SetAside):
                raise row
            values.append(_values(row))
            pairs.add(values[-1][:2], f"the pair {values[-1][:2]}", f"line {line}")
        except INPUT_ERRORS as error:
            raise _damaged(problem_of(error, file, line)) from error
    return values


def _values(row: Mapping[str, Any]) -> tuple[Any, ...]:
    """The values of a line in the order of FRAME."""
    probs = [row.get("inclusion_prob"), row.get("query_prob", 1.0)]
    for prob in probs:
        is_number = isinstance(prob, int | float) and not isinstance(prob, bool)
        if not is_number or not 0 < float(prob) <= 1:
            raise SetAside(f"a chance is {shown(prob)}", "It is above 0 and at most 1.")
    return (
        required_id(row, "query_id"),
        required_id(row, "doc_id"),
        required_text(row, "stratum"),
        *(float(prob) for prob in probs),
        bool(row.get("is_drawn", True)),
        optional_text(row, "why"),
        _time(row),
        int(row.get("joined", 1)),
        float(row.get("u", 0.0)),
        float(row.get("need", 1.0)),
        BY[BY.index(row.get("by", BY[0]))],
    )


def _time(row: Mapping[str, Any]) -> str | None:
    text = optional_text(row, "drawn_at")
    return text and datetime.fromisoformat(text).astimezone(UTC).isoformat()


def _damaged(problem: Problem) -> CorpusError:
    return CorpusError(
        f"{problem} The chances of a sample are known from all its lines. Restore the file, or move "
        "reviews/samples away and draw again: the grades in reviews/ are kept.",
        problem,
    )
