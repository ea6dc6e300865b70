"""Grades in a corpus folder: recorded teacher labels in JSON, reference labels in TREC or BEIR files.

What belongs here: the grade of a line, and which grades have no query or document. What does
not: opening files (grade_files.py), and what a grade means (prompts/rubric.py).
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from relabel_assets.corpus.documents_folder.doc_ids import hint, with_meant_ids
from relabel_assets.corpus.rows import (
    DuplicateCheck,
    ReadRows,
    optional_id,
    optional_text,
    required_grade,
    required_id,
)
from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_BODY_CHARACTERS, MAX_LINE_BYTES
from relabel_assets.intake.one_input import SetAside, costs_itself
from relabel_assets.intake.text import shown
from relabel_assets.plural import counted
from relabel_assets.tables.vocabulary import REFERENCE_KINDS

RECORDED = {
    "query_id": pl.String,
    "doc_id": pl.String,
    "grade": pl.Int64,
    "rationale": pl.String,
    "model": pl.String,
}
REFERENCE = {"query_id": pl.String, "doc_id": pl.String, "assessor": pl.String, "grade": pl.Int64}
_MOST_LISTED = 20  # unknown ids: a file for another corpus would name thousands


def recorded_from_rows(
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    *,
    file: str,
    max_grade: int,
    problems: list[Problem],
) -> ReadRows:
    """Every recorded grade. Of two grades of a pair, the first counts."""
    labels, pairs = [], DuplicateCheck()
    for line, row in rows:
        with costs_itself(problems, file, line):
            query_id, doc_id = required_id(row, "query_id"), required_id(row, "doc_id")
            grade = required_grade(row.get("grade"), max_grade)
            rationale = optional_text(row, "rationale", max_characters=MAX_BODY_CHARACTERS)
            label = (query_id, doc_id, grade, rationale, optional_text(row, "model"))
            pairs.add((query_id, doc_id), f"the pair ({query_id}, {doc_id})", f"line {line}")
            labels.append(label)
    return ReadRows(pl.DataFrame(labels, schema=RECORDED, orient="row"), problems)


def reference_from_qrels(
    lines: Iterable[tuple[int, bytes]],
    *,
    file: str,
    max_grade: int,
    problems: list[Problem],
    is_beir: bool = False,
) -> ReadRows:
    """Every reference grade of the numbered lines of a qrels file: TREC's, or BEIR's if `is_beir`.

    TREC: query_id, iteration, doc_id, grade; the iteration is the assessor. BEIR: a header line,
    then query_id, doc_id and grade, separated by tabs. Only there an id may hold spaces.
    """
    rows = _qrels_rows(lines, file=file, problems=problems, is_beir=is_beir)
    return reference_from_rows(rows, file=file, max_grade=max_grade, problems=problems)


def reference_from_rows(
    rows: Iterable[tuple[int, Mapping[str, Any]]],
    *,
    file: str,
    max_grade: int,
    problems: list[Problem],
    default_assessor: str | None = "0",
) -> ReadRows:
    """Every reference grade of a table. A row without an assessor is of `default_assessor`.

    It is assessor 0, as in BEIR's files. With None a row needs an assessor.
    """
    labels, pairs = [], DuplicateCheck()
    for line, row in rows:
        with costs_itself(problems, file, line):
            query_id, doc_id = required_id(row, "query_id"), required_id(row, "doc_id")
            assessor = optional_id(row, "assessor") or default_assessor
            if assessor is None:
                assessor = required_id(row, "assessor")  # which says what is missing
            grade = required_grade(row.get("grade"), max_grade)
            pairs.add(
                (query_id, doc_id, assessor),
                f"the pair ({query_id}, {doc_id}) of assessor {assessor}",
                f"line {line}",
            )
            labels.append((query_id, doc_id, assessor, grade))
    return ReadRows(pl.DataFrame(labels, schema=REFERENCE, orient="row"), problems)


def _qrels_rows(
    lines: Iterable[tuple[int, bytes]], *, file: str, problems: list[Problem], is_beir: bool
) -> Iterator[tuple[int, dict[str, str | int]]]:
    """The lines of a qrels file as the rows of a table, without BEIR's header."""
    for number, raw in lines:
        row = None
        with costs_itself(problems, file, number):
            row = _qrels_fields(raw.removeprefix(b"\xef\xbb\xbf"), is_beir=is_beir)
        if row is None or (is_beir and number == 1 and not _is_whole(row[3])):
            continue
        query_id, assessor, doc_id, digits = row
        grade = int(digits) if _is_whole(digits) else digits
        yield (
            number,
            {"query_id": query_id, "assessor": assessor, "doc_id": doc_id, "grade": grade},
        )


