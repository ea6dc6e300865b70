"""The step that a table's function gets, and the rows that it returns.

What belongs here: the tools of a step, and its rows. What does not: running a step
(table_asset.py), and the inputs of a table (recipe.py).
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import Problem
from relabel_assets.graph.project import Project
from relabel_assets.progress import Progress
from relabel_assets.tables.table import Table
from relabel_assets.warehouse.spool import Spool
from relabel_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Step:
    """The argument of a table's function: its corpus, the tables it reads, and the tools."""

    table: Table
    corpus: CorpusFolder
    warehouse: Warehouse
    project: Project
    progress: Progress

    def read(self, table: str, *, columns: Sequence[str] | None = None) -> pl.DataFrame:
        """The corpus' rows of an upstream table; with `columns` these alone, without the texts."""
        self._check(table)
        return self.warehouse.read(table, self.corpus.name, columns=columns)

    def read_column(self, table: str, column: str) -> pl.Series:
        """One column of `read`."""
        return self.read(table, columns=[column])[column]

    def read_batches(self, table: str) -> Iterator[pl.DataFrame]:
        """The rows of `read`, some thousand at a time."""
        self._check(table)
        return self.warehouse.read_batches(table, self.corpus.name)

    def current_rows(self) -> pl.DataFrame:
        """The corpus' rows of the step's own table, before the step replaces them."""
        return self.warehouse.read(self.table.name, self.corpus.name)

    def current_hashes(self) -> pl.DataFrame:
        """The key of each of `current_rows`, and a hash of its stable columns."""
        frames = self.warehouse.frames(self.table.name, self.corpus.name)
        return pl.concat(row_hashes(self.table, rows) for rows in frames)

    def spool(self) -> Spool:
        """A spool for rows of the step's table that do not fit in memory."""
        (key,) = (name for name in self.table.key if name != "corpus")
        return Spool(self.project.home.scratch, key)

    def _check(self, table: str) -> None:
        if table not in self.table.reads:
            raise ValueError(f"{self.table.name} reads {table}, which tables.py does not declare")


def row_hashes(table: Table, rows: pl.DataFrame) -> pl.DataFrame:
    """The key of each row of `table` without corpus, and a hash of its stable columns as `content`."""
    key = [name for name in table.key if name != "corpus"]
    columns = [name for name in table.stable_columns if name != "corpus"]
    return rows.select(*key, content=rows.select(columns).hash_rows(seed=7))  # any fixed seed


def read_as(notes: Sequence[str]) -> dict[str, str]:
    """Metadata of a table: how its file was read. Nothing where that was plain.

    >>> read_as(["queries.csv: CSV with semicolons, UTF-8"])
    {'read_as': 'queries.csv: CSV with semicolons, UTF-8'}
    """
    return {"read_as": "\n".join(notes)} if notes else {}


@dataclass(frozen=True)
class Rows:
    """The result of a table's function: the new partition, its metadata, and its problems.

    The next run repeats `n_unfinished` pieces of work. `files` are relative to RELABEL_HOME, and so are
    `obsolete`: folders that are removed once the rows are stored. `notices` are sentences for the
    terminal: what a reader should know of rows that are all usable.
    """

    frame: pl.DataFrame | Spool
    metadata: Mapping[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    n_unfinished: int = 0
    files: tuple[str, ...] = ()
    obsolete: tuple[str, ...] = ()
    notices: list[str] = field(default_factory=list)
