"""The graph, in flow order.

What belongs here: which assets, checks, sensors and resources make the code location. What does not: any of them.
"""

import dagster as dg

from relabel_assets.assets.benchmark_report import benchmark_report
from relabel_assets.assets.bm25_candidates import bm25_candidates
from relabel_assets.assets.reference_labels import reference_labels
from relabel_assets.assets.seed_docs import seed_docs
from relabel_assets.assets.student_labels import student_labels
from relabel_assets.assets.student_model import student_model
from relabel_assets.assets.synthetic_queries import synthetic_queries
from relabel_assets.assets.teacher_labels import teacher_labels
from relabel_assets.graph import automation
from relabel_assets.graph.checks import CHECKS
from relabel_assets.graph.partitions import corpus_folder, corpus_folders
from relabel_assets.graph.project import Project
from relabel_assets.warehouse.warehouse import Warehouse

ASSETS = [
    seed_docs,
    synthetic_queries,
    reference_labels,
    bm25_candidates,
    teacher_labels,
    student_model,
    student_labels,
    benchmark_report,
]

_EITHER = dg.multi_or_in_process_executor
# Steps of one corpus wait for each other, and a process a step costs seconds: one process is the default. A run's config
# chooses the other: execution: {config: {multiprocess: {max_concurrent: 2}}}.
EXECUTOR = dg.ExecutorDefinition(
    name="in_process_or_multiprocess",
    config_schema=dg.Field(_EITHER.config_schema.config_type, default_value={"in_process": {}}),
    requirements=_EITHER.get_requirements,
    executor_creation_fn=_EITHER.executor_creation_fn,
)


def build_definitions(project: Project | None = None, warehouse: Warehouse | None = None) -> dg.Definitions:
    """The whole graph; a test passes its own project and warehouse, the code location takes them from the environment."""
    project = project or Project.from_environment()
    return dg.Definitions(
        assets=[corpus_folder, *ASSETS],
        asset_checks=CHECKS,
        sensors=[corpus_folders, *automation.SENSORS],
        schedules=automation.SCHEDULES,
        jobs=automation.JOBS,
        resources={"project": project, "warehouse": warehouse or Warehouse.at(project.home.warehouse)},
        executor=EXECUTOR,
    )


defs = build_definitions()
