"""The plan of a run: the tables it would make again, why, and how many of their rows change.

What belongs here: telling fresh partitions from stale ones, and going through the tables in a copy
of the warehouse. What does not: what can be said of one table (assets/), running (runner.py), a
teacher's tokens and dollars (teacher/estimate.py), printing (cli/output.py).

A live teacher answers from its ledger alone here. What only its answer or a training can tell is
named, not guessed.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relabel_assets import definitions  # noqa: F401 (its assets fill RECIPES)
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import RelabelError
from relabel_assets.graph.forecast import Changes, Forecast, Trial
from relabel_assets.graph.inputs import Inputs
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import RECIPES, is_fresh
from relabel_assets.graph.step import Step
from relabel_assets.progress import silent
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Receipt, Warehouse


@dataclass(frozen=True)
class Planned:
    """A table that would be made again. `changes` is None where nothing is known of its rows."""

    table: str
    reason: str
    changes: Changes | None = None
    note: str = ""


def stale_tables(
    project: Project, warehouse: Warehouse, corpus: str, tables: Sequence[str]
) -> dict[str, str]:
    """The tables of `tables` whose rows are not what their inputs would give, and why; with all of
    these that read them.

    Raises CorpusError or ConfigError where the corpus folder cannot be used.
    """
    folder = project.corpora().open(corpus)
    receipts = warehouse.receipts()
    stale: dict[str, str] = {}
    for name in (name for name in TABLES if name in tables):
        parents = [parent for parent in TABLES[name].reads if parent in stale]
        inputs = RECIPES[name].inputs(TABLES[name], folder, receipts)
        reason = _why(project, receipts.get((corpus, name)), inputs)
        if reason or parents:
            stale[name] = reason or _if_changed(parents)
    return stale


def plan(
    project: Project, warehouse: Warehouse, corpus: str, tables: Sequence[str]
) -> list[Planned]:
    """What a run over `tables` would do, table by table; nothing is written and nobody is asked.

    The tables are made in a copy of the warehouse, which is thrown away, as far as they follow
    without a teacher or a model. Raises CorpusError or ConfigError where the corpus folder cannot
    be used.
    """
    folder = project.corpora().open(corpus)
    with tempfile.TemporaryDirectory(prefix="relabel-plan-") as scratch:
        copied = Warehouse.at(Path(scratch) / "warehouse.duckdb")
        if Path(warehouse.database).exists():
            warehouse.copy_to(Path(copied.database))
        return _plan_in(copied, project, folder, tables)


def _plan_in(
    copied: Warehouse, project: Project, folder: CorpusFolder, tables: Sequence[str]
) -> list[Planned]:
    """The plan, made in `copied`: each table on the rows that the ones before it would have."""
    planned: list[Planned] = []
    forecasts: dict[str, Forecast] = {}
    for table in (TABLES[name] for name in TABLES if name in tables):
        recipe, receipts = RECIPES[table.name], copied.receipts()
        inputs = recipe.inputs(table, folder, receipts)
        reason = _why(project, receipts.get((folder.name, table.name)), inputs)
        unknown = tuple(
            name for name in table.reads if name in forecasts and not forecasts[name].is_complete
        )
        if reason is None and not unknown:
            continue
        step = Step(table, folder, copied, project, silent)
        trial = Trial(step, recipe.function, inputs.hash, unknown, dict(forecasts))
        try:
            forecast = recipe.forecast(trial)
        except RelabelError as error:
            forecast = Forecast(None, f"it would fail: {error}", is_complete=False)
        forecasts[table.name] = forecast
        reason = reason or _if_changed(unknown)
        planned.append(Planned(table.name, reason, forecast.changes, forecast.note))
    return planned


def _why(project: Project, receipt: Receipt | None, inputs: Inputs) -> str | None:
    """Why a partition would be made again; None where it would not."""
    if receipt is None:
        return "never made"
    if receipt.n_unfinished:
        return f"{receipt.n_unfinished:,} pieces of work are unfinished"
    if receipt.input_hash != inputs.hash:
        return f"changed: {inputs.changed_since(receipt)}"
    if not is_fresh(receipt, inputs.hash, project):
        return f"gone: {', '.join(receipt.files)}"
    return None


def _if_changed(parents: Sequence[str]) -> str:
    return f"if {' or '.join(parents)} changes"
