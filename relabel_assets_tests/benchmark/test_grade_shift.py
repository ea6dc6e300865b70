"""The test for a shift: its size, its interval, and the queries that it is measured on."""

import polars as pl
import pytest

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.grade_shift import grade_shift
from relabel_assets.benchmark.labelers import DIFFERENCE


def rows(
    value: float | None, low: float | None, high: float | None, slice_name: str = "all"
) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "labeler": ["student", "teacher", DIFFERENCE],
            "metric": "mean_grade",
            "slice": slice_name,
            "value": [0.5, 0.67, value],
            "ci_low": [0.4, 0.6, low],
            "ci_high": [0.6, 0.7, high],
            "n_queries": 40,
        }
    )


@pytest.mark.parametrize(
    ("value", "low", "high", "word"),
    [
        (-0.17, -0.25, -0.09, "lower"),
        (0.17, 0.09, 0.25, "higher"),
        (-0.1, -0.19, -0.01, "lower"),
        (-0.09, -0.1, -0.08, None),  # certain, and too small to matter
        (-0.17, -0.35, 0.0, None),  # the interval holds 0
        (0.17, 0.0, 0.35, None),
        (None, None, None, None),
    ],
)
def test_a_shift_is_a_tenth_of_a_grade_and_certain(
    value: float | None, low: float | None, high: float | None, word: str | None
) -> None:
    found = grade_shift(rows(value, low, high), min_queries=40)
    assert len(found) == (word is not None)
    if word:
        assert f"grades {word} than" in found[0]
        assert "0.50 beside 0.67" in found[0]
        assert "40 queries" in found[0]


def test_an_intent_alone_and_an_empty_benchmark_are_no_shift() -> None:
    assert grade_shift(rows(-0.5, -0.6, -0.4, "intent=keyword"), min_queries=1) == []
    assert grade_shift(rows(-0.5, -0.6, -0.4).clear(), min_queries=1) == []


def test_from_fewer_queries_than_the_gate_needs_nothing_is_shown() -> None:
    assert grade_shift(rows(-0.5, -0.6, -0.4), min_queries=41) == []


def test_a_student_that_gives_one_grade_less_is_found() -> None:
    pairs = {
        "query_id": [f"q{row // 4}" for row in range(80)],
        "doc_id": [f"d{row % 4}" for row in range(80)],
    }
    grades = [row % 4 for row in range(80)]
    lower = [max(0, grade - 1) for grade in grades]
    scores = pl.concat(
        pl.DataFrame(pairs | {"labeler": name, "grade": given, "score": [float(g) for g in given]})
        for name, given in (("teacher", grades), ("student", lower))
    )
    reference = pl.DataFrame(pairs | {"assessor": "a", "grade": grades})
    queries = pl.DataFrame({"query_id": [f"q{n}" for n in range(20)], "intent": "keyword"})
    measured = measure(scores, reference, queries).rows
    (sentence,) = grade_shift(measured, min_queries=20)
    # 0, 1, 2 and 3 have a mean of 1.5; 0, 0, 1 and 2 one of 0.75.
    assert "mean grade 0.75 beside 1.50, -0.75 [-0.75, -0.75] on 20 queries" in sentence
