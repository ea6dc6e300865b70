"""The test for a shift: its size, its interval, and the queries that it is measured on."""

import polars as pl
import pytest

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.gates.grade_shift import bulk_means, bulk_shift, grade_shift
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


# New queries that nobody graded


def bulk(mean: float, n_queries: int = 40, *, pairs: int = 1, spread: float = 0.1) -> pl.DataFrame:
    """Queries whose mean expected grades are `mean`, half of them `spread` above and half below."""
    values = [mean + spread * (-1) ** (n // pairs) for n in range(n_queries * pairs)]
    queries = [f"q{n // pairs}" for n in range(n_queries * pairs)]
    return pl.DataFrame({"query_id": queries, "expected_grade": values})


@pytest.mark.parametrize(
    ("mean", "is_shifted"), [(0.29, True), (0.71, True), (0.35, False), (0.65, False)]
)
def test_a_bulk_is_shifted_by_a_fifth_of_a_grade(mean: float, is_shifted: bool) -> None:
    found = bulk_shift(bulk(mean), bulk(0.5), min_queries=40)
    assert len(found) == is_shifted
    sentence = bulk_means(bulk(mean), bulk(0.5))  # said in either case
    assert f"{mean:.2f} of 40 queries that taught it nothing, and 0.50 of the 40" in sentence
    assert f"{mean - 0.5:+.2f} [" in sentence
    if is_shifted:
        assert found[0].startswith(sentence)


def test_a_shift_of_a_bulk_is_certain_over_queries_and_not_over_pairs() -> None:
    # 16 queries that differ by 1 from each other: a difference of .3 may be chance, however many pairs.
    unsure = {"n_queries": 16, "pairs": 100, "spread": 0.5}
    assert bulk_shift(bulk(0.2, **unsure), bulk(0.5, **unsure), min_queries=2) == []
    assert bulk_shift(bulk(0.2, 16), bulk(0.5, 16), min_queries=2) != []


def test_a_bulk_of_few_queries_shows_nothing() -> None:
    assert bulk_shift(bulk(0.1, 39), bulk(0.5), min_queries=40) == []
    assert bulk_shift(bulk(0.1), bulk(0.5, 39), min_queries=40) == []
    assert bulk_shift(bulk(0.1, 1), bulk(0.5), min_queries=1) == []
    assert bulk_means(bulk(0.1).clear(), bulk(0.5)) == ""
