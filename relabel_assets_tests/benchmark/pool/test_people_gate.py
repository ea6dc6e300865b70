"""May the student replace its teacher, by people's sample? Each verdict, and what would tell."""

from typing import Any

import polars as pl
import pytest

from relabel_assets.benchmark.gates.gate import GateResult
from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.benchmark.pool.people_gate import (
    refuse_failed,
    replacement_gate,
    what_would_tell,
)
from relabel_assets.errors import StudentError

SETTINGS: dict[str, Any] = {
    "ndcg_margin": 0.02, "agreement_margin": 0.05, "pairwise_margin": 0.02, "min_queries": 30,
    "min_pairs": 100,
}  # fmt: skip


def rows(
    ndcg: tuple[float, float], within_one: tuple[float, float], *, n_queries: int = 56
) -> pl.DataFrame:
    """Student minus teacher in both slices; that of the pool is half as wide."""
    frame = []
    for metric, (low, high) in (("ndcg@10", ndcg), ("within_one", within_one)):
        value, half = (low + high) / 2, (high - low) / 2
        for name, width in (("pool", half / 2), ("new queries", half)):
            frame.append(
                {"labeler": DIFFERENCE, "metric": metric, "slice": name, "value": value,
                 "ci_low": value - width, "ci_high": value + width, "n_queries": n_queries,
                 "n_pairs": 200}
            )  # fmt: skip
    return pl.DataFrame(frame)


def verdicts(frame: pl.DataFrame, **settings: float) -> list[str]:
    return [result.verdict for result in replacement_gate(frame, **SETTINGS | settings)]


def test_each_metric_is_judged_by_its_margin_over_new_queries() -> None:
    assert verdicts(rows((-0.01, 0.02), (-0.04, 0.0))) == ["passed", "passed"]
    assert verdicts(rows((-0.03, 0.02), (-0.06, 0.0))) == ["cannot tell", "cannot tell"]
    assert verdicts(rows((-0.06, -0.03), (-0.09, -0.06))) == ["failed", "failed"]
    assert verdicts(rows((-0.03, 0.02), (-0.06, 0.0)), ndcg_margin=0.04) == [
        "passed",
        "cannot tell",
    ]


def test_too_few_queries_cannot_tell_whatever_the_interval() -> None:
    few = rows((0.01, 0.02), (0.01, 0.02), n_queries=29)
    assert verdicts(few) == ["cannot tell", "cannot tell"]
    assert "at least 30 queries" in replacement_gate(few, **SETTINGS)[0].reason


def test_without_a_sample_the_reference_labels_decide() -> None:
    by_reference = rows((-0.06, -0.03), (0, 0)).filter(pl.col("slice") == "none")
    assert verdicts(by_reference) == ["not measured", "not measured"]
    undefined = rows((-0.06, -0.03), (0, 0)).with_columns(ci_low=None, ci_high=None)
    assert verdicts(undefined) == ["not measured", "not measured"]


def test_grades_are_asked_for_where_they_can_tell_and_queries_where_these_differ_too_much() -> None:
    """Half widths .03 and .05: queries alone leave .04. Below it, no number of grades tells."""
    widths: dict[str, Any] = {"half_pool": 0.03, "half_new": 0.05, "n_grades": 100, "n_queries": 50}
    # 100 x .03^2 / (.045^2 - .04^2) - 100
    assert what_would_tell(target=0.045, **widths).startswith("about 112 more of people's grades")
    # 50 x (.05 / .025)^2 - 50
    assert what_would_tell(target=0.025, **widths).startswith("about 150 more queries")
    assert "no number of grades" in what_would_tell(target=0.0, **widths)


def test_what_cannot_be_told_says_how_many_grades_would_tell() -> None:
    """Value -.005, so .015 from the margin of -.02; half widths .0125 and .025: queries differ by .022."""
    result = replacement_gate(rows((-0.03, 0.02), (0, 0)), **SETTINGS)[0]
    assert result.sentence.startswith("ndcg@10: cannot tell. By 200 grades of people on 56 queries")
    assert "about 100 more queries" in result.reason


@pytest.mark.parametrize("verdict", ["passed", "cannot tell", "not measured"])
def test_only_a_failed_gate_stops_the_labels(verdict: str) -> None:
    refuse_failed([GateResult("ndcg@10", 0.02, verdict, "")])
    with pytest.raises(StudentError, match="final_labels stay as they were"):
        refuse_failed(
            [GateResult("ndcg@10", 0.02, verdict, ""), GateResult("a", 0.1, "failed", "")]
        )
