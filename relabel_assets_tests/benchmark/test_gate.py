"""The gate's verdicts: passed, failed, cannot tell and not measured, each by hand."""

from typing import Any

import polars as pl
import pytest

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.gates.gate import VERDICTS, GateResult, gate, worst
from relabel_assets.benchmark.labelers import DIFFERENCE

SETTINGS: dict[str, Any] = {
    "ndcg_margin": 0.02,
    "pairwise_margin": 0.02,
    "min_queries": 30,
    "min_pairs": 100,
}


def difference(
    low: float | None, high: float | None, metric: str = "ndcg@10", **values: object
) -> dict[str, object]:
    value = None if low is None or high is None else (low + high) / 2
    return {
        "labeler": DIFFERENCE, "metric": metric, "slice": "all", "value": value,
        "ci_low": low, "ci_high": high, "n_queries": 40, "n_pairs": 400,
    } | values  # fmt: skip


GOOD = {metric: difference(0.01, 0.03, metric) for metric in ("ndcg@10", "pairwise_half")}


def results(*rows: dict[str, object], **settings: float) -> dict[str, GateResult]:
    """The result of each metric; a metric that `rows` leave out has a good difference."""
    by_metric = {(row["labeler"], row["metric"], row["slice"]): row for row in rows}
    good = {(DIFFERENCE, metric, "all"): row for metric, row in GOOD.items()}
    schema = {"value": pl.Float64, "ci_low": pl.Float64, "ci_high": pl.Float64}
    frame = pl.DataFrame([*(good | by_metric).values()], schema_overrides=schema)
    return {result.metric: result for result in gate(frame, **SETTINGS | settings)}


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [
        (0.01, 0.03, "passed"),  # better than the teacher
        (-0.019, 0.0, "passed"),  # at most the margin worse
        (-0.05, -0.021, "failed"),  # all of it more than the margin worse
        (-0.03, 0.01, "cannot tell"),  # may be either
        (-0.03, -0.01, "cannot tell"),  # worse, but by the margin or not?
        (-0.02, 0.01, "cannot tell"),  # begins exactly at the margin: not above it
        (-0.04, -0.02, "cannot tell"),  # ends exactly at the margin: not below it
    ],
)
@pytest.mark.parametrize("metric", ["ndcg@10", "pairwise_half"])
def test_the_interval_and_the_margin_decide_the_verdict(
    metric: str, low: float, high: float, verdict: str
) -> None:
    result = results(difference(low, high, metric))[metric]
    assert (result.verdict, result.margin) == (verdict, 0.02)
    assert result.sentence.startswith(f"{metric}: {verdict}. Student minus teacher is ")
    assert "-0.02, the margin" in result.sentence


def test_with_a_margin_of_zero_the_student_must_be_better() -> None:
    verdicts = [
        results(difference(low, high), ndcg_margin=0.0)["ndcg@10"].verdict
        for low, high in ((0.001, 0.01), (0.0, 0.01), (-0.02, -0.001))
    ]
    assert verdicts == ["passed", "cannot tell", "failed"]


def test_each_metric_has_its_own_margin() -> None:
    rows = difference(-0.03, 0.0), difference(-0.03, 0.0, "pairwise_half")
    wide_ndcg, wide_pairwise = (
        results(*rows, ndcg_margin=0.05),
        results(*rows, pairwise_margin=0.05),
    )
    assert [result.verdict for result in wide_ndcg.values()] == ["passed", "cannot tell"]
    assert [result.verdict for result in wide_pairwise.values()] == ["cannot tell", "passed"]


def test_other_metrics_slices_and_labelers_do_not_count() -> None:
    bad = difference(-0.5, -0.4)
    unrelated = [
        bad | {"metric": "kappa"},
        bad | {"metric": "pairwise_strict"},
        bad | {"slice": "intent=keyword"},
        bad | {"labeler": "student"},
    ]
    assert {result.verdict for result in results(*unrelated).values()} == {"passed"}


# What was not measured has not passed


def test_an_undefined_difference_is_not_measured() -> None:
    undefined = results(difference(None, None, "pairwise_half"))
    assert [result.verdict for result in undefined.values()] == ["passed", "not measured"]
    assert worst([*undefined.values()]) == "not measured"


@pytest.mark.parametrize("labeler", ["student", "teacher"])
def test_without_a_grade_by_student_or_teacher_nothing_is_measured(labeler: str) -> None:
    row = difference(0.5, 0.9) | {"labeler": labeler}
    verdicts = gate(pl.DataFrame([row]), **SETTINGS)
    assert [(result.metric, result.verdict) for result in verdicts] == [
        ("ndcg@10", "not measured"),
        ("pairwise_half", "not measured"),
    ]
    assert "Student or teacher has no grades" in verdicts[0].reason


def test_without_reference_labels_nothing_is_measured() -> None:
    nothing = pl.DataFrame(schema=pl.DataFrame([difference(0.0, 0.1)]).schema)
    for result in gate(nothing, **SETTINGS):
        assert (result.verdict, result.reason) == (
            "not measured",
            "No reference label has a grade by every labeler.",
        )
    assert worst([]) == "not measured"


# Too little to tell


