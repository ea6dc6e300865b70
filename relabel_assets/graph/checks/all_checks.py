"""Every asset check of the graph, in one list: for Dagster, the output of a run, and what a stop left.

What belongs here: that list. What does not: the checks.
"""

import dagster as dg

from relabel_assets.graph.candidates.candidate_checks import CANDIDATE_CHECKS
from relabel_assets.graph.checks.checks import CHECKS
from relabel_assets.graph.checks.gate_checks import GATE_CHECKS
from relabel_assets.graph.drift.version_checks import DRIFT_CHECKS

ALL_CHECKS: list[dg.AssetChecksDefinition] = [
    *CHECKS,
    *CANDIDATE_CHECKS,
    *GATE_CHECKS,
    *DRIFT_CHECKS,
]
