"""Metrics worked by hand on three documents, and against other libraries on random input."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, ndcg_score

from relabel_assets.benchmark.bootstrap import METRICS, measure, median_grades
from relabel_assets.benchmark.metrics import kappa, ndcg_at_10, pairwise
from relabel_assets.benchmark.resampling import resamples


def pairs(grades: list[int], scores: list[float], query: str = "q") -> pl.DataFrame:
    return pl.DataFrame(
        {
            "query_id": [query] * len(grades),
            "doc_id": [f"d{n}" for n in range(len(grades))],
            "grade": grades,
            "score": [float(s) for s in scores],
        }
    )


def test_ndcg_by_hand() -> None:
    value = ndcg_at_10(pairs([3, 0, 1], [1.0, 3.0, 2.0]))  # ranked: grades 0, 1, 3
    assert value == pytest.approx((1 / math.log2(3) + 3 / 2) / (3 + 1 / math.log2(3)))


def test_ndcg_breaks_ties_by_document_id_descending() -> None:
    assert ndcg_at_10(pairs([0, 3], [1, 1])) == pytest.approx(1.0)
    assert ndcg_at_10(pairs([3, 0], [1, 1])) == pytest.approx(1 / math.log2(3))


def test_a_query_without_a_relevant_document_does_not_count() -> None:
    assert ndcg_at_10(pairs([0, 0], [1, 2])) is None
    assert ndcg_at_10(
        pl.concat([pairs([0, 0], [1, 2], "a"), pairs([1, 0], [2, 1], "b")])
    ) == pytest.approx(1.0)


def test_ties_are_broken_by_document_id_for_every_tied_group() -> None:
    # Scores 2, 1, 1, 1: d0 first, then the tied d3, d2, d1. Grades in that order: 0, 3, 0, 1.
    value = ndcg_at_10(pairs([0, 1, 0, 3], [2, 1, 1, 1]))
    assert value == pytest.approx((3 / math.log2(3) + 1 / math.log2(5)) / (3 + 1 / math.log2(3)))


def test_only_the_top_ten_documents_count() -> None:
    worst_is_relevant = pairs([0] * 10 + [3], list(range(11, 0, -1)))
    assert ndcg_at_10(worst_is_relevant) == 0.0


@pytest.mark.parametrize(
    ("scores", "strict", "half", "untied"),
    [
        ([3, 2, 1], 1.0, 1.0, 1.0),  # all three pairs right
        ([1, 2, 3], 0.0, 0.0, 0.0),  # all three wrong
        ([5, 5, 1], 2 / 3, 2.5 / 3, 1.0),  # (2, 1) tied, the others right
        ([5, 1, 5], 1 / 3, 1.5 / 3, 0.5),  # (2, 0) tied, (2, 1) right, (1, 0) wrong
        ([1, 1, 1], 0.0, 0.5, None),  # all tied: no pair is left
    ],
)
def test_pairwise_by_hand(
    scores: list[float], strict: float, half: float, untied: float | None
) -> None:
    assert pairwise(pairs([2, 1, 0], scores)) == {
        "pairwise_strict": pytest.approx(strict),
        "pairwise_half": pytest.approx(half),
        "pairwise_untied": untied if untied is None else pytest.approx(untied),
    }


def test_pairs_of_equal_grade_or_of_different_queries_do_not_count() -> None:
    assert set(pairwise(pairs([1, 1], [1, 2])).values()) == {None}
    two_queries = pl.concat([pairs([3], [1], "a"), pairs([0], [2], "b")])
    assert set(pairwise(two_queries).values()) == {None}
    assert set(pairwise(pairs([], [])).values()) == {None}


def test_pairwise_pools_the_pairs_of_all_queries() -> None:
    # Three pairs, all right, and one pair that is wrong: 3 / 4, not the mean of 1 and 0.
    two_queries = pl.concat([pairs([2, 1, 0], [3, 2, 1], "a"), pairs([1, 0], [1, 2], "b")])
    assert pairwise(two_queries)["pairwise_half"] == pytest.approx(3 / 4)


def test_kappa_by_hand() -> None:
    # Agreement 3 of 4; by chance 2/4 * 3/4 + 2/4 * 1/4 = 1/2.
    assert kappa([0, 0, 1, 1], [0, 0, 0, 1]) == pytest.approx((3 / 4 - 1 / 2) / (1 - 1 / 2))


@pytest.mark.parametrize("weights", [None, "quadratic"])
def test_kappa_is_undefined_without_pairs_or_with_one_grade_on_both_sides(
    weights: str | None,
) -> None:
    assert kappa([], [], weights) is None
    assert kappa([2, 2], [2, 2], weights) is None
    assert kappa([2, 2], [2, 1], weights) == 0.0
    assert kappa([0, 3, 1, 2], [0, 3, 1, 2], weights) == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(
        st.tuples(st.integers(0, 3), st.integers(0, 10**6)),
        min_size=2,
        max_size=10,
        unique_by=lambda row: row[1],
    )
)
def test_ndcg_equals_scikit_learns_without_ties(rows: list[tuple[int, int]]) -> None:
    grades, scores = zip(*rows, strict=True)
    if max(grades) > 0:
        assert ndcg_at_10(pairs(list(grades), list(scores))) == pytest.approx(
            ndcg_score([grades], [scores], k=10)
        )


def random_labels(
    seed: int, n_queries: int = 12
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    draw = np.random.default_rng(seed)
    rows = [(f"q{q}", f"d{d}") for q in range(n_queries) for d in range(6)]
    base = pl.DataFrame(rows, schema=["query_id", "doc_id"], orient="row")
    reference = base.with_columns(
        assessor=pl.lit("0"), grade=pl.Series(draw.integers(0, 4, len(rows)))
    )
    scores = pl.concat(
        base.select(
            pl.lit(name).alias("labeler"),
            pl.all(),
            score=pl.Series(draw.random(len(rows)).round(1)),
            grade=pl.Series(draw.integers(0, 4, len(rows))),
        )
        for name in ("teacher", "student")
    )
    queries = pl.DataFrame(
        {
            "query_id": [f"q{q}" for q in range(n_queries)],
            "intent": ["keyword", "question"] * (n_queries // 2),
        }
    )
    return scores, reference, queries


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_benchmark_equals_the_plain_metrics_over_all_queries(seed: int) -> None:
    scores, reference, queries = random_labels(seed)
    rows = measure(scores, reference, queries, n_resamples=50).rows
    student = (
        scores.filter(pl.col("labeler") == "student")
        .drop("labeler")
        .rename({"grade": "student_grade"})
        .join(reference, on=["query_id", "doc_id"])
    )
    expected = {"ndcg@10": ndcg_at_10(student), **pairwise(student)}
    expected |= {
        "kappa": cohen_kappa_score(student["grade"], student["student_grade"]),
        "kappa_quadratic": cohen_kappa_score(
            student["grade"], student["student_grade"], weights="quadratic"
        ),
        "mean_grade": student["student_grade"].mean(),
    }
    of_student = rows.filter((pl.col("labeler") == "student") & (pl.col("slice") == "all"))
    assert dict(of_student.select("metric", "value").iter_rows()) == pytest.approx(expected)


def test_intervals_hold_the_value_and_the_difference_is_paired() -> None:
    scores, reference, queries = random_labels(4)
    same = pl.concat(
        [
            scores.filter(pl.col("labeler") == "teacher"),
            scores.filter(pl.col("labeler") == "teacher").with_columns(labeler=pl.lit("student")),
        ]
    )
    rows = measure(same, reference, queries, n_resamples=200).rows
    difference = rows.filter(pl.col("labeler") == "student-teacher")
    assert (
        difference["value"].to_list()
        == difference["ci_low"].to_list()
        == difference["ci_high"].to_list()
        == [0.0] * (3 * len(METRICS))
    )
    assert (
        rows.filter((pl.col("ci_low") > pl.col("value")) | (pl.col("ci_high") < pl.col("value")))
        .filter(pl.col("slice") == "all")
        .is_empty()
    )


def test_a_constant_difference_has_no_interval_because_resamples_are_paired() -> None:
    """The teacher is right on every query, the student wrong: each resample differs by 1."""
    n = 12
    rows = [(f"q{query}", document) for query in range(n) for document in ("d0", "d1")]
    base = pl.DataFrame(rows, schema=["query_id", "doc_id"], orient="row")
    reference = base.with_columns(assessor=pl.lit("a"), grade=pl.Series([0, 1] * n))
    scores = pl.concat(
        base.select(
            pl.lit(labeler).alias("labeler"),
            pl.all(),
            score=pl.Series(order * n, dtype=pl.Float64),
            grade=pl.Series(order * n),
        )
        for labeler, order in (("teacher", [0, 1]), ("student", [1, 0]))
    )
    queries = pl.DataFrame({"query_id": [f"q{query}" for query in range(n)], "intent": None})
    rows_of_all = measure(scores, reference, queries, n_resamples=100).rows
    difference = rows_of_all.filter(labeler="student-teacher", metric="pairwise_half")
    assert difference.select("value", "ci_low", "ci_high").row(0) == (-1.0, -1.0, -1.0)


def test_a_paired_interval_is_narrower_than_one_of_either_labeler() -> None:
    """The student orders as its teacher does: each resample draws the same queries for both."""
    scores, reference, queries = random_labels(6, n_queries=40)
    teacher = scores.filter(labeler="teacher")
    student = teacher.with_columns(labeler=pl.lit("student"), score=pl.col("score") ** 2)
    rows = measure(pl.concat([teacher, student]), reference, queries, n_resamples=200).rows
    of_all = rows.filter(metric="ndcg@10", slice="all").with_columns(
        width=pl.col("ci_high") - pl.col("ci_low")
    )
    widths = dict(of_all.select("labeler", "width").iter_rows())
    assert widths["student-teacher"] == 0.0 < widths["teacher"]


def test_resamples_have_the_number_of_queries_and_begin_with_the_data() -> None:
    drawn = resamples(5, 20, seed=13)
    assert drawn.shape == (21, 5)
    assert drawn[0].tolist() == [1] * 5
    assert drawn.sum(axis=1).tolist() == [5] * 21
    assert np.array_equal(drawn, resamples(5, 20, seed=13))
    assert not np.array_equal(drawn, resamples(5, 20, seed=14))


@pytest.mark.parametrize(
    ("grades", "median"), [([2], 2), ([2, 3], 2), ([1, 2, 2], 2), ([0, 3], 1), ([0, 3, 3], 3)]
)
def test_grades_of_several_assessors_become_their_median_rounded_down(
    grades: list[int], median: int
) -> None:
    assessed = pl.DataFrame({"query_id": "q", "doc_id": "d", "grade": grades})
    assert median_grades(assessed).rows() == [("q", "d", median)]


def test_a_query_counts_in_a_metric_only_if_the_metric_is_defined_for_it() -> None:
    """q0 has no grade above 0, so no NDCG. q1 has one grade only, so no pair differs."""
    reference = pl.DataFrame(
        {
            "query_id": ["q0", "q0", "q1", "q1"],
            "doc_id": ["d0", "d1"] * 2,
            "assessor": "a",
            "grade": [0, 0, 2, 2],
        }
    )
    scores = reference.select(
        "query_id", "doc_id", "grade", labeler=pl.lit("bm25"), score=pl.lit(1.0)
    )
    rows = measure(scores, reference, pl.DataFrame({"query_id": ["q0", "q1"], "intent": None})).rows
    counts = {
        metric: (n_queries, n_pairs)
        for metric, n_queries, n_pairs in rows.select("metric", "n_queries", "n_pairs").iter_rows()
    }
    assert counts["ndcg@10"] == (1, 2)
    assert counts["pairwise_half"] == (0, 0)
    assert counts["kappa"] == (2, 4)


def test_only_pairs_that_every_labeler_graded_count() -> None:
    scores, reference, queries = random_labels(5)
    measured = measure(scores.slice(1), reference, queries, n_resamples=10)
    assert (measured.n_pairs, measured.n_left_out) == (71, 1)
    empty = measure(scores.clear(), reference, queries)
    assert (empty.rows.height, empty.n_left_out) == (0, 72)
