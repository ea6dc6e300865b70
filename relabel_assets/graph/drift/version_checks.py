"""Asset checks on a teacher's versions: mixed in one table, or moving many grades at once.

What belongs here: the checks and their findings. What does not: the statistics of moved grades
(benchmark/drift/), and other checks of rows (checks.py).

After a change of model, prompt or rubric a run asks about every pair again, so every pair that had a
grade tells how far the new version moves grades. `relabel plan --preview` tells it before a run.
"""

from functools import partial

import dagster as dg
import polars as pl

from relabel_assets.benchmark.drift.flips import wilson
from relabel_assets.graph.checks.check_results import Results, check_results
from relabel_assets.graph.checks.checks import WARN, check_specs
from relabel_assets.plural import counted
from relabel_assets.warehouse.warehouse import Warehouse

# Not measured: a temperature above 0 alone moves some grades, and one in ten changes what is learned.
MAX_MOVED = 0.1
_MIX = (
    "All grades come from one version of the teacher: one model, one prompt and rubric. Grades of several "
    "differ where their versions do, and a student learns that too. Recorded grades may state several "
    "models: that is reported as well."
)


@dg.multi_asset_check(specs=check_specs("teacher_labels", one_teacher_version=_MIX))
def teacher_labels_one_version(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Results:
    find = partial(mixed_versions, warehouse, ("teacher_labels",))
    yield from check_results(context, "teacher_labels", "one_teacher_version", find, severity=WARN)


@dg.multi_asset_check(
    specs=check_specs(
        "asked_labels", one_teacher_version=f"{_MIX} Those of teacher_labels count too."
    )
)
def asked_labels_one_version(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Results:
    find = partial(mixed_versions, warehouse, ("teacher_labels", "asked_labels"))
    yield from check_results(context, "asked_labels", "one_teacher_version", find, severity=WARN)


def mixed_versions(warehouse: Warehouse, tables: tuple[str, ...], corpus: str) -> list[str]:
    """A line for each version of the teacher in `tables`, if several; none without rows in the last."""
    columns = ["status", "teacher_model", "prompt_hash"]
    frames = [warehouse.read(table, corpus, columns=columns) for table in tables]
    if frames[-1].is_empty():
        return []
    graded = pl.concat(frames).filter(pl.col("status") == "ok")
    versions = graded.group_by("teacher_model", "prompt_hash").len()
    if versions.height < 2:
        return []
    ordered = versions.sort("len", "teacher_model", "prompt_hash", descending=[True, False, False])
    return [
        f"{counted(n, 'pair')} graded by {model or 'a model that is not stated'}"
        + (f", prompt and rubric {prompt_hash[:8]}" if prompt_hash else "")
        for model, prompt_hash, n in ordered.iter_rows()
    ]


@dg.multi_asset_check(
    specs=check_specs(
        "teacher_labels",
        teacher_has_not_drifted=f"The last write of this table moved at most {MAX_MOVED:.0%} of the grades "
        "that it had. After a change of model, prompt or rubric more may be meant: look at the moved "
        "grades. What was learned or measured by old grades does not hold for new ones.",
    )
)
def teacher_has_not_drifted(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Results:
    yield from check_results(
        context,
        "teacher_labels",
        "teacher_has_not_drifted",
        partial(drift_lines, warehouse),
        severity=WARN,
        note=partial(drift_note, warehouse),
    )


def drift_lines(warehouse: Warehouse, corpus: str) -> list[str]:
    """A line for all grades and one for each old grade, if the last write moved more than one in ten.

    Shares have Wilson's 95 % interval, for pairs like these.
    """
    both = grades_before_and_after(warehouse, corpus)
    n_moved = _n_moved(both)
    if not n_moved or n_moved / both.height <= MAX_MOVED:
        return []
    lines = [f"all grades: {_moved(both)}"]
    for (grade,), of_grade in both.sort("old_grade").group_by("old_grade", maintain_order=True):
        n_lower = of_grade.filter(pl.col("new_grade") < pl.col("old_grade")).height
        n_higher = _n_moved(of_grade) - n_lower
        lines.append(f"grade {grade}: {_moved(of_grade)}, {n_lower:,} lower, {n_higher:,} higher")
    return lines


def drift_note(warehouse: Warehouse, corpus: str) -> str:
    """What the last write moved, where it moved few; empty where it moved nothing."""
    both = grades_before_and_after(warehouse, corpus)
    return f"The last write moved grades: {_moved(both)}." if _n_moved(both) else ""


def grades_before_and_after(warehouse: Warehouse, corpus: str) -> pl.DataFrame:
    """query_id, doc_id, old_grade and new_grade of the pairs graded both before the last write and by it."""
    return warehouse.query(
        """
        with last_write as (
            select written_at from materializations
            where table_name = 'teacher_labels' and corpus = $corpus
        ),
        before as (
            select query_id, doc_id, arg_max_null(grade, noted_at) as old_grade
            from grade_history
            where labeler = 'teacher' and corpus = $corpus
              and noted_at < (select written_at from last_write)
            group by all
        )
        select now.query_id, now.doc_id, before.old_grade, now.grade as new_grade
        from teacher_labels as now join before using (query_id, doc_id)
        where now.corpus = $corpus and before.old_grade is not null and now.grade is not null
        """,
        {"corpus": corpus},
    )


def _n_moved(both: pl.DataFrame) -> int:
    return both.filter(pl.col("old_grade") != pl.col("new_grade")).height


def _moved(both: pl.DataFrame) -> str:
    n_moved, n = _n_moved(both), both.height
    low, high = wilson(n_moved, n)
    return f"{n_moved:,} of {n:,} moved, {n_moved / n:.1%} [{low:.1%}, {high:.1%}]"


DRIFT_CHECKS: list[dg.AssetChecksDefinition] = [
    teacher_labels_one_version,
    asked_labels_one_version,
    teacher_has_not_drifted,
]
