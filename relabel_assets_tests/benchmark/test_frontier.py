"""The smallest share of the teacher's grades that is enough, and what it costs."""

from typing import Any

import polars as pl
import pytest

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.frontier import smallest_share
from relabel_assets.benchmark.gates.gate import gate
from relabel_assets.benchmark.labelers import CASCADES, DIFFERENCES, LABELERS

LIMITS: dict[str, Any] = {
    "ndcg_margin": 0.02,
    "pairwise_margin": 0.03,
    "min_queries": 30,
    "min_pairs": 100,
}
GOOD, BAD = (-0.01, 0.01), (-0.5, -0.4)
MARGINS = "(margins: 0.02 in NDCG@10, 0.03 in pairwise accuracy)"


def rows_of(n_queries: int = 40, **intervals: tuple[float, float]) -> pl.DataFrame:
    """The differences of cascade@5%, @10% and @20% (`c5`, `c10`, `c20`) in both metrics."""
    rows = [
        {
            "labeler": f"cascade@{name.removeprefix('c')}%{suffix}", "metric": metric, "slice": "all",
            "value": sum(ends) / 2, "ci_low": ends[0], "ci_high": ends[1], "n_queries": n_queries,
            "n_pairs": 400,
        }
        for name, ends in intervals.items()
        for metric in ("ndcg@10", "pairwise_half")
        for suffix in ("", "-teacher")
    ]  # fmt: skip
    return pl.DataFrame(rows)


def sentences(rows: pl.DataFrame, **limits: float) -> list[str]:
    return smallest_share(rows, architecture="late_interaction", **LIMITS | limits)


@pytest.mark.parametrize(
    ("c5", "c10", "c20", "said"),
    [
        (GOOD, GOOD, GOOD, f"with 5 % of the teacher's grades {{}} its teacher {MARGINS}."),
        (
            BAD, GOOD, GOOD,
            f"with 10 % of the teacher's grades {{}} its teacher {MARGINS}. With 5 % this is not shown.",
        ),
        (
            BAD, BAD, GOOD,
            f"with 20 % of the teacher's grades {{}} its teacher {MARGINS}. With 10 % this is not shown.",
        ),
    ],
)  # fmt: skip
def test_the_smallest_share_that_passes_is_named_with_the_next_that_does_not(
    c5: tuple[float, float], c10: tuple[float, float], c20: tuple[float, float], said: str
) -> None:
    expected = f"Cascade: {said.format('the student is not inferior to')}"
    assert sentences(rows_of(c5=c5, c10=c10, c20=c20)) == [expected]


@pytest.mark.parametrize("smaller", [GOOD, BAD])
def test_a_share_does_not_count_where_a_larger_one_did_not_pass(
    smaller: tuple[float, float],
) -> None:
    (sentence,) = sentences(rows_of(c5=smaller, c10=smaller, c20=BAD))
    assert sentence == (
        "Cascade: with none of 5 %, 10 % and 20 % of the teacher's grades is the student shown to be not "
        f"inferior to its teacher {MARGINS}."
    )
    (sentence,) = sentences(rows_of(c5=GOOD, c10=BAD, c20=GOOD))
    assert "with 20 %" in sentence and "With 10 % this is not shown." in sentence


def test_each_metric_has_the_gates_margin() -> None:
    between = (-0.025, 0.0)  # below the margin of NDCG@10, above that of pairwise accuracy
    rows = rows_of(c5=between, c10=between, c20=between)
    assert "with none of" in sentences(rows)[0]
    assert "with 5 %" in sentences(rows, ndcg_margin=0.03)[0]
    assert "with none of" in sentences(rows, ndcg_margin=0.03, pairwise_margin=0.02)[0]


def test_with_fewer_queries_than_the_gate_needs_no_share_passes() -> None:
    few = rows_of(n_queries=29, c5=GOOD, c10=GOOD, c20=GOOD)
    assert "with none of" in sentences(few)[0]
    assert "with 5 %" in sentences(few, min_queries=29)[0]


def test_reference_labels_that_are_the_teachers_own_pass_no_share() -> None:
    rows = rows_of(c5=GOOD, c10=GOOD, c20=GOOD)
    copied = rows.head(1).with_columns(
        labeler=pl.lit("teacher"), metric=pl.lit("kappa"), value=pl.lit(1.0)
    )
    assert "with none of" in sentences(pl.concat([rows, copied]))[0]


def test_probes_are_no_measure_of_a_cascade() -> None:
    """They are measured without reference labels too."""
    by_student = rows_of(c5=GOOD).with_columns(labeler=pl.lit("student"))
    assert sentences(by_student.with_columns(slice=pl.lit("probe=empty"))) == []


def test_what_was_not_measured_is_not_spoken_of() -> None:
    rows = rows_of(c5=GOOD, c10=GOOD, c20=GOOD)
    assert sentences(rows.clear()) == []
    undefined = rows.with_columns(ci_low=pl.lit(None, pl.Float64))
    assert sentences(undefined) == []


@pytest.mark.parametrize("architecture", ["cross_encoder", "decoder"])
def test_without_cascades_the_sentence_says_why(architecture: str) -> None:
    student = rows_of(c5=GOOD).with_columns(labeler=pl.lit("student"))
    (sentence,) = smallest_share(student, architecture=architecture, **LIMITS)
    assert f"A {architecture} student grades each pair alone" in sentence
    assert "`relabel run`" in sentences(student)[0]


def test_the_gate_is_about_the_student_alone() -> None:
    rows = rows_of(c5=GOOD, c10=GOOD, c20=GOOD)
    assert {result.verdict for result in gate(rows, **LIMITS)} == {"not measured"}
    passed = gate(rows, labeler="cascade@5%", **LIMITS)
    assert [result.verdict for result in passed] == ["passed", "passed"]
    assert passed[0].reason.startswith("Cascade@5% minus teacher is ")


def test_each_cascade_is_compared_with_the_teacher_over_all_queries_and_in_no_intent() -> None:
    pairs = {"query_id": ["q", "q"], "doc_id": ["d1", "d2"]}
    reference = pl.DataFrame(pairs | {"assessor": "ana", "grade": [0, 3]})
    grades = {labeler: [1, 1] for labeler in ("student", *CASCADES)} | {"teacher": [0, 3]}
    scores = pl.concat(
        pl.DataFrame(pairs | {"labeler": labeler, "score": grade, "grade": grade})
        for labeler, grade in grades.items()
    )
    queries = pl.DataFrame({"query_id": ["q"], "intent": ["keyword"]})
    rows = measure(scores, reference, queries, n_resamples=10).rows
    labelers = {
        name: set(rows.filter(pl.col("slice") == name)["labeler"])
        for name in ("all", "intent=keyword")
    }
    assert labelers == {
        "all": {*grades, *DIFFERENCES.values()},
        "intent=keyword": {"teacher", "student", "student-teacher"},
    }
    kappas = rows.filter(pl.col("metric") == "mean_grade", pl.col("slice") == "all")
    values = dict(kappas.select("labeler", "value").iter_rows())
    assert values["cascade@10%-teacher"] == values["cascade@10%"] - values["teacher"] == -0.5


def test_every_labeler_has_one_name() -> None:
    assert len(set(LABELERS)) == len(LABELERS) == 14
    assert [f"cascade@{100 * share:g}%" for share in CASCADES.values()] == [*CASCADES]
