"""Asset checks on what the student is worth: its training, and the gate of its benchmark.

What belongs here: the checks that tell a reader whether to trust a student. What does not: checks of
rows (checks.py), the gate's rule and the limits of a training (benchmark/).
"""

from collections.abc import Callable
from functools import partial

import dagster as dg
import polars as pl

from relabel_assets.benchmark.gate import gate
from relabel_assets.benchmark.grade_shift import grade_shift
from relabel_assets.benchmark.training_limits import MIN_TRAIN_PAIRS, training_limits
from relabel_assets.corpus.config import GateConfig
from relabel_assets.graph.check_results import Results, check_results
from relabel_assets.graph.checks import WARN, check_specs
from relabel_assets.graph.project import Project
from relabel_assets.warehouse.warehouse import Warehouse


@dg.multi_asset_check(
    specs=check_specs(
        "student_model",
        student_learned_from_enough=f"The current student learned from at least {MIN_TRAIN_PAIRS} "
        "graded pairs, has seen every grade of the rubric, and has dev pairs.",
    )
)
def student_learned_from_enough(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Results:
    find = partial(limits_of_student, warehouse)
    check = "student_learned_from_enough"
    yield from check_results(context, "student_model", check, find, severity=WARN)


def limits_of_student(warehouse: Warehouse, corpus: str) -> list[str]:
    """A sentence for each limit of the current student; one if there is no student."""
    students = warehouse.read("student_model", corpus).filter("is_current")
    if students.is_empty():
        return ["No student was trained."]
    return training_limits(students.row(0, named=True))


@dg.multi_asset_check(
    specs=check_specs(
        "benchmark_report",
        student_is_as_good_as_teacher="The student is as good as its teacher, within the margins in "
        "corpus.yaml (non-inferiority), and this was measured on enough queries and pairs to tell.",
    )
)
def student_is_as_good_as_teacher(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse, project: Project
) -> Results:
    find = partial(_of_report, warehouse, project, unproven_margins)
    check = "student_is_as_good_as_teacher"
    yield from check_results(context, "benchmark_report", check, find, severity=WARN)


def unproven_margins(report: pl.DataFrame, settings: GateConfig) -> list[str]:
    """A sentence for each metric in which the student did not pass, measured or not."""
    results = gate(report, **settings.model_dump())
    return [result.sentence for result in results if result.verdict != "passed"]


@dg.multi_asset_check(
    specs=check_specs(
        "benchmark_report",
        student_grades_are_not_shifted="On benchmark queries the student's mean grade is that of its "
        "teacher, or at least not shown to be 0.1 of a grade off.",
    )
)
def student_grades_are_not_shifted(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse, project: Project
) -> Results:
    find = partial(_of_report, warehouse, project, _shown_shift)
    check = "student_grades_are_not_shifted"
    yield from check_results(context, "benchmark_report", check, find, severity=WARN)


def _shown_shift(report: pl.DataFrame, settings: GateConfig) -> list[str]:
    return grade_shift(report, min_queries=settings.min_queries)


def _of_report(
    warehouse: Warehouse,
    project: Project,
    find: Callable[[pl.DataFrame, GateConfig], list[str]],
    corpus: str,
) -> list[str]:
    """What `find` finds in the benchmark of `corpus`, by the settings of its gate."""
    settings = project.corpora().open(corpus).config.gate
    return find(warehouse.read("benchmark_report", corpus), settings)


GATE_CHECKS: list[dg.AssetChecksDefinition] = [
    student_learned_from_enough,
    student_is_as_good_as_teacher,
    student_grades_are_not_shifted,
]