def is_trec(first_line: bytes) -> bool:
    """Whether a file that begins with this line is TREC's: four fields, of which the last is a grade.

    >>> is_trec(b"q1 0 d1 2\\n"), is_trec(b"query-id\\tcorpus-id\\tscore\\n")
    (True, False)
    """
    fields = first_line.decode("utf-8", "replace").split()
    return len(fields) == 4 and _is_whole(fields[3])


def _is_whole(text: str) -> bool:
    """Whether `text` is a whole number of ASCII digits. str.isdigit also takes ², and int does not."""
    return re.fullmatch(r"-?[0-9]{1,9}", text) is not None


def _qrels_fields(raw: bytes, *, is_beir: bool) -> tuple[str, str, str, str] | None:
    """query_id, assessor, doc_id and grade of a line; None for a blank one."""
    if len(raw) > MAX_LINE_BYTES:
        raise SetAside("the line is too long", f"At most {MAX_LINE_BYTES:,} bytes are read.")
    try:
        line = raw.decode("utf-8").strip("\r\n")
    except UnicodeDecodeError as error:
        raise SetAside("not UTF-8 text", "Save the file as UTF-8.") from error
    if not line.strip():
        return None
    fields = [part.strip() for part in line.split("\t")] if is_beir else line.split()
    if is_beir and len(fields) == 3:
        fields.insert(1, "0")
    if len(fields) != 4 or not all(fields):
        trec, beir = "query_id, iteration, doc_id and grade", "query_id, doc_id and grade"
        form = f"{beir}, separated by tabs" if is_beir else trec
        raise SetAside(f"{shown(line)} has {len(fields)} fields", f"A line holds {form}.")
    row = dict(zip(("query_id", "assessor", "doc_id"), fields, strict=False))
    query_id, assessor, doc_id = (required_id(row, name) for name in row)
    return query_id, assessor, doc_id, fields[3]


def with_known_pairs(
    rows: ReadRows, query_ids: pl.Series, doc_ids: pl.Series, *, file: str
) -> ReadRows:
    """`rows` without the grades of queries and documents that the corpus does not have.

    A document may be written with the ending of its file. Each unknown id is one problem, with its number of
    grades and the nearest id. After 20, one problem counts the rest.
    """
    frame, problems = _with_meant_documents(rows.frame, doc_ids, file)
    problems = rows.problems + problems
    for thing, column, ids in (("query", "query_id", query_ids), ("document", "doc_id", doc_ids)):
        is_unknown = ~pl.col(column).is_in(ids.implode())
        unknown = frame.filter(is_unknown).group_by(column).len().sort(column)
        problems += [
            Problem(
                file,
                None,
                f"{thing} {name!r} has {count} {'grade' if count == 1 else 'grades'} "
                "and is not in the corpus.",
                f"{hint(name, ids)}Add the {thing}, or remove its grades.",
            )
            for name, count in unknown.head(_MOST_LISTED).iter_rows()
        ]
        rest = unknown.slice(_MOST_LISTED)
        if not rest.is_empty():
            n_grades = rest["len"].sum()
            message = f"{rest.height} more unknown {column}s have {n_grades} grades."
            problems.append(Problem(file, None, message, "Add them, or remove their grades."))
    has_query = pl.col("query_id").is_in(query_ids.implode())
    has_document = pl.col("doc_id").is_in(doc_ids.implode())
    return replace(rows, frame=frame.filter(has_query & has_document), problems=problems)


def _with_meant_documents(
    frame: pl.DataFrame, doc_ids: pl.Series, file: str
) -> tuple[pl.DataFrame, list[Problem]]:
    """`frame` with the corpus' ids of its documents; of two grades that are of one pair then, the first."""
    meant = with_meant_ids(frame, "doc_id", doc_ids)
    if meant is frame:
        return frame, []
    key = [name for name in ("labeler", *REFERENCE) if name in frame.columns and name != "grade"]
    once = meant.unique(key, keep="first", maintain_order=True)
    if once.height == meant.height:
        return once, []
    message = f"{counted(meant.height - once.height, 'grade')} of a pair that is graded before: its document "
    message += "is written with an ending in one place and without in another."
    return once, [Problem(file, None, message, "The first one is used. Remove one of them.")]


def joint_kind(kinds: Iterable[str], *, stated: str) -> str:
    """The kind of grades of several kinds: the one that claims least; `stated` without any grade.

    >>> joint_kind(["human", "adjudicated"], stated="human")
    'adjudicated'
    >>> joint_kind([], stated="human")
    'human'
    """
    return max(set(kinds), key=REFERENCE_KINDS.index, default=stated)
