"""Runs of the graph from a command: one Dagster run for each corpus that is out of date.

What belongs here: starting runs for `relabel run`. What does not: finding stale tables (plan.py),
printing (cli/output.py) and the work of a step (assets/).
"""

import os
import shutil
import socket
import uuid
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import dagster as dg

from relabel_assets.definitions import ASSETS, build_definitions
from relabel_assets.errors import ConfigError, WarehouseError
from relabel_assets.files import make_private, whole
from relabel_assets.graph.failures import failure_message
from relabel_assets.graph.partitions import (
    FOLDER,
    UP_TO_DATE,
    add_partitions,
    corpus_folder,
    folder_observation,
)
from relabel_assets.graph.project import Project
from relabel_assets.graph.table_asset import FORCE_TAG
from relabel_assets.intake.markdown import as_written
from relabel_assets.intake.one_input import INPUT_ERRORS, reason_of
from relabel_assets.intake.text import shown
from relabel_assets.running.dagster_state import (
    HOST_TAG,
    PROCESS_TAG,
    cancelled_when_stopped,
    close_dead_runs,
    unrecorded_tables,
    usable_instance,
)
from relabel_assets.running.plan import stale_tables
from relabel_assets.running.run_origin import with_origin
from relabel_assets.running.selection import with_keys
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse

# not measured: with four runs at once, other corpora go on while one waits for a pool. Slots of a dead
# run are freed after a minute, so that a restart of the machine blocks no pool for long.
_DAGSTER_YAML = """\
# Written by relabel-assets when it created this folder. You may change it.
telemetry:
  enabled: false
nux:
  # No dialog that asks for an address for Dagster's newsletter.
  enabled: false
concurrency:
  # Pool "teacher" is the teacher's rate limit, pool "student" the machine's GPU or cores. One step of
  # each runs at a time.
  pools: {default_limit: 1, granularity: op}
  runs: {max_concurrent_runs: 4}
run_monitoring:
  # A run whose process is gone is marked as failed, and its slots in the pools are freed.
  enabled: true
  free_slots_after_run_end_seconds: 60
"""
# Space for Dagster's state and the copies for readers of a small corpus. With less, a run stops midway
# with an SQLite error.
_LEAST_FREE_BYTES = 50_000_000


@dataclass(frozen=True)
class Outcome:
    """The outcome of a corpus' run: messages of failed steps, and findings of failed checks.

    `set_aside`: the inputs that could not be used, and the written queries that were rejected, by table.

    `tracebacks` are of the failed steps too, for people who debug.
    """

    corpus: str
    is_success: bool
    run_id: str | None = None
    failures: dict[str, str] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)
    tracebacks: dict[str, str] = field(default_factory=dict)
    set_aside: dict[str, int] = field(default_factory=dict)


def from_environment() -> tuple[Project, Warehouse]:
    """The project and warehouse of RELABEL_HOME and RELABEL_DATA; creates a missing home.

    Raises WarehouseError where the home cannot be written.
    """
    project = Project.from_environment()
    settings = project.home.dagster / "dagster.yaml"
    try:
        make_private(settings.parent)
        if not settings.exists():
            with whole(settings) as scratch:  # an empty one would turn Dagster's telemetry on
                scratch.write_text(_DAGSTER_YAML, encoding="utf-8")
    except OSError as error:
        raise WarehouseError(
            f"RELABEL_HOME cannot be created: {error}. Set it to a folder you may write to."
        ) from error
    return project, Warehouse.at(project.home.warehouse)


def select_tables(selection: str | None) -> list[str]:
    """The tables in a Dagster asset selection such as `teacher_labels+`, in pipeline order.

    Raises ConfigError for a selection without a table.
    """
    if not selection:
        return list(TABLES)
    tables = ", ".join(TABLES)
    keys_only = with_keys(selection, [*TABLES, FOLDER])
    try:
        selected = dg.AssetSelection.from_string(keys_only).resolve([corpus_folder, *ASSETS])
    except Exception as error:
        raise ConfigError(
            f"--select {shown(selection)} is not valid: {reason_of(error)}. "
            f"Join several tables with `or`. Tables: {tables}."
        ) from error
    keys = {key.to_user_string() for key in selected}
    chosen = [name for name in TABLES if name in keys]
    if not chosen:
        raise ConfigError(f"--select {shown(selection)} selects no table. Tables: {tables}.")
    return chosen


