"""The gate's outcomes: passed, failed and inconclusive, each by hand."""

import polars as pl
import pytest

from relabel_assets.benchmark.bootstrap import DIFFERENCE, GateResult, gate


def difference(low: float | None, high: float | None, metric: str = "ndcg@10") -> dict[str, object]:
    value = None if low is None or high is None else (low + high) / 2
    return {
        "labeler": DIFFERENCE, "metric": metric, "slice": "all", "value": value,
        "ci_low": low, "ci_high": high, "n_queries": 40,
    }  # fmt: skip


def results(
    *rows: dict[str, object], ndcg: float = 0.02, pairwise: float = 0.02
) -> list[GateResult]:
    schema = {"value": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64}
    frame = pl.DataFrame(list(rows), schema_overrides=schema)
    return gate(frame, ndcg_margin=ndcg, pairwise_margin=pairwise)


@pytest.mark.parametrize(
    ("low", "high", "outcome"),
    [
        (0.01, 0.03, "passed"),  # better than the teacher
        (-0.019, 0.0, "passed"),  # at most the margin worse
        (-0.05, -0.021, "failed"),  # all of it more than the margin worse
        (-0.03, 0.01, "inconclusive"),  # may be either
        (-0.03, -0.01, "inconclusive"),  # worse, but by the margin or not?
        (-0.02, 0.01, "inconclusive"),  # begins exactly at the margin: not above it
        (-0.04, -0.02, "inconclusive"),  # ends exactly at the margin: not below it
    ],
)
def test_the_interval_and_the_margin_decide_the_outcome(
    low: float, high: float, outcome: str
) -> None:
    (result,) = results(difference(low, high))
    assert result.outcome == outcome
    assert outcome in result.sentence
    assert (result.metric, result.margin, result.ci_low) == ("ndcg@10", 0.02, low)


def test_with_a_margin_of_zero_the_student_must_be_better() -> None:
    outcomes = [
        results(difference(low, high), ndcg=0.0)[0].outcome
        for low, high in ((0.001, 0.01), (0.0, 0.01), (-0.02, -0.001))
    ]
    assert outcomes == ["passed", "inconclusive", "failed"]


def test_each_metric_has_its_own_margin() -> None:
    rows = difference(-0.03, 0.0), difference(-0.03, 0.0, "pairwise_half")
    assert [result.outcome for result in results(*rows, ndcg=0.05)] == ["passed", "inconclusive"]
    assert [result.outcome for result in results(*rows, pairwise=0.05)] == [
        "inconclusive",
        "passed",
    ]


def test_other_metrics_slices_and_labelers_do_not_count() -> None:
    bad = difference(-0.5, -0.4)
    unrelated = [
        bad | {"metric": "kappa"},
        bad | {"metric": "pairwise_strict"},
        bad | {"slice": "intent=keyword"},
        bad | {"labeler": "student"},
    ]
    assert [result.outcome for result in results(difference(0.0, 0.1), *unrelated)] == ["passed"]


def test_an_undefined_difference_has_no_result() -> None:
    assert results(difference(None, None)) == []
