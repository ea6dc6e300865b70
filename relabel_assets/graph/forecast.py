"""Forecasts of what making a table again would change, found in a copy of the warehouse.

What belongs here: what the `forecast` of an asset gets and returns, and the one that most tables
have. What does not: the forecast of one table (assets/), and going through the tables
(running/plan.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from relabel_assets.graph.step import Rows, Step
from relabel_assets.tables.table import Table
from relabel_assets.teacher.estimate import Estimate


@dataclass(frozen=True)
class Changes:
    """How many rows of a partition a run adds, changes and removes; `is_most`: at most so many."""

    added: int
    changed: int
    removed: int
    is_most: bool = False


@dataclass(frozen=True)
class Forecast:
    """What is known of a table before the run. `changes` is None where nothing can be said of its
    rows; `note` is what else is known. `is_complete`: the copy of the warehouse holds the rows that
    the run would give."""

    changes: Changes | None
    note: str = ""
    is_complete: bool = True

    @property
    def is_certain_change(self) -> bool:
        """Whether rows are added or changed whatever the run finds."""
        found = self.changes
        return found is not None and not found.is_most and found.added + found.changed > 0


@dataclass(frozen=True)
class Trial:
    """A table that would be made again, in a copy of the warehouse that is thrown away.

    `unknown` are the tables it reads whose rows only the run can tell; `earlier` are the forecasts
    of the tables before it.
    """

    step: Step
    function: Callable[[Step], Rows]
    input_hash: str
    unknown: tuple[str, ...]
    earlier: Mapping[str, Forecast]

    def make(self) -> Changes:
        """Make the table in the copy, and say what changed. No teacher is asked: its ledger is."""
        step, before = self.step, self.step.current_rows()
        rows = self.function(replace(step, corpus=replace(step.corpus, is_offline=True)))
        step.warehouse.replace(
            step.table.name,
            step.corpus.name,
            rows.frame,
            input_hash=self.input_hash,
            n_unfinished=rows.n_unfinished,
        )
        return changes_between(step.table, before, step.current_rows())


def by_making(trial: Trial) -> Forecast:
    """The forecast of a table that follows from the tables before it alone."""
    changes = trial.make()
    if trial.unknown:
        return Forecast(None, "its rows are known after the teacher's answer", is_complete=False)
    return Forecast(changes)


def changes_between(table: Table, before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    """What differs between two versions of a partition, in the columns that count."""
    key = [name for name in table.key if name != "corpus"]
    columns = [name for name in table.stable_columns if name != "corpus"]

    def hashed(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(*key, content=rows.select(columns).hash_rows(seed=7))

    both = hashed(before).join(hashed(after), on=key, how="inner", suffix="_after")
    n_changed = both.filter(pl.col("content") != pl.col("content_after")).height
    return Changes(after.height - both.height, n_changed, before.height - both.height)


def cost_note(load: Estimate) -> str:
    """The dollars of a load, to end a sentence; empty where the price is unknown."""
    return "" if load.cost_usd is None else f", about ${load.cost_usd:.4f}"