@pytest.mark.parametrize(
    ("n_queries", "n_pairs", "verdict"),
    [(30, 100, "passed"), (29, 100, "cannot tell"), (30, 99, "cannot tell"), (2, 2, "cannot tell")],
)
@pytest.mark.parametrize(("low", "high"), [(0.0, 0.0), (0.1, 0.2)])
def test_below_either_minimum_the_verdict_is_cannot_tell_whatever_the_interval(
    n_queries: int, n_pairs: int, verdict: str, low: float, high: float
) -> None:
    counts = {"n_queries": n_queries, "n_pairs": n_pairs}
    few = [difference(low, high, metric, **counts) for metric in GOOD]
    assert {result.verdict for result in results(*few).values()} == {verdict}


def test_a_clear_failure_on_too_few_queries_cannot_be_told_either() -> None:
    few = [difference(-0.9, -0.8, metric, n_queries=3) for metric in GOOD]
    for result in results(*few).values():
        assert result.verdict == "cannot tell"
        assert "on 3 queries and 400 pairs; at least 30 queries and 100 pairs are" in result.reason


def test_the_minima_are_settings() -> None:
    few = [difference(0.01, 0.02, metric, n_queries=3, n_pairs=9) for metric in GOOD]
    assert worst([*results(*few, min_queries=3, min_pairs=9).values()]) == "passed"
    assert worst([*results(*few, min_queries=4, min_pairs=9).values()]) == "cannot tell"
    assert worst([*results(*few, min_queries=3, min_pairs=10).values()]) == "cannot tell"


def test_only_queries_whose_documents_differ_in_grade_count_for_ndcg_too() -> None:
    """NDCG is 1 for everyone where all documents have one grade: such queries hide a difference."""
    ndcg = difference(0.0, 0.0, n_queries=500, n_pairs=5_000)
    pairwise = difference(0.0, 0.0, "pairwise_half", n_queries=3)
    assert results(ndcg, pairwise)["ndcg@10"].verdict == "cannot tell"


def test_reference_labels_that_are_a_labelers_own_cannot_tell() -> None:
    for labeler in ("teacher", "student"):
        kappa = difference(1.0, 1.0, "kappa") | {"labeler": labeler, "value": 1.0}
        copied = results(kappa)
        assert {result.verdict for result in copied.values()} == {"cannot tell"}
        assert f"the {labeler} gave each pair its reference grade" in copied["ndcg@10"].reason
        nearly = kappa | {"value": 0.999}
        assert {result.verdict for result in results(nearly).values()} == {"passed"}


# The verdict on both metrics


def test_the_worst_metric_is_the_verdict() -> None:
    order = ["passed", "cannot tell", "not measured", "failed"]
    assert [*VERDICTS] == order
    for best, verdict in enumerate(order):
        for other in order[: best + 1]:
            pair = [GateResult("a", 0.1, other, ""), GateResult("b", 0.1, verdict, "")]
            assert worst(pair) == worst(pair[::-1]) == verdict


# From labels to the verdict


def labels_of(
    n_queries: int, reference: list[int], **orders: list[int]
) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """`reference` grades for the documents of each query, and the same `orders` for all queries."""
    names = [f"q{query}" for query in range(n_queries)]
    rows = [(query, f"d{n}") for query in names for n in range(len(reference))]
    pairs = pl.DataFrame(rows, schema=["query_id", "doc_id"], orient="row")
    scores = [
        pairs.select(pl.lit(labeler).alias("labeler"), pl.all()).with_columns(
            score=pl.Series([float(grade) for grade in grades] * n_queries),
            grade=pl.Series(grades * n_queries),
        )
        for labeler, grades in orders.items()
    ]
    truth = pairs.with_columns(assessor=pl.lit("a"), grade=pl.Series(reference * n_queries))
    return pl.concat(scores), truth, pl.DataFrame({"query_id": names, "intent": None})


def verdicts_of(n_queries: int, reference: list[int], **orders: list[int]) -> list[str]:
    rows = measure(*labels_of(n_queries, reference, **orders), n_resamples=50).rows
    return [result.verdict for result in gate(rows, **SETTINGS)]


def test_two_queries_with_a_pair_each_are_not_measured() -> None:
    assert verdicts_of(2, [3], teacher=[3], student=[3]) == ["not measured"] * 2


def test_many_queries_with_a_pair_each_are_not_measured_though_every_ndcg_is_1() -> None:
    assert verdicts_of(200, [3], teacher=[2], student=[0]) == ["not measured"] * 2


def test_one_grade_in_the_reference_labels_is_not_measured() -> None:
    """Kappa and pairwise accuracy are undefined, and NDCG is 1 whatever the order."""
    assert verdicts_of(40, [2, 2, 2], teacher=[0, 1, 2], student=[2, 1, 0]) == ["not measured"] * 2
    assert verdicts_of(40, [0, 0, 0], teacher=[0, 1, 2], student=[2, 1, 0]) == ["not measured"] * 2


def test_a_student_that_grades_as_its_teacher_passes_where_there_is_enough_to_tell() -> None:
    same = [0, 1, 3, 3]
    assert verdicts_of(40, [0, 1, 2, 3], teacher=same, student=same) == ["passed"] * 2
    assert verdicts_of(5, [0, 1, 2, 3], teacher=same, student=same) == ["cannot tell"] * 2


def test_the_teachers_own_grades_as_reference_cannot_tell() -> None:
    own, other = [0, 1, 2, 3], [0, 1, 3, 3]
    assert verdicts_of(40, own, teacher=own, student=other) == ["cannot tell"] * 2
    assert verdicts_of(40, other, teacher=own, student=other) == ["cannot tell"] * 2
