"""Running the graph from a command: what is out of date, corpus by corpus, and one Dagster run for each that is.

What belongs here: what `relabel run` does that the UI does with clicks. What does not: printing (cli.py) and what a
step computes (assets/).
"""

import os
import socket
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import dagster as dg
import polars as pl
import psutil

from relabel_assets.core.progress import silent
from relabel_assets.definitions import build_definitions
from relabel_assets.errors import ConfigError, CorpusError, WarehouseError
from relabel_assets.graph import FORCE_TAG, RECIPES, Step, is_fresh
from relabel_assets.partitions import add_partitions
from relabel_assets.resources.project import Project
from relabel_assets.resources.warehouse import Warehouse
from relabel_assets.tables import TABLES, Table

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
# Tables whose rows `plan` can make without a teacher or a model.
_FORETOLD = ("seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels")


@dataclass(frozen=True)
class Outcome:
    """How one corpus' run ended. `failures` are messages by step; `findings` are checks that did not pass."""

    corpus: str
    is_success: bool
    run_id: str | None = None
    failures: dict[str, str] = field(default_factory=dict)
    findings: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Changes:
    """How many rows of a partition a run would add, change and remove."""

    added: int
    changed: int
    removed: int


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


def stale_tables(project: Project, warehouse: Warehouse, corpus: str, tables: Sequence[str]) -> dict[str, str]:
    """The tables of `tables` whose rows are not what their inputs would give, and why; with all of these that read them.

    Raises CorpusError or ConfigError where the corpus folder cannot be used.
    """
    folder = project.corpora().open(corpus)
    receipts = warehouse.receipts()
    stale: dict[str, str] = {}
    for name in (name for name in TABLES if name in tables):
        receipt = receipts.get((corpus, name))
        parents = [parent for parent in TABLES[name].reads if parent in stale]
        if receipt is None:
            stale[name] = "never made"
        elif receipt.n_unfinished:
            stale[name] = f"{receipt.n_unfinished:,} pieces of work are unfinished"
        elif not is_fresh(receipt, RECIPES[name].input_hash(TABLES[name], folder, receipts), project):
            stale[name] = "its files, settings, code or the tables it reads changed"
        elif parents:
            stale[name] = f"if {' or '.join(parents)} changes"
    return stale


def foretell(project: Project, warehouse: Warehouse, corpus: str, stale: Iterable[str]) -> dict[str, Changes]:
    """What `stale` tables' rows would change, as far as it follows without a teacher or a model; nothing is written.

    The tables are made in a copy of the warehouse, which is thrown away.
    """
    folder, found, wanted = project.corpora().open(corpus), {}, set(stale)
    with tempfile.TemporaryDirectory(prefix="relabel-plan-") as scratch:
        copied = Warehouse.at(Path(scratch) / "warehouse.duckdb")
        if Path(warehouse.database).exists():
            warehouse.copy_to(Path(copied.database))
        for name in (name for name in _FORETOLD if name in wanted):
            if name == "synthetic_queries" and not folder.has_queries:
                break  # the teacher writes them
            if name == "teacher_labels" and folder.teacher_kind != "recorded":
                break
            table, before = TABLES[name], copied.read(name, corpus)
            rows = RECIPES[name].function(Step(table, folder, copied, project, silent))
            copied.replace(name, corpus, rows.frame, input_hash="0" * 64)
            found[name] = _changes(table, before, copied.read(name, corpus))
    return found


def _changes(table: Table, before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    key = [name for name in table.key if name != "corpus"]
    columns = [name for name in table.stable_columns if name != "corpus"]

    def hashed(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(*key, content=rows.select(columns).hash_rows(seed=7))

    both = hashed(before).join(hashed(after), on=key, how="inner", suffix="_after")
    n_changed = both.filter(pl.col("content") != pl.col("content_after")).height
    return Changes(after.height - both.height, n_changed, before.height - both.height)


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
    """Mark runs of this machine whose process was killed as failed, and free what they held of a pool."""
    mine = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED], tags={_HOST_TAG: socket.gethostname()})
    for run in instance.get_runs(mine):
        if psutil.pid_exists(int(run.tags.get(_PROCESS_TAG, "0"))):
            continue
        instance.report_run_failed(run, "Its process ended before it did: killed, or the machine went down.")
        instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)
