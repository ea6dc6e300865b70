"""Running the graph from a command: what is out of date, corpus by corpus, and one Dagster run for each that is.

What belongs here: what `relabel run` does that the UI does with clicks. What does not: printing (cli.py) and what a
step computes (assets/).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

import dagster as dg

from relabel_assets.definitions import build_definitions
from relabel_assets.errors import ConfigError, CorpusError, WarehouseError
from relabel_assets.graph import FORCE_TAG, RECIPES, is_fresh
from relabel_assets.partitions import add_partitions
from relabel_assets.resources.project import Project
from relabel_assets.resources.warehouse import Warehouse
from relabel_assets.tables import TABLES

_DAGSTER_YAML = """\
# Written by relabel-assets when this folder was made; yours to change.
telemetry:
  enabled: false
"""


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
        add_partitions(instance, [corpus])
        result = definitions.resolve_implicit_global_asset_job_def().execute_in_process(
            instance=instance,
            partition_key=corpus,
            asset_selection=[dg.AssetKey(name) for name in tables],
            run_config={"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
            tags={FORCE_TAG: "true"} if is_forced else {},
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
