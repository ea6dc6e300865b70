"""People's reviews as reference grades: which count, and with which chance."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.grades.grades import joint_kind
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.review.draws.draw import draw_sample
from relabel_assets.review.people_grades import joined_grades, people_grades
from relabel_assets.review.review import Review, content_hash
from relabel_assets.review.samples import read_samples
from relabel_assets.review.store import append_reviews
from relabel_assets_tests.review.pools import make_pool

QUERIES = pl.DataFrame({"query_id": ["q0"], "text": ["leave"]})
DOCUMENTS = pl.DataFrame(
    {"doc_id": ["d0", "d1"], "title": ["Leave"] * 2, "body": ["Ask.", "Wait."]}
)
AT = datetime(2026, 5, 4, 10, tzinfo=UTC)


def texts(column: str, ids: pl.Series) -> pl.DataFrame:
    table = QUERIES if column == "query_id" else DOCUMENTS
    return table.filter(pl.col(column).is_in(ids.implode()))


def seen(doc_id: str) -> str:
    row = DOCUMENTS.filter(pl.col("doc_id") == doc_id).row(0, named=True)
    return content_hash("leave", row)


def review(doc_id: str, grade: int | None, **fields: object) -> Review:
    action = "skip" if grade is None else "grade"
    values = {"query_id": "q0", "assessor": "ana", "content_hash": seen("d0")} | fields
    return Review(action, doc_id=doc_id, reviewed_at=AT, grade=grade, **values)  # type: ignore[arg-type]


def grades_of(folder: Path, *reviews: Review) -> ReadRows:
    append_reviews(folder, "ana", reviews)
    ids = {"query_ids": QUERIES["query_id"], "doc_ids": DOCUMENTS["doc_id"]}
    return people_grades(folder, max_grade=3, texts=texts, **ids)


def test_a_grade_has_its_assessor_time_kind_and_the_chance_of_its_pair(tmp_path: Path):
    draw_sample(tmp_path, make_pool({"student 0": 8}), n=4)
    drawn = read_samples(tmp_path)
    is_drawn = not drawn.filter(
        (pl.col("query_id") == "q0") & (pl.col("doc_id") == "d0")
    ).is_empty()
    found = grades_of(tmp_path, review("d0", 2), review("d1", 1, content_hash=seen("d1")))
    chances = found.frame["inclusion_prob"].to_list()
    assert found.frame.drop("inclusion_prob").rows() == [
        ("q0", "d0", "ana", 2, "human", AT),
        ("q0", "d1", "ana", 1, "human", AT),
    ]
    assert chances[0] == (0.5 if is_drawn else None)
    assert sorted(filter(None, chances)) == [0.5] * len(
        drawn.filter(pl.col("doc_id").is_in(["d0", "d1"]))
    )


def test_a_skipped_pair_and_one_taken_back_have_no_grade(tmp_path: Path):
    taken_back = Review("undo", "q0", "d1", "ana", AT)
    found = grades_of(
        tmp_path, review("d0", None), review("d1", 1, content_hash=seen("d1")), taken_back
    )
    assert (found.frame.height, found.problems) == (0, [])


def test_a_review_of_an_earlier_text_is_set_aside_and_one_of_an_unknown_text_counts(tmp_path: Path):
    found = grades_of(
        tmp_path, review("d0", 2, content_hash="0" * 64), review("d1", 1, content_hash=None)
    )
    assert found.frame["doc_id"].to_list() == ["d1"]
    (problem,) = found.problems
    assert problem.file == "reviews/ana.jsonl"
    assert "document 'd0' for query 'q0' is of an earlier text" in problem.message


def test_a_grade_outside_the_rubric_and_an_unknown_document_cost_themselves(tmp_path: Path):
    found = grades_of(tmp_path, review("d0", 7), review("gone", 1), review("d0", 2))
    assert found.frame["grade"].to_list() == [2]
    assert [str(problem) for problem in found.problems] == [
        "reviews/ana.jsonl:1: grade is 7. Grades of the rubric: 0 to 3, as a whole number.",
        "reviews: document 'gone' has 1 grade and is not in the corpus. "
        "Add the document, or remove its grades.",
    ]


def test_a_damaged_sample_costs_the_chances_and_no_grade(tmp_path: Path):
    (tmp_path / "samples").mkdir()
    (tmp_path / "samples" / "0001.jsonl").write_text("{")
    found = grades_of(tmp_path, review("d0", 2))
    assert found.frame.select("grade", "inclusion_prob").row(0) == (2, None)
    assert "samples/0001.jsonl" in str(found.problems[0])


def test_of_a_review_and_a_qrels_grade_of_the_same_assessor_the_review_counts(tmp_path: Path):
    people = grades_of(tmp_path, review("d0", 2))
    rows = {"query_id": ["q0"] * 2, "doc_id": ["d0"] * 2, "assessor": ["ana", "0"], "grade": [0, 1]}
    joined = joined_grades(people, ReadRows(pl.DataFrame(rows)), kind="adjudicated")
    assert joined.frame.select("assessor", "grade", "kind").rows() == [
        ("0", 1, "adjudicated"),
        ("ana", 2, "human"),
    ]
    assert "1 grade " in joined.problems[0].message


@pytest.mark.parametrize(
    ("kinds", "kind"),
    [
        (["human"], "human"),
        (["human", "adjudicated"], "adjudicated"),
        (["human", "not stated"], "not stated"),
        ([], "adjudicated"),
    ],
)
def test_a_report_claims_no_more_of_its_reference_than_all_grades_allow(
    kinds: list[str], kind: str
):
    assert joint_kind(kinds, stated="adjudicated") == kind
