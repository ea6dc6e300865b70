"""Recorded grades and reference grades, line by line; grades of unknown queries and documents."""

import polars as pl
import pytest

from relabel_assets.corpus.grades.grades import (
    RECORDED,
    recorded_from_rows,
    reference_from_qrels,
    with_known_pairs,
)
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.errors import Problem


def qrels(text: str, *, is_beir: bool = False) -> ReadRows:
    lines = enumerate(text.encode().splitlines(keepends=True), start=1)
    return reference_from_qrels(lines, file="f", max_grade=3, problems=[], is_beir=is_beir)


def test_the_second_column_of_trec_qrels_is_the_assessor() -> None:
    assert qrels("q1 ana d1 3\nq1\tbo   d1 2\n").frame.rows() == [
        ("q1", "d1", "ana", 3),
        ("q1", "d1", "bo", 2),
    ]


def test_trec_qrels_have_four_columns() -> None:
    """Three columns are BEIR's form: read as TREC, the document would be the assessor."""
    labels = qrels("q1 d1 2\n")
    assert labels.frame.is_empty()
    assert "has 3 fields" in labels.problems[0].message
    assert "iteration" in labels.problems[0].remedy


def test_beir_qrels_have_three_columns_or_four_and_a_header() -> None:
    assert qrels("query-id\tcorpus-id\tscore\nq1\td 1\t2\n", is_beir=True).frame.rows() == [
        ("q1", "d 1", "0", 2)
    ]
    assert qrels("q1\tana\td1\t2\n", is_beir=True).frame.rows() == [("q1", "d1", "ana", 2)]


@pytest.mark.parametrize("line", ["\td1\t2", "q1\t\t2", "q1\td1\t"])
def test_an_empty_field_of_a_beir_line_is_a_problem(line: str) -> None:
    labels = qrels(f"q0\td0\t1\n{line}\n", is_beir=True)
    assert labels.frame.height == 1
    assert [problem.line for problem in labels.problems] == [2]


def test_a_header_is_skipped_in_the_first_line_only() -> None:
    labels = qrels("q1\td1\t1\nquery-id\tcorpus-id\tscore\n", is_beir=True)
    assert labels.frame.height == 1
    assert [problem.line for problem in labels.problems] == [2]
    trec = qrels("query iteration doc grade\n")
    assert "grade is 'grade'" in trec.problems[0].message


@pytest.mark.parametrize(
    "line", ["q1 0 d1", "q1 0 d1 2 x", "q1 0 d1 4", "q1 0 d1 -1", "q1 0 d1 1.5", "q1 0 d1 x"]
)
def test_a_malformed_line_is_a_problem(line: str) -> None:
    labels = qrels(f"q0 0 d0 1\n{line}\n")
    assert labels.frame.height == 1
    assert [problem.line for problem in labels.problems] == [2]


def test_one_assessor_grades_a_pair_once_and_two_may_grade_it() -> None:
    labels = qrels("q1 ana d1 3\nq1 ana d1 1\nq1 bo d1 1\n")
    assert labels.frame["grade"].to_list() == [3, 1]
    assert "of assessor ana came before, in line 1" in labels.problems[0].message


def test_recorded_grades_may_bring_a_rationale_and_a_model() -> None:
    problems: list[Problem] = []
    rows = [
        (1, {"query_id": "q1", "doc_id": 7, "grade": 2, "rationale": "why", "model": "gpt-4o"}),
        (2, {"query_id": "q1", "doc_id": "7", "grade": 3}),
        (3, {"query_id": "q2", "doc_id": "7", "grade": 0, "rationale": ""}),
    ]
    labels = recorded_from_rows(rows, file="f", max_grade=3, problems=problems)
    assert labels.frame.rows() == [("q1", "7", 2, "why", "gpt-4o"), ("q2", "7", 0, None, None)]
    assert [problem.line for problem in problems] == [2]


def recorded(*pairs: tuple[str, str]) -> ReadRows:
    rows = [(query, document, 1, None, None) for query, document in pairs]
    return ReadRows(pl.DataFrame(rows, schema=RECORDED, orient="row"))


def with_one_known_pair(labels: ReadRows) -> ReadRows:
    return with_known_pairs(labels, pl.Series(["q1"]), pl.Series(["d1"]), file="f")


def test_grades_of_unknown_queries_and_documents_are_left_out_and_counted() -> None:
    labels = with_one_known_pair(
        recorded(("q1", "d1"), ("q1", "gone"), ("lost", "d1"), ("lost", "d2"), ("lost", "gone"))
    )
    assert labels.frame.select("query_id", "doc_id").rows() == [("q1", "d1")]
    assert [problem.message for problem in labels.problems] == [
        "query 'lost' has 3 grades and is not in the corpus.",
        "document 'd2' has 1 grade and is not in the corpus.",
        "document 'gone' has 2 grades and is not in the corpus.",
    ]


@pytest.mark.parametrize(("n_unknown", "n_problems"), [(19, 19), (20, 20), (21, 21), (30, 21)])
def test_after_twenty_unknown_ids_the_rest_is_one_problem(n_unknown: int, n_problems: int) -> None:
    labels = with_one_known_pair(
        recorded(*(("q1", f"gone{number:02}") for number in range(n_unknown)))
    )
    assert len(labels.problems) == n_problems
    if n_unknown > 20:
        remainder = f"{n_unknown - 20} more unknown doc_ids have {n_unknown - 20} grades."
        assert labels.problems[-1].message == remainder


def test_problems_of_reading_are_kept() -> None:
    reading_problem = Problem("f", 3, "not JSON", "")
    labels = recorded(("q1", "gone"))
    labels.problems.append(reading_problem)
    assert with_one_known_pair(labels).problems[0] == reading_problem


def test_a_document_written_with_its_ending_is_the_document_and_a_near_id_is_named() -> None:
    labels = recorded(("q1", "hr/leave.md"), ("q1", "hr/leave"), ("q1", "hr/leve"))
    known = with_known_pairs(labels, pl.Series(["q1"]), pl.Series(["hr/leave"]), file="f")
    assert known.frame.select("query_id", "doc_id").rows() == [("q1", "hr/leave")]
    twice, unknown = known.problems
    assert twice.message.startswith("1 grade of a pair that is graded before")
    assert unknown.remedy == "Did you mean 'hr/leave'? Add the document, or remove its grades."


def test_an_id_that_is_known_with_its_ending_means_itself() -> None:
    labels = recorded(("q1", "leave.pdf"), ("q1", "leave"))
    known = with_known_pairs(labels, pl.Series(["q1"]), pl.Series(["leave", "leave.pdf"]), file="f")
    assert known.frame["doc_id"].to_list() == ["leave.pdf", "leave"]
    assert known.problems == []
