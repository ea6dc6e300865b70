"""Grades in a corpus folder: recorded teacher labels in JSON, reference labels in TREC or BEIR files.

What belongs here: the grade of a line, and which grades have no query or document. What does
not: opening files (folder.py), and what a grade means (prompts/rubric.py).
"""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import (
    DuplicateCheck,
    ReadRows,
    SetAside,
    optional_text,
    required_grade,
    required_id,
    shown,
)
from relabel_assets.errors import Problem

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
        try:
            query_id, doc_id = required_id(row, "query_id"), required_id(row, "doc_id")
            grade = required_grade(row.get("grade"), max_grade)
            label = (
                query_id,
                doc_id,
                grade,
                optional_text(row, "rationale"),
                optional_text(row, "model"),
            )
            pairs.add((query_id, doc_id), f"the pair ({query_id}, {doc_id})", f"line {line}")
            labels.append(label)
        except SetAside as error:
            problems.append(Problem(file, line, error.message, error.remedy))
    return ReadRows(pl.DataFrame(labels, schema=RECORDED, orient="row"), problems)


def reference_from_qrels(
    lines: Iterable[bytes],
    *,
    file: str,
    max_grade: int,
    problems: list[Problem],
    is_beir: bool = False,
) -> ReadRows:
    """Every reference grade of a qrels file: TREC's, or BEIR's if `is_beir`.

    TREC: query_id, iteration, doc_id, grade; the iteration is the assessor. BEIR: a header line,
    then query_id, doc_id and grade, separated by tabs. Only there an id may hold spaces.
    """
    labels, pairs = [], DuplicateCheck()
    for number, raw in enumerate(lines, start=1):
        try:
            row = _qrels_fields(raw.removeprefix(b"\xef\xbb\xbf"), is_beir=is_beir)
            if row is None or (is_beir and number == 1 and not row[3].lstrip("-").isdigit()):
                continue
            query_id, assessor, doc_id, digits = row
            grade = required_grade(
                int(digits) if digits.lstrip("-").isdigit() else digits, max_grade
            )
            pairs.add(
                (query_id, doc_id, assessor),
                f"the pair ({query_id}, {doc_id}) of assessor {assessor}",
                f"line {number}",
            )
            labels.append((query_id, doc_id, assessor, grade))
        except SetAside as error:
            problems.append(Problem(file, number, error.message, error.remedy))
    return ReadRows(pl.DataFrame(labels, schema=REFERENCE, orient="row"), problems)


def _qrels_fields(raw: bytes, *, is_beir: bool) -> tuple[str, str, str, str] | None:
    """query_id, assessor, doc_id and grade of a line; None for a blank one."""
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
    return fields[0], fields[1], fields[2], fields[3]


def with_known_pairs(
    rows: ReadRows, query_ids: pl.Series, doc_ids: pl.Series, *, file: str
) -> ReadRows:
    """`rows` without the grades of queries and documents that the corpus does not have.

    Each unknown id is one problem, with its number of grades. After 20, one problem counts the rest.
    """
    problems = list(rows.problems)
    for thing, column, ids in (("query", "query_id", query_ids), ("document", "doc_id", doc_ids)):
        is_unknown = ~pl.col(column).is_in(ids.implode())
        unknown = rows.frame.filter(is_unknown).group_by(column).len().sort(column)
        problems += [
            Problem(
                file,
                None,
                f"{thing} {name!r} has {count} {'grade' if count == 1 else 'grades'} "
                "and is not in the corpus.",
                f"Add the {thing}, or remove its grades.",
            )
            for name, count in unknown.head(_MOST_LISTED).iter_rows()
        ]
        rest = unknown.slice(_MOST_LISTED)
        if not rest.is_empty():
            n_grades = rest["len"].sum()
            message = f"{rest.height} more unknown {column}s have {n_grades} grades."
            problems.append(Problem(file, None, message, ""))
    has_query = pl.col("query_id").is_in(query_ids.implode())
    has_document = pl.col("doc_id").is_in(doc_ids.implode())
    return ReadRows(rows.frame.filter(has_query & has_document), problems)
