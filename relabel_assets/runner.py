"""Running the graph from a command: one Dagster run for each corpus that is out of date.

What belongs here: what `relabel run` does that the UI does with clicks. What does not: what is out of date (plan.py),
printing (terminal.py) and what a step computes (assets/).
"""

import os
import socket
from collections.abc import Sequence
from dataclasses import dataclass, field

import dagster as dg
import psutil
from dagster._core.storage.runs import SqliteRunStorage

from relabel_assets.definitions import build_definitions
from relabel_assets.errors import ConfigError, CorpusError, WarehouseError
from relabel_assets.graph import FORCE_TAG
from relabel_assets.partitions import add_partitions
from relabel_assets.plan import stale_tables
from relabel_assets.resources.project import Project
from relabel_assets.resources.warehouse import Warehouse
from relabel_assets.tables import TABLES

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
_HOST_TAG, _PROCESS_TAG = "relabel/host", "relabel/process"
_SAME_PROCESS_S = 5  # a run begins after its process; clocks and boot times are rounded


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
    return run_corpus(project, corpus, stale, is_forced=is_forced) if stale else None


def run_corpus(project: Project, corpus: str, tables: Sequence[str], *, is_forced: bool = False) -> Outcome:
    """Materialize `tables` of `corpus` in one Dagster run, with their checks; a failure is in the outcome, not raised.

    Raises KeyboardInterrupt where Ctrl-C or SIGTERM stopped it, so that no other corpus is begun.
    """
    definitions = build_definitions(project)
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        _bury_the_dead(instance)
        add_partitions(instance, [corpus])
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            partition_key=corpus,
            asset_selection=[dg.AssetKey(name) for name in tables],
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={_HOST_TAG: socket.gethostname(), _PROCESS_TAG: str(os.getpid())}
            | ({FORCE_TAG: "true"} if is_forced else {}),
            raise_on_error=False,
        )
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


def _bury_the_dead(instance: dg.DagsterInstance) -> None:
    """Mark runs of this machine whose process was killed as failed, and free what they held of a pool.

    A run of `relabel run` carries its host. One that the UI or `dagster` started says only its process: it is of this
    machine where Dagster's state is, in SQLite.
    """
    begun = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
    is_local = isinstance(instance.run_storage, SqliteRunStorage)
    for record in instance.get_run_records(dg.RunsFilter(statuses=begun)):
        run, began_s = record.dagster_run, record.start_time or record.create_timestamp.timestamp()
        host = run.tags.get(_HOST_TAG)
        if host != socket.gethostname() if host else not is_local:
            continue
        process = run.tags.get(_PROCESS_TAG) or _process_in_log(instance, run.run_id)
        if process is None or _is_alive(int(process), began_s):
            continue
        instance.report_run_failed(run, "Its process ended before it did: killed, or the machine went down.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def _process_in_log(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """The process that the run's executor said it is; None where the run did not get so far."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        pid = entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if pid is not None:
            return str(pid.value)
    return None


def _is_alive(process: int, began_s: float) -> bool:
    """Whether `process` runs, and is not another that was given its number after the run began."""
    try:
        return psutil.Process(process).create_time() < began_s + _SAME_PROCESS_S
    except psutil.Error:
        return False
