"""The files of samples, the pool, and one draw of a corpus."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.errors import CorpusError
from relabel_assets.review.draws.draw import draw_sample
from relabel_assets.review.draws.strata import pool_of, strata_of
from relabel_assets.review.samples import FRAME, last_draw, read_frame, read_samples, write_frame
from relabel_assets_tests.review.pools import make_pool

POOL = make_pool({"student 0": 40, "student 2": 8})


def test_what_was_drawn_is_read_back_with_its_chance_and_the_size_of_its_stratum(tmp_path: Path):
    draw = draw_sample(tmp_path, POOL, n=12)
    samples = read_samples(tmp_path)
    assert samples.height == draw.n_drawn == 12
    assert (samples["inclusion_prob"] == samples["n_drawn"] / samples["n_stratum"]).all()
    assert set(samples["n_stratum"]) == {40, 8}
    assert samples["why"].str.contains("such pairs are drawn").all()
    assert samples["drawn_at"].dtype == pl.Datetime("us", "UTC")


def test_the_last_draw_holds_and_the_same_size_again_writes_nothing(tmp_path: Path):
    draw_sample(tmp_path, POOL, n=12)
    again = draw_sample(tmp_path, POOL, n=12)
    assert (again.file, again.n_new, last_draw(tmp_path)) == (None, 0, 1)
    more = draw_sample(tmp_path, POOL, n=12, more=5)
    assert (more.n_new, more.n_drawn, last_draw(tmp_path)) == (5, 17, 2)
    assert read_samples(tmp_path).height == 17


def test_pairs_that_joined_the_pool_are_drawn_from_and_pairs_that_left_it_are_gone(tmp_path: Path):
    draw_sample(tmp_path, POOL, n=12)
    gone = read_samples(tmp_path)["doc_id"][0]
    later = pl.concat(
        [POOL.filter(pl.col("doc_id") != gone), make_pool({"student 3": 6}, first=48)]
    )
    draw = draw_sample(tmp_path, later, n=12)
    assert (draw.n_joined, draw.n_left) == (6, 1)
    assert gone not in read_frame(tmp_path)["doc_id"].to_list()
    joined = read_samples(tmp_path).filter(pl.col("stratum").str.contains("joined in draw 2"))
    assert joined.height >= 2


def test_a_sample_of_pairs_and_one_of_queries_cannot_be_joined(tmp_path: Path):
    draw_sample(tmp_path, POOL, n=12)
    with pytest.raises(CorpusError, match=r"was drawn by pair.*Leave --by out"):
        draw_sample(tmp_path, POOL, n=12, by="query")


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("{", r"0001.jsonl:2: not JSON"),
        (json.dumps({"query_id": "q9", "doc_id": "d", "stratum": "s"}), "a chance is None"),
        (
            json.dumps({"query_id": "q9", "doc_id": "d", "stratum": "s", "inclusion_prob": 0}),
            "a chance is 0. It is above 0",
        ),
        (
            json.dumps({"query_id": "q9", "doc_id": "d", "inclusion_prob": 1}),
            "stratum is missing",
        ),
    ],
)
def test_a_damaged_sample_is_refused_with_its_line(tmp_path: Path, line: str, reason: str):
    """Without a line, the chances of the others would be wrong, and nobody would see it."""
    path = write_frame(tmp_path, draw_frame(tmp_path))
    lines = path.read_text().splitlines()
    path.write_text("\n".join([lines[0], line, *lines[2:]]) + "\n")
    with pytest.raises(CorpusError, match=reason) as error:
        read_samples(tmp_path)
    assert "draw again" in str(error.value)


def draw_frame(folder: Path) -> pl.DataFrame:
    draw_sample(folder / "other", POOL, n=12)
    return read_frame(folder / "other")


def test_a_file_of_drawn_pairs_alone_is_a_sample_too(tmp_path: Path):
    (tmp_path / "samples").mkdir()
    row = {"query_id": "q1", "doc_id": "d1", "stratum": "all", "inclusion_prob": 0.25, "why": "x"}
    row["drawn_at"] = "2026-05-04T10:00:00Z"
    (tmp_path / "samples" / "0001.jsonl").write_text(json.dumps(row) + "\n")
    assert read_samples(tmp_path).select("inclusion_prob", "query_prob").row(0) == (0.25, 1.0)


# The pool


def pairs(*grades: tuple[str, int, list[float], int | None]) -> tuple[pl.DataFrame, ...]:
    rows = [
        {
            "query_id": "q1",
            "doc_id": doc_id,
            "grade": grade,
            "expected_grade": sum(i * p for i, p in enumerate(probs)),
            "grade_probs": probs,
            "teacher": teacher,
        }
        for doc_id, grade, probs, teacher in grades
    ]
    frame = pl.DataFrame(rows, schema_overrides={"teacher": pl.Int64})
    teacher = frame.select("query_id", "doc_id", grade="teacher")
    return frame.select("query_id", "doc_id"), frame.drop("teacher"), teacher


def test_a_stratum_says_grade_disagreement_place_and_doubt():
    sure, unsure = [0.0, 0.1, 0.9], [0.4, 0.2, 0.4]
    candidates, student, teacher = pairs(
        ("a", 2, sure, 2), ("b", 2, sure, 0), ("c", 2, unsure, None), ("d", 0, [0.5, 0.5, 0.0], 0)
    )
    pool = pool_of(candidates, student, teacher)
    assert strata_of(pool, n=100).to_list() == [
        "student 2, top 10",
        "student 2, teacher apart, top 10",
        "student 2, top 10, unsure",  # a teacher without a grade is not apart
        "student 0, top 10",  # half is not below half
    ]


def test_the_top_10_are_those_of_ndcg_and_count_twice_as_much():
    rows = [(f"d{i:02}", 0, [0.5, 0.5], 0) for i in range(12)]
    pool = pool_of(*pairs(*rows))
    assert pool.filter(~pl.col("is_top"))["doc_id"].to_list() == [
        "d00",
        "d01",
    ]  # ties: by id, descending
    assert pool.group_by("is_top").agg(pl.col("need").first()).sort("is_top")["need"].to_list() == [
        0.5,
        1.0,
    ]


def test_a_candidate_without_a_students_grade_is_in_the_pool():
    candidates, student, teacher = pairs(("a", 1, [0.0, 1.0], 1), ("b", 1, [0.0, 1.0], 1))
    pool = pool_of(candidates, student.head(1), teacher.head(1))
    assert strata_of(pool, n=100).to_list() == ["student 1, top 10", "student none"]
    assert pool["need"].to_list() == [0.6, 0.5]  # the least spread, twice; that of an even bet


def test_the_columns_of_an_empty_frame_are_those_of_a_draw(tmp_path: Path):
    assert read_frame(tmp_path).schema == pl.Schema(FRAME)
    draw_sample(tmp_path, POOL, n=12)
    assert read_frame(tmp_path).schema == pl.Schema(FRAME)


def test_a_folder_of_samples_that_leads_out_of_the_corpus_is_refused(tmp_path: Path):
    reviews, elsewhere = tmp_path / "corpus" / "reviews", tmp_path / "elsewhere"
    reviews.mkdir(parents=True)
    elsewhere.mkdir()
    (reviews / "samples").symlink_to(elsewhere)
    with pytest.raises(CorpusError, match="a link out of the corpus"):
        draw_sample(reviews, POOL, n=12)
    assert list(elsewhere.iterdir()) == []
