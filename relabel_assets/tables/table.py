"""One table beside its columns: its grain, what it reads, and its references to other tables.

What belongs here: the two classes of a declaration, and the validation of a frame. What does not:
the declarations (tables.py) and the columns (schemas.py).
"""

from dataclasses import dataclass

import dataframely as dy
import polars as pl

from relabel_assets.errors import ContractError


@dataclass(frozen=True)
class Reference:
    """A relationship: `columns` of a table name a row of `parent` by the same columns, in the same
    corpus."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table: a file of the same name in assets/ fills it."""

    name: str
    grain: str
    description: str
    schema: type[dy.Schema]
    reads: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    derived: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()

    @property
    def column_sources(self) -> dict[str, tuple[str, ...]]:
        """Each column that follows from columns of other tables, as table.column: keys and computed
        columns."""
        sources: dict[str, tuple[str, ...]] = {}
        for reference in self.references:
            for column, parent_column in zip(
                reference.columns, reference.parent_columns, strict=True
            ):
                sources[column] = (*sources.get(column, ()), f"{reference.parent}.{parent_column}")
        for columns, origins in self.derived:
            sources.update(dict.fromkeys(columns, origins))
        return sources

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name a row."""
        return tuple(self.schema.primary_key())

    @property
    def stable_columns(self) -> tuple[str, ...]:
        """The columns that count when two versions of a row are compared."""
        columns = self.schema.columns().items()
        return tuple(
            name for name, column in columns if not (column.metadata or {}).get("is_volatile")
        )

    def validate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` in the table's column order and types.

        Raises ContractError if a column is missing, unknown, or breaks a rule of the declaration.
        """
        declared, present = set(self.schema.column_names()), set(frame.columns)
        if declared != present:
            missing, unknown = sorted(declared - present), sorted(present - declared)
            raise ContractError(
                f"table {self.name}: columns do not fit its declaration (missing "
                f"{missing}, unknown {unknown}). "
                f"It has {self.schema.column_names()}."
            )
        try:
            return self.schema.validate(frame.select(self.schema.column_names()), cast=True).pipe(
                pl.DataFrame
            )
        except dy.exc.ValidationError as error:
            raise ContractError(f"table {self.name}: {error}. Nothing was written.") from error
