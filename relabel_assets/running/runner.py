"""Running the graph from a command: one Dagster run for each corpus that is out of date.

What belongs here: what `relabel run` does that the UI does with clicks. What does not: what is out of date (plan.py),
printing (terminal.py) and what a step computes (assets/).
"""

import os
import shutil
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import dagster as dg

from relabel_assets.definitions import build_definitions
from relabel_assets.errors import ConfigError, CorpusError, RelabelError, WarehouseError
from relabel_assets.graph.partitions import add_partitions, folder_seen
from relabel_assets.graph.project import Project
from relabel_assets.graph.table_asset import FORCE_TAG
from relabel_assets.running.dagster_state import HOST_TAG, PROCESS_TAG, bury_dead_runs, usable_instance
from relabel_assets.running.plan import stale_tables
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse

_DAGSTER_YAML = """\
# Written by relabel-assets when this folder was made; yours to change.
telemetry:
  enabled: false
concurrency:
  # The pool "teacher" is the teacher's rate limit, "student" the machine's GPU or cores: one step of each at a time.
  pools: {default_limit: 1, granularity: op}
  runs: {max_concurrent_runs: 4}
run_monitoring:
  # A run whose process is gone is marked as failed, and what it held of a pool is free again.
  enabled: true
  free_slots_after_run_end_seconds: 60
"""
# Dagster's own state and the copy for readers, of a small corpus: less ends halfway, in messages of SQLite.
_LEAST_FREE_BYTES = 50_000_000


@dataclass(frozen=True)
class Outcome:
    """How one corpus' run ended. `failures` are messages by step; `findings` are checks that did not pass."""

    corpus: str
    is_success: bool
    run_id: str | None = None
    failures: dict[str, str] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)


def from_environment() -> tuple[Project, Warehouse]:
    """The project and warehouse that RELABEL_HOME and RELABEL_DATA name; the home is made where it is not there.

    Raises WarehouseError where the home cannot be written.
    """
    project = Project.from_environment()
    settings = project.home.dagster / "dagster.yaml"
    try:
        settings.parent.mkdir(parents=True, exist_ok=True)
        if not settings.exists():
            settings.write_text(_DAGSTER_YAML, encoding="utf-8")
    except OSError as error:
        raise WarehouseError(f"RELABEL_HOME cannot be made: {error}. Set it to a folder you may write to.") from error
    return project, Warehouse.at(project.home.warehouse)


def select_tables(selection: str | None) -> list[str]:
    """The tables that a Dagster asset selection (`teacher_labels+`, `*student_labels`) names, in pipeline order.

    Raises ConfigError for a selection that names no table.
    """
    if not selection:
        return list(TABLES)
    graph = build_definitions().resolve_asset_graph()
    try:
        chosen = {key.to_user_string() for key in dg.AssetSelection.from_string(selection).resolve(graph)}
    except Exception as error:
        raise ConfigError(f"--select {selection!r} cannot be read: {error}. Tables: {', '.join(TABLES)}.") from error
    if not chosen:
        raise ConfigError(f"--select {selection!r} names no table. Tables: {', '.join(TABLES)}.")
    return [name for name in TABLES if name in chosen]


def bring_up_to_date(
    project: Project, warehouse: Warehouse, corpus: str, tables: Sequence[str], *, is_forced: bool = False
) -> Outcome | None:
    """Run what is stale of one corpus; None where nothing is. A corpus that cannot be used is an outcome, not an error."""
    try:
        stale = list(tables) if is_forced else list(stale_tables(project, warehouse, corpus, tables))
    except (CorpusError, ConfigError) as error:
        return Outcome(corpus, False, failures={"corpus folder": str(error)})
    if stale:
        return run_corpus(project, corpus, stale, is_forced=is_forced)
    # A run may have been killed when its last table was finished, or had yet to be copied for readers.
    warehouse.catch_up(receipt for (name, _), receipt in warehouse.receipts().items() if name == corpus)
    with usable_instance(project.home) as instance:
        bury_dead_runs(instance)
    return None


def run_corpus(project: Project, corpus: str, tables: Sequence[str], *, is_forced: bool = False) -> Outcome:
    """Materialize `tables` of `corpus` in one Dagster run, with their checks; a failure is in the outcome, not raised.

    Raises KeyboardInterrupt where Ctrl-C or SIGTERM stopped it, so that no other corpus is begun, and WarehouseError where
    there is no room or Dagster's state cannot be written: what was finished is in the warehouse.
    """
    free = shutil.disk_usage(project.home.path).free
    if free < _LEAST_FREE_BYTES:
        raise WarehouseError(
            f"the disk of {project.home.path} has {free / 1e6:.0f} MB left, and a run needs {_LEAST_FREE_BYTES / 1e6:.0f} MB. "
            "Make room, or set RELABEL_HOME to another disk. Nothing was changed."
        )
    return _outcome(corpus, _execute(project, corpus, tables, is_forced))


def _execute(project: Project, corpus: str, tables: Sequence[str], is_forced: bool) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(project)
    with usable_instance(project.home) as instance:
        bury_dead_runs(instance)
        add_partitions(instance, [corpus])
        with suppress(RelabelError, OSError):  # a folder that cannot be read is said by the step that reads it
            instance.report_runless_asset_event(folder_seen(project.corpora().open(corpus)))
        return definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            partition_key=corpus,
            asset_selection=[dg.AssetKey(name) for name in tables],
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={HOST_TAG: socket.gethostname(), PROCESS_TAG: str(os.getpid())}
            | ({FORCE_TAG: "true"} if is_forced else {}),
            raise_on_error=False,
        )


def _outcome(corpus: str, result: dg.ExecuteInProcessResult) -> Outcome:
    failures = {}
    for event in result.all_events:
        if event.is_step_failure:
            failure = event.step_failure_data
            if failure.error_source and failure.error_source.name == "INTERRUPT":
                raise KeyboardInterrupt
            described = failure.user_failure_data and failure.user_failure_data.description
            failures[str(event.step_key)] = described or str(
                failure.error.to_string() if failure.error else event.message
            )
    findings = {}
    for check in result.get_asset_check_evaluations():
        if not check.passed:
            first = check.metadata.get("first")
            findings[f"{check.asset_key.to_user_string()}: {check.check_name}"] = str(first.value if first else "")
    return Outcome(corpus, result.success, result.run_id, failures, findings)
