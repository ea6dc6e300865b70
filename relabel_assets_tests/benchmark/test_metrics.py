"""Metrics worked by hand on three documents, and against other libraries on random input."""

import math

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import cohen_kappa_score, ndcg_score

from relabel_assets.benchmark.bootstrap import METRICS, gate, measure
from relabel_assets.benchmark.cut_points import cut_points, grades_from
from relabel_assets.benchmark.metrics import kappa, ndcg_at_10, pairwise


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
    found = ndcg_at_10(pairs([3, 0, 1], [1.0, 3.0, 2.0]))  # ranked: grades 0, 1, 3
    assert found == pytest.approx((1 / math.log2(3) + 3 / 2) / (3 + 1 / math.log2(3)))


def test_ndcg_breaks_ties_by_document_id_descending() -> None:
    assert ndcg_at_10(pairs([0, 3], [1, 1])) == pytest.approx(1.0)
    assert ndcg_at_10(pairs([3, 0], [1, 1])) == pytest.approx(1 / math.log2(3))


def test_a_query_without_a_relevant_document_does_not_count() -> None:
    assert ndcg_at_10(pairs([0, 0], [1, 2])) is None
    assert ndcg_at_10(pl.concat([pairs([0, 0], [1, 2], "a"), pairs([1, 0], [2, 1], "b")])) == pytest.approx(1.0)


def test_pairwise_by_hand() -> None:
    found = pairwise(pairs([2, 1, 0], [5, 5, 1]))  # (2,1) tied, (2,0) and (1,0) right
    assert found == {
        "pairwise_strict": pytest.approx(2 / 3),
        "pairwise_half": pytest.approx(2.5 / 3),
        "pairwise_untied": 1.0,
    }
    assert set(pairwise(pairs([1, 1], [1, 2])).values()) == {None}


def test_kappa_of_one_class_is_undefined() -> None:
    assert kappa([0, 0], [0, 0]) is None
    assert kappa([0, 3, 1, 2], [0, 3, 1, 2], weights="quadratic") == pytest.approx(1.0)


@settings(max_examples=30, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 10**6)), min_size=2, max_size=10, unique_by=lambda row: row[1])
)
def test_ndcg_is_scikit_learns_where_nothing_is_tied(rows: list[tuple[int, int]]) -> None:
    grades, scores = zip(*rows, strict=True)
    if max(grades) > 0:
        assert ndcg_at_10(pairs(list(grades), list(scores))) == pytest.approx(ndcg_score([grades], [scores], k=10))


def random_labels(seed: int, n_queries: int = 12) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    draw = np.random.default_rng(seed)
    rows = [(f"q{q}", f"d{d}") for q in range(n_queries) for d in range(6)]
    base = pl.DataFrame(rows, schema=["query_id", "doc_id"], orient="row")
    reference = base.with_columns(assessor=pl.lit("0"), grade=pl.Series(draw.integers(0, 4, len(rows))))
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
        {"query_id": [f"q{q}" for q in range(n_queries)], "intent": ["keyword", "question"] * (n_queries // 2)}
    )
    return scores, reference, queries


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_benchmark_is_the_plain_metric_over_all_queries(seed: int) -> None:
    scores, reference, queries = random_labels(seed)
    rows = measure(scores, reference, queries, n_resamples=50).rows
    mine = (
        scores.filter(pl.col("labeler") == "student")
        .drop("labeler")
        .rename({"grade": "given"})
        .join(reference, on=["query_id", "doc_id"])
    )
    expected = {"ndcg@10": ndcg_at_10(mine), **pairwise(mine)}
    expected |= {
        "kappa": cohen_kappa_score(mine["grade"], mine["given"]),
        "kappa_quadratic": cohen_kappa_score(mine["grade"], mine["given"], weights="quadratic"),
    }
    found = rows.filter((pl.col("labeler") == "student") & (pl.col("slice") == "all"))
    assert dict(found.select("metric", "value").iter_rows()) == pytest.approx(expected)


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
    assert [verdict.verdict for verdict in gate(rows, ndcg_margin=0.02, pairwise_margin=0.02)] == ["passed", "passed"]


def test_only_pairs_that_every_labeler_graded_count() -> None:
    scores, reference, queries = random_labels(5)
    found = measure(scores.slice(1), reference, queries, n_resamples=10)
    assert (found.n_pairs, found.n_left_out) == (71, 1)
    empty = measure(scores.clear(), reference, queries)
    assert (empty.rows.height, empty.n_left_out) == (0, 72)
    assert gate(empty.rows, ndcg_margin=0.02, pairwise_margin=0.02) == []


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.floats(-5, 5), st.integers(0, 3)), min_size=1, max_size=60, unique_by=lambda row: row[0]))
def test_cut_points_give_each_grade_as_often_as_the_teacher(rows: list[tuple[float, int]]) -> None:
    values, grades = (np.array(column) for column in zip(*rows, strict=True))
    points = cut_points(values, grades, 4)
    assert points == sorted(points)
    if len(values) > 1 and np.diff(np.sort(values)).min() < 1e-9:
        return  # values that floats cannot part have no point between them
    assert np.bincount(grades_from(values, points), minlength=4).tolist() == np.bincount(grades, minlength=4).tolist()
