"""Asset checks on what the student is worth: the gate of its benchmark.

What belongs here: the checks that a reader trusts or distrusts a student by. What does not: checks of
rows (checks.py), and the gate's rule (benchmark/).
"""

import dagster as dg
import polars as pl

from relabel_assets.benchmark.bootstrap import gate
from relabel_assets.corpus.config import GateConfig
from relabel_assets.graph.checks import check_result, check_specs, findings
from relabel_assets.graph.project import Project
from relabel_assets.warehouse.warehouse import Warehouse


@dg.multi_asset_check(
    specs=check_specs(
        "benchmark_report",
        student_is_as_good_as_teacher="The student is worse than its teacher by less than the "
        "margins in corpus.yaml (non-inferiority).",
    )
)
def student_is_as_good_as_teacher(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse, project: Project
) -> dg.AssetCheckResult:
    def find(corpus: str) -> list[str]:
        margins = project.corpora().open(corpus).config.gate
        return unproven_margins(warehouse.read("benchmark_report", corpus), margins)

    check, lines = "student_is_as_good_as_teacher", findings(context, find)
    return check_result("benchmark_report", check, lines, dg.AssetCheckSeverity.WARN)


def unproven_margins(report: pl.DataFrame, margins: GateConfig) -> list[str]:
    """A sentence for each gate that the student failed, or whose outcome is inconclusive."""
    results = gate(report, **margins.model_dump())
    return [result.sentence for result in results if result.outcome != "passed"]


GATE_CHECKS: list[dg.AssetChecksDefinition] = [student_is_as_good_as_teacher]
