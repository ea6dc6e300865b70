"""The declaration of one table: grain, columns, upstream tables and references.

What belongs here: the classes of a declaration, and validating a frame by it. What does not: the
declarations themselves (tables.py) and the columns (schemas.py).
"""

from dataclasses import dataclass

import dataframely as dy
import polars as pl

from relabel_assets.errors import ContractError


@dataclass(frozen=True)
class Reference:
    """A foreign key within a corpus: `columns` hold the `parent_columns` of a row of `parent`."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table. The file of the same name in assets/ fills it."""

    name: str
    grain: str  # what one row is
    description: str
    schema: type[dy.Schema]
    reads: tuple[str, ...] = ()  # upstream tables
    # Those of `reads` that are inputs only where they have rows: a table that came later changes nothing
    # for a corpus that does not use it.
    optional: frozenset[str] = frozenset()
    references: tuple[Reference, ...] = ()
    # (computed columns, the table.column names that they are computed from)
    derived: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()

    @property
    def column_sources(self) -> dict[str, tuple[str, ...]]:
        """The source columns, as table.column, of each foreign key and computed column."""
        sources: dict[str, tuple[str, ...]] = {}
        for reference in self.references:
            pairs = zip(reference.columns, reference.parent_columns, strict=True)
            for column, parent_column in pairs:
                sources[column] = (*sources.get(column, ()), f"{reference.parent}.{parent_column}")
        for columns, origins in self.derived:
            sources.update(dict.fromkeys(columns, origins))
        return sources

    @property
    def key(self) -> tuple[str, ...]:
        """The columns of the primary key."""
        return tuple(self.schema.primary_key())

    @property
    def stable_columns(self) -> tuple[str, ...]:
        """The columns that are compared between two versions of a row: all but volatile ones."""
        columns = self.schema.columns().items()
        return tuple(
            name for name, column in columns if not (column.metadata or {}).get("is_volatile")
        )

    def validate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` in the table's column order and types.

        Raises ContractError if a column is missing, unknown, or breaks a rule of the declaration.
        """
        names = self.schema.column_names()
        declared, present = set(names), set(frame.columns)
        if declared != present:
            missing, unknown = sorted(declared - present), sorted(present - declared)
            raise ContractError(
                f"table {self.name}: columns do not fit its declaration "
                f"(missing {missing}, unknown {unknown}). It has {names}."
            )
        try:
            return pl.DataFrame(self.schema.validate(frame.select(names), cast=True))
        except dy.exc.ValidationError as error:
            raise ContractError(f"table {self.name}: {error}. Nothing was written.") from error
