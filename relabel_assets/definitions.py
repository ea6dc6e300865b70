"""The Dagster definitions: assets in pipeline order, checks, sensors, jobs and resources.

What belongs here: the list of these parts. What does not: the parts (assets/, graph/), and the
environment variables (home.py).
"""

import dagster as dg

from relabel_assets.assets.asked_labels import asked_labels
from relabel_assets.assets.benchmark_report import benchmark_report
from relabel_assets.assets.bm25_candidates import bm25_candidates
from relabel_assets.assets.final_labels import final_labels
from relabel_assets.assets.imported_labels import imported_labels
from relabel_assets.assets.reference_labels import reference_labels
from relabel_assets.assets.review_samples import review_samples
from relabel_assets.assets.seed_docs import seed_docs
from relabel_assets.assets.student_labels import student_labels
from relabel_assets.assets.student_model import student_model
from relabel_assets.assets.synthetic_queries import synthetic_queries
from relabel_assets.assets.system_rankings import system_rankings
from relabel_assets.assets.teacher_labels import teacher_labels
from relabel_assets.graph.automation import BACKFILL_POLICIES, JOBS, schedules, sensors
from relabel_assets.graph.checks.all_checks import ALL_CHECKS
from relabel_assets.graph.partitions import corpus_folder, corpus_folders
from relabel_assets.graph.project import Project
from relabel_assets.home import Automation, Backfill, settings_from_environment
from relabel_assets.warehouse.warehouse import Warehouse

ASSETS = [
    seed_docs,
    synthetic_queries,
    reference_labels,
    bm25_candidates,
    review_samples,
    teacher_labels,
    student_model,
    asked_labels,
    student_labels,
    imported_labels,
    benchmark_report,
    final_labels,
    system_rankings,
]

_EITHER = dg.multi_or_in_process_executor
# By default a run is one process: the steps of one corpus mostly wait for each other, and a process
# for each costs seconds. A run's config may choose another executor:
# execution: {config: {multiprocess: {max_concurrent: 2}}}.
EXECUTOR = dg.ExecutorDefinition(
    name="in_process_or_multiprocess",
    config_schema=dg.Field(_EITHER.config_schema.config_type, default_value={"in_process": {}}),
    requirements=_EITHER.get_requirements,
    executor_creation_fn=_EITHER.executor_creation_fn,
)


def build_definitions(
    project: Project,
    warehouse: Warehouse | None = None,
    *,
    automation: Automation = "off",
    backfill: Backfill = "run_per_corpus",
) -> dg.Definitions:
    """The whole graph.

    `automation`: whether sensors and schedules are started by default. `backfill`: whether a backfill
    of several corpora is one run for each, or one run.
    """
    policy = BACKFILL_POLICIES[backfill]
    return dg.Definitions(
        assets=[
            corpus_folder,
            *(asset.with_attributes(backfill_policy=policy) for asset in ASSETS),
        ],
        asset_checks=ALL_CHECKS,
        sensors=[corpus_folders, *sensors(automation)],
        schedules=schedules(automation),
        jobs=JOBS,
        resources={
            "project": project,
            "warehouse": warehouse or Warehouse.at(project.home.warehouse),
        },
        executor=EXECUTOR,
    )


# Dagster loads `defs` from this module. Only this import reads environment variables.
_SETTINGS = settings_from_environment()
defs = build_definitions(
    Project.from_settings(_SETTINGS),
    automation=_SETTINGS.automation,
    backfill=_SETTINGS.backfill,
)
