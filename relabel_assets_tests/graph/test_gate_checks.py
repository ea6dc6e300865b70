"""The checks on what a student is worth."""

import polars as pl
import pytest

from relabel_assets.benchmark.bootstrap import DIFFERENCE
from relabel_assets.corpus.config import GateConfig
from relabel_assets.graph import gate_checks


@pytest.mark.parametrize(
    ("ci_low", "ci_high", "verdict"),
    [(-0.01, 0.03, None), (-0.09, -0.06, "failed"), (-0.09, 0.01, "inconclusive")],
)
def test_unproven_margins_are_reported_with_their_outcome(
    ci_low: float, ci_high: float, verdict: str | None
) -> None:
    row = {
        "labeler": DIFFERENCE,
        "metric": "ndcg@10",
        "slice": "all",
        "value": (ci_low + ci_high) / 2,
        "ci_low": ci_low,
        "ci_high": ci_high,
        "n_queries": 50,
    }
    margins = GateConfig(ndcg_margin=0.05, pairwise_margin=0.05)
    lines = gate_checks.unproven_margins(pl.DataFrame([row]), margins)
    if verdict is None:
        assert lines == []
    else:
        (line,) = lines
        assert f"; {verdict}: " in line
