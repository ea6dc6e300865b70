"""Grades that a corpus brings: recorded teacher labels as rows of JSON, reference labels as TREC qrels or BEIR tables.

What belongs here: what makes a line a grade, and which grades point at nothing. What does not: what a grade is worth.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import polars as pl

from relabel_assets.corpus.rows import Reading, Seen, SetAside, optional_text, required_grade, required_id, shown
from relabel_assets.errors import Problem

RECORDED = {"query_id": pl.String, "doc_id": pl.String, "grade": pl.Int64, "rationale": pl.String, "model": pl.String}
REFERENCE = {"query_id": pl.String, "doc_id": pl.String, "assessor": pl.String, "grade": pl.Int64}
_LISTED = 20


def recorded_from_rows(
    rows: Iterable[tuple[int, Mapping[str, Any]]], *, file: str, max_grade: int, problems: list[Problem]
) -> Reading:
    """Every recorded grade; the first of two for the same pair stays."""
    found, seen = [], Seen()
    for line, row in rows:
        try:
            query_id, doc_id = required_id(row, "query_id"), required_id(row, "doc_id")
            grade = required_grade(row.get("grade"), max_grade)
            label = (query_id, doc_id, grade, optional_text(row, "rationale"), optional_text(row, "model"))
            seen.add((query_id, doc_id), f"the pair ({query_id}, {doc_id})", f"line {line}")
            found.append(label)
        except SetAside as error:
            problems.append(Problem(file, line, error.message, error.remedy))
    return Reading(pl.DataFrame(found, schema=RECORDED, orient="row"), problems)


def reference_from_qrels(
    lines: Iterable[bytes], *, file: str, max_grade: int, problems: list[Problem], is_beir: bool = False
) -> Reading:
    """Every reference grade of a TREC qrels file (query_id iteration doc_id grade), or of BEIR's (query_id doc_id grade).

    The iteration column is the assessor. BEIR files start with a header. A document id may hold spaces only in BEIR's,
    where tabs separate.
    """
    found, seen = [], Seen()
    for number, raw in enumerate(lines, start=1):
        try:
            row = _qrels_fields(raw.removeprefix(b"\xef\xbb\xbf"), is_beir=is_beir)
            if row is None or (is_beir and number == 1 and not row[3].lstrip("-").isdigit()):
                continue
            query_id, assessor, doc_id, written = row
            grade = required_grade(int(written) if written.lstrip("-").isdigit() else written, max_grade)
            seen.add(
                (query_id, doc_id, assessor),
                f"the pair ({query_id}, {doc_id}) of assessor {assessor}",
                f"line {number}",
            )
            found.append((query_id, doc_id, assessor, grade))
        except SetAside as error:
            problems.append(Problem(file, number, error.message, error.remedy))
    return Reading(pl.DataFrame(found, schema=REFERENCE, orient="row"), problems)


def _qrels_fields(raw: bytes, *, is_beir: bool) -> tuple[str, str, str, str] | None:
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
        form = "query_id, doc_id and grade, separated by tabs" if is_beir else "query_id, iteration, doc_id and grade"
        raise SetAside(f"{shown(line)} has {len(fields)} fields", f"A line holds {form}.")
    return fields[0], fields[1], fields[2], fields[3]


def with_known_pairs(reading: Reading, query_ids: pl.Series, doc_ids: pl.Series, *, file: str) -> Reading:
    """`reading` without the grades whose query or document is not there; noted by query or document, with counts."""
    notes = []
    for column, known in (("query_id", query_ids), ("doc_id", doc_ids)):
        unknown = reading.frame.filter(~pl.col(column).is_in(known.implode())).group_by(column).len().sort(column)
        thing = {"query_id": "query", "doc_id": "document"}[column]
        notes += [
            Problem(
                file,
                None,
                f"{count} grades are of {thing} {name!r}, which is not in the corpus.",
                f"Add the {thing}, or take them out.",
            )
            for name, count in unknown.head(_LISTED).iter_rows()
        ]
        if unknown.height > _LISTED:
            rest = unknown.slice(_LISTED)
            notes.append(
                Problem(file, None, f"{rest['len'].sum()} grades are of {rest.height} further unknown {column}s.", "")
            )
    is_known = pl.col("query_id").is_in(query_ids.implode()) & pl.col("doc_id").is_in(doc_ids.implode())
    return Reading(reading.frame.filter(is_known), reading.problems + notes)
