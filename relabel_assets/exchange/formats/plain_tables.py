"""CSV and Parquet with every column: ids, query, title, grade, probabilities and provenance.

What belongs here: these columns. What does not: CSV of another tool (quepid.py). The probability of grade
N is the column `prob_N`, because CSV has no lists and spreadsheets none either.
"""

import csv
import math
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import optional_id, optional_text, required_id
from relabel_assets.exchange.formats.format import Format, Read, whole_grade
from relabel_assets.exchange.judgments import JUDGMENTS, Judgment, Judgments, Unwritable
from relabel_assets.intake.input_limits import MAX_QUERY_CHARACTERS
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.tables.column_names import Columns
from relabel_assets.intake.tables.reader import SUFFIXES, open_table, read_table
from relabel_assets.intake.text import shown

_MOST_GRADES = 10  # a grade is one digit
_PROBS = [f"prob_{grade}" for grade in range(_MOST_GRADES)]
_OTHERS = (*(name for name in JUDGMENTS if name != "grade_probs"), "assessor", *_PROBS)
COLUMNS = Columns(
    dict.fromkeys(_OTHERS, ()) | {"grade": ("rating", "relevance")},
    (("query_id",), ("doc_id",), ("grade",)),
)


def nothing_refused(judgments: Judgments) -> Iterator[Unwritable]:
    """These formats hold every row.

    >>> list(nothing_refused(None))
    []
    """
    return iter(())


def flat(frame: pl.DataFrame) -> pl.DataFrame:
    """`frame` with a column prob_0, prob_1, ... for each grade in place of grade_probs.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "doc_id": "d1", "grade": 1, "grade_probs": [0.25, 0.75]}])
    >>> flat(frame).columns[-2:]
    ['prob_0', 'prob_1']
    """
    longest = int(frame["grade_probs"].list.len().drop_nulls().to_numpy().max(initial=0))
    return frame.with_columns(
        pl.col("grade_probs").list.get(grade, null_on_oob=True).alias(name)
        for grade, name in enumerate(_PROBS[:longest])
    ).drop("grade_probs")


def write_csv(judgments: Judgments, path: Path) -> None:
    """The judgments as CSV in UTF-8, with a header. A missing value is an empty cell.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "doc_id": "d,1", "grade": 2}])
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     write_csv(Judgments(frame, "demo", "final", 3), Path(file.name))
    ...     file.read().splitlines()[1]
    b'q1,,,"d,1",,2,,,,,'
    """
    rows = flat(judgments.frame)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file
        )  # lines end as in RFC 4180; another end would not be quoted in cells
        writer.writerow(rows.columns)
        # csv writes floats with all their digits.
        writer.writerows(rows.iter_rows())


def write_parquet(judgments: Judgments, path: Path) -> None:
    """The judgments as Parquet.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     write_parquet(Judgments(frame, "demo", "final", 3), Path(file.name))
    ...     pl.read_parquet(file.name)["grade"].to_list()
    [2]
    """
    flat(judgments.frame).write_parquet(path)


def read_csv(path: Path, max_grade: int) -> Read:
    """Each judgment with its line. Needed columns: query_id, doc_id and grade.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.csv"
    ...     _ = path.write_text("query_id,doc_id,grade\\nq1,d1,2\\n")
    ...     [(line, judgment)] = read_csv(path, 3)
    >>> line, judgment.grade
    (2, 2)
    """
    return _read(path, max_grade, ".csv")


def read_parquet(path: Path, max_grade: int) -> Read:
    """Each judgment with the number of its row. Needed columns: query_id, doc_id and grade.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.parquet"
    ...     pl.DataFrame({"query_id": ["q1"], "doc_id": ["d1"], "grade": [2]}).write_parquet(path)
    ...     [(row, judgment)] = read_parquet(path, 3)
    >>> row, judgment.grade
    (1, 2)
    """
    return _read(path, max_grade, ".parquet")


def _read(path: Path, max_grade: int, suffix: str) -> Read:
    """The rows of a table. A spreadsheet or JSON lines are read too, by the file's ending."""
    suffix = path.suffix.lower() if path.suffix.lower() in SUFFIXES else suffix
    with open_table(path.parent, path.name, suffix) as file:
        for number, row in read_table(file, suffix, COLUMNS).rows:
            yield number, row if isinstance(row, SetAside) else _judgment_or_reason(row, max_grade)


def _judgment_or_reason(row: Mapping[str, Any], max_grade: int) -> Judgment | SetAside:
    try:
        return Judgment(
            query_id=required_id(row, "query_id"),
            doc_id=required_id(row, "doc_id"),
            grade=whole_grade(row["grade"], max_grade),
            text=optional_text(row, "text", max_characters=MAX_QUERY_CHARACTERS),
            assessor=optional_id(row, "assessor"),
            expected_grade=_number(row, "expected_grade", max_grade),
            grade_probs=_probs(row, max_grade),
            labeler=optional_text(row, "labeler"),
            model=optional_text(row, "model"),
            prompt_hash=optional_text(row, "prompt_hash"),
            request_key=optional_text(row, "request_key"),
        )
    except SetAside as reason:
        return reason


def _number(row: Mapping[str, Any], name: str, most: float) -> float | None:
    """A number from 0 to `most`; None for a missing or empty one. Raises SetAside for all else."""
    value = row.get(name)
    if value is None or value == "":
        return None
    try:
        number = math.nan if isinstance(value, bool) else float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not 0 <= number <= most:
        remedy = f"Write a number from 0 to {most}, or leave it empty."
        raise SetAside(f"{name} is {shown(value)}", remedy)
    return number


def _probs(row: Mapping[str, Any], max_grade: int) -> tuple[float, ...] | None:
    """The probability of each grade of the rubric; None without any. They need not add up to 1 exactly."""
    probs = [_number(row, name, 1) for name in _PROBS]
    inside, outside = probs[: max_grade + 1], probs[max_grade + 1 :]
    if all(prob is None for prob in probs):
        return None
    if None in inside or any(prob is not None for prob in outside):
        columns = f"prob_0 to prob_{max_grade}"
        raise SetAside(f"{columns} do not have a value each", "Give all of them, or none.")
    return tuple(prob for prob in inside if prob is not None)


CSV = Format(
    "csv",
    "every column, with provenance: spreadsheets, pandas, SQL",
    ".csv",
    nothing_refused,
    write_csv,
    read_csv,
    has_provenance=True,
)
PARQUET = Format(
    "parquet",
    "every column, with provenance: Polars, DuckDB, Spark, pandas",
    ".parquet",
    nothing_refused,
    write_parquet,
    read_parquet,
    has_provenance=True,
)
