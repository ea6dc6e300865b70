"""The plan of a run: its stale tables, the reasons, and the number of rows that change.

What belongs here: finding stale partitions, and the loop over the tables in a copy of the warehouse.
What does not: the forecast of one table (assets/), running (runner.py), the tokens and dollars of a
teacher (teacher/estimate.py), printing (cli/output.py).

A plan sends no request: a live teacher answers from its ledger. Changes that depend on a new answer or
on a training are reported as unknown.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from relabel_assets import definitions  # noqa: F401 (its assets fill RECIPES)
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.graph import recipe
from relabel_assets.graph.failures import message_of
from relabel_assets.graph.forecast import Changes, Forecast, Trial
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import RECIPES, if_changed, stale_reason
from relabel_assets.graph.step import Step
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.progress import working_on
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.connection import named
from relabel_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Planned:
    """A table that the run would compute again. `changes` is None if they are unknown."""

    table: str
    reason: str
    changes: Changes | None = None
    note: str = ""


def stale_tables(
    project: Project, warehouse: Warehouse, corpus: str, tables: Sequence[str]
) -> dict[str, str]:
    """The stale tables among `tables` with their reasons: changed inputs, or a stale upstream table.

    Raises CorpusError or ConfigError where the corpus folder cannot be used.
    """
    folder = project.corpora().open(corpus)
    return recipe.stale_tables(project, folder, warehouse.receipts(), tables)


def plan(
    project: Project, warehouse: Warehouse, corpus: str, tables: Sequence[str]
) -> list[Planned]:
    """The tables that a run over `tables` would compute again. Writes nothing and sends no request.

    Tables that need no teacher and no training are computed in a temporary copy of the warehouse.
    Raises CorpusError or ConfigError where the corpus folder cannot be used.
    """
    folder = project.corpora().open(corpus)
    with tempfile.TemporaryDirectory(prefix="relabel-plan-") as scratch:
        copy = Warehouse.at(Path(scratch) / "warehouse.duckdb")
        if Path(warehouse.database).exists():
            warehouse.copy_to(Path(copy.database))
        with named(copy.database, warehouse.database):  # it is damaged where the file is
            return _plan_in(copy, project, folder, tables)


def _plan_in(
    copy: Warehouse, project: Project, folder: CorpusFolder, tables: Sequence[str]
) -> list[Planned]:
    """The plan, computed in `copy`: each table from the forecast rows of its upstream tables."""
    planned: list[Planned] = []
    forecasts: dict[str, Forecast] = {}
    for table in (TABLES[name] for name in TABLES if name in tables):
        table_recipe, receipts = RECIPES[table.name], copy.receipts()
        inputs = table_recipe.inputs(table, folder, receipts)
        reason = stale_reason(project, receipts.get((folder.name, table.name)), inputs)
        unknown = tuple(
            name for name in table.reads if name in forecasts and not forecasts[name].is_complete
        )
        if reason is None and not unknown:
            continue
        try:
            with working_on(f"{folder.name} / plan of {table.name}") as progress:
                step = Step(table, folder, copy, project, progress)
                trial = Trial(step, table_recipe.function, inputs.hash, unknown, dict(forecasts))
                forecast = table_recipe.forecast(trial)
        except INPUT_ERRORS as error:
            forecast = Forecast(None, f"it would fail: {message_of(error)}", is_complete=False)
        forecasts[table.name] = forecast
        reason = reason or if_changed(unknown)
        planned.append(Planned(table.name, reason, forecast.changes, forecast.note))
    return planned