def bring_up_to_date(
    project: Project,
    warehouse: Warehouse,
    corpus: str,
    tables: Sequence[str],
    *,
    is_forced: bool = False,
) -> Outcome | None:
    """Run a corpus' stale tables, or all `tables` if forced; return None without any.

    A table with fresh rows runs too if Dagster shows a stopped or failed attempt of it. Its rows are kept.

    Raises CorpusError or ConfigError where the corpus folder cannot be used.
    """
    due = set(tables if is_forced else stale_tables(project, warehouse, corpus, tables))
    with usable_instance(project.home) as instance:
        close_dead_runs(instance, project.home)
        due.update(unrecorded_tables(instance, corpus, tables))
    if due:
        due_in_order = [table for table in tables if table in due]
        return run_corpus(project, corpus, due_in_order, is_forced=is_forced)
    # A killed run may have committed its last table before it wrote the copies for readers.
    warehouse.republish_stale(
        receipt for (name, _), receipt in warehouse.receipts().items() if name == corpus
    )
    return None


def run_corpus(
    project: Project, corpus: str, tables: Sequence[str], *, is_forced: bool = False
) -> Outcome:
    """Materialize and check `tables` of `corpus` in one Dagster run. The outcome holds any failures.

    Raises KeyboardInterrupt after Ctrl-C or SIGTERM, so that no other corpus is started. Raises
    WarehouseError if the disk is full or Dagster's state cannot be written. Finished tables are kept.
    """
    free = shutil.disk_usage(project.home.path).free
    if free < _LEAST_FREE_BYTES:
        raise WarehouseError(
            f"the disk of {project.home.path} has {free / 1e6:.0f} MB free; a run needs "
            f"{_LEAST_FREE_BYTES / 1e6:.0f} MB. "
            "Make room, or set RELABEL_HOME to another disk. Nothing was changed."
        )
    return _outcome(corpus, _execute(project, corpus, tables, is_forced))


def _execute(
    project: Project, corpus: str, tables: Sequence[str], is_forced: bool
) -> dg.ExecuteInProcessResult:
    """Execute a Dagster run of `tables` and their checks in this process."""
    definitions = build_definitions(project)
    with usable_instance(project.home) as instance:
        close_dead_runs(instance, project.home)
        add_partitions(instance, [corpus])
        # If the folder cannot be read, the step that reads it reports the error.
        observation = None
        with suppress(*INPUT_ERRORS):
            observation = folder_observation(project.corpora().open(corpus))
        if observation:
            instance.report_runless_asset_event(observation)
        run_id = str(uuid.uuid4())
        job = definitions.resolve_implicit_global_asset_job_def()
        with with_origin(instance, job.name), cancelled_when_stopped(instance, run_id):
            return job.execute_in_process(
                instance=instance,
                run_id=run_id,
                partition_key=corpus,
                asset_selection=[dg.AssetKey(name) for name in tables],
                run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                tags={HOST_TAG: socket.gethostname(), PROCESS_TAG: str(os.getpid())}
                | ({FORCE_TAG: "true"} if is_forced else {}),
                raise_on_error=False,
            )


def _outcome(corpus: str, result: dg.ExecuteInProcessResult) -> Outcome:
    """The outcome of a run, from its events and its check evaluations."""
    failures, tracebacks = dict[str, str](), dict[str, str]()
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.error_source and failure.error_source.name == "INTERRUPT":
                raise KeyboardInterrupt
            step = str(event.step_key)
            failures[step] = failure_message(event)
            tracebacks[step] = failure.error.to_string() if failure.error else ""
    findings = {}
    for check in result.get_asset_check_evaluations():
        # The plan says what is out of date, and the corpora that follow are brought up to date next.
        if not check.passed and check.check_name != UP_TO_DATE:
            first = check.metadata.get("first")
            findings[f"{check.asset_key.to_user_string()}: {check.check_name}"] = as_written(
                str(first.value) if first else ""
            )
    set_aside = _set_aside(result)
    return Outcome(corpus, result.success, result.run_id, failures, findings, tracebacks, set_aside)


def _set_aside(result: dg.ExecuteInProcessResult) -> dict[str, int]:
    """The number of inputs that each table set aside in this run. A table that was kept set none aside."""
    counts = dict[str, int]()
    for event in result.all_events:
        if event.is_step_materialization and event.asset_key:
            metadata = event.step_materialization_data.materialization.metadata
            n_aside = sum(
                int(str(value.value))
                for name, value in metadata.items()
                if name == "set_aside" or name.startswith("rejected: ")
            )
            if n_aside and "unchanged_since" not in metadata:
                counts[event.asset_key.to_user_string()] = n_aside
    return counts
