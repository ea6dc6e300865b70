"""Forecasts of the changes of a run, computed in a copy of the warehouse.

What belongs here: the argument and the result of an asset's `forecast`, and the default forecast.
What does not: the forecast of one table (assets/), and the loop over the tables (running/plan.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from relabel_assets.graph.step import Rows, Step, row_hashes
from relabel_assets.tables.table import Table
from relabel_assets.teacher.estimate import Estimate


@dataclass(frozen=True)
class Changes:
    """The number of rows that a run adds, changes and removes in a partition.

    With `is_upper_bound` each number is a maximum.
    """

    added: int
    changed: int
    removed: int
    is_upper_bound: bool = False


@dataclass(frozen=True)
class Forecast:
    """The changes of one table, as far as they are known before the run.

    `changes` is None if they are unknown. `note` adds a reason or a cost. With `is_complete` the copy
    of the warehouse holds the rows that the run would write.
    """

    changes: Changes | None
    note: str = ""
    is_complete: bool = True

    @property
    def is_certain_change(self) -> bool:
        """Whether the run adds or changes rows in any case."""
        changes = self.changes
        return (
            changes is not None
            and not changes.is_upper_bound
            and changes.added + changes.changed > 0
        )


@dataclass(frozen=True)
class Trial:
    """A table that the run would compute again, in a temporary copy of the warehouse.

    `unknown` names the upstream tables whose rows are unknown before the run. `earlier` has the
    forecasts of the tables before this one.
    """

    step: Step
    function: Callable[[Step], Rows]
    input_hash: str
    unknown: tuple[str, ...]
    earlier: Mapping[str, Forecast]

    def compute(self) -> Changes:
        """Compute the table in the copy and count its changes. The teacher answers from its ledger."""
        step, before = self.step, self.step.current_hashes()
        rows = self.function(replace(step, corpus=replace(step.corpus, is_offline=True)))
        step.warehouse.replace(
            step.table.name,
            step.corpus.name,
            rows.frame,
            input_hash=self.input_hash,
            n_unfinished=rows.n_unfinished,
        )
        return changes_of(step.table, before, step.current_hashes())


def computed_forecast(trial: Trial) -> Forecast:
    """The forecast of a table whose rows follow from upstream tables alone."""
    changes = trial.compute()
    if trial.unknown:
        return Forecast(None, "its rows depend on the teacher's answers", is_complete=False)
    return Forecast(changes)


def changes_between(table: Table, before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    """The differences between two versions of a partition, in the table's stable columns."""
    return changes_of(table, row_hashes(table, before), row_hashes(table, after))


def changes_of(table: Table, before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    """As changes_between, by the hashes of the rows (step.row_hashes)."""
    key = [name for name in table.key if name != "corpus"]
    both = before.join(after, on=key, how="inner", suffix="_after")
    n_changed = both.filter(pl.col("content") != pl.col("content_after")).height
    return Changes(after.height - both.height, n_changed, before.height - both.height)


def cost_note(load: Estimate) -> str:
    """The cost of an estimate, to end a sentence; empty if the price is unknown."""
    return "" if load.cost_usd is None else f", about ${load.cost_usd:.4f}"
