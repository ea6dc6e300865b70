"""The warehouse's tables and views: making them from their declarations, and bringing a file of an earlier version forward.

What belongs here: what a file must have before rows are read or written. What does not: rows (warehouse.py), and the
declarations (tables.py, sql/).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from importlib import resources
from typing import TYPE_CHECKING, Any

import polars as pl

from relabel_assets.errors import WarehouseError
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import GRADE_HISTORY, MATERIALIZATIONS, TABLES

if TYPE_CHECKING:
    import duckdb

REMEDY = (
    "If the file is damaged, restore a backup, or move it away and run `relabel run`: the ledger keeps every label that was "
    "paid for."
)


def view_names() -> list[str]:
    """The views, in the order of their files."""
    return [file.name.removesuffix(".sql") for file in _view_files()]


def _view_files() -> list[Any]:
    folder = resources.files("relabel_assets.warehouse") / "sql"
    return sorted((file for file in folder.iterdir() if file.name.endswith(".sql")), key=lambda file: file.name)


def bring_forward(con: "duckdb.DuckDBPyConnection", database: str) -> None:
    """Make a file that an earlier version made, or none, what this one declares: tables with their comments and constraints,
    then the views that read them. No row is lost.

    Raises WarehouseError for a file that no earlier version made; what is wrong with it is left as it was.
    """
    found: dict[str, set[str]] = {}
    for name, column in con.execute(
        "select table_name, column_name from duckdb_columns() where not internal"
    ).fetchall():
        found.setdefault(name, set()).add(column)
    tables = (*TABLES.values(), MATERIALIZATIONS, GRADE_HISTORY)
    _refuse_what_is_not_ours(database, {table: found[table.name] for table in tables if table.name in found})
    allowed = _allowed_values(con)
    for table in tables:
        if table.name not in found:
            for statement in _table_statements(table):
                con.execute(statement)
            continue
        declared = table.schema.columns()
        for name in [name for name in declared if name not in found[table.name]]:
            # A later version's column: the rows that are there stay, and have none yet.
            con.execute(f"alter table {table.name} add column {name} {_duckdb_type(declared[name].dtype)}")
            con.execute(f"comment on column {table.name}.{name} is {_quoted(declared[name].description or '')}")
        if any(allowed.get((table.name, name), values) != values for name, values in _enums(table).items()):
            _make_again(con, table, database)
    existing = dict(con.execute("select view_name, comment from duckdb_views() where not internal").fetchall())
    for file in _view_files():
        name, text = file.name.removesuffix(".sql"), file.read_text(encoding="utf-8")
        first_comment = re.match(r"--\s*(.+)", text)
        # The comment carries a digest of the file, so that a view made by an earlier version is made again.
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        comment = f"{first_comment.group(1) if first_comment else name} [{digest}]"
        if existing.get(name) != comment:
            con.execute(f"create or replace view {name} as {text}")
            con.execute(f"comment on view {name} is {_quoted(comment)}")


def _enums(table: Table) -> dict[str, set[str]]:
    """The values that each column of `table` allows, where it allows some only."""
    columns = table.schema.columns().items()
    return {name: set(column.dtype.categories) for name, column in columns if isinstance(column.dtype, pl.Enum)}


def _allowed_values(con: "duckdb.DuckDBPyConnection") -> dict[tuple[str, str], set[str]]:
    """The values that the checks in the file allow, by table and column."""
    query = """select table_name, constraint_column_names[1], expression from duckdb_constraints()
        where constraint_type = 'CHECK' and len(constraint_column_names) = 1"""
    return {
        (table, column): {value.replace("''", "'") for value in re.findall(r"'((?:[^']|'')*)'", check)}
        for table, column, check in con.execute(query).fetchall()
    }


def _make_again(con: "duckdb.DuckDBPyConnection", table: Table, database: str) -> None:
    """Give `table` the checks that it declares: DuckDB cannot change those of a table that is there."""
    import duckdb

    con.begin()
    try:
        con.execute(f"alter table {table.name} rename to before_{table.name}")
        for statement in _table_statements(table):
            con.execute(statement)
        con.execute(f"insert into {table.name} by name select * from before_{table.name}")
        con.execute(f"drop table before_{table.name}")
        con.commit()
    except duckdb.ConstraintException as error:
        con.rollback()
        raise WarehouseError(
            f"{database} was made by a later version of relabel-assets: {str(error).splitlines()[0]}. Install that version. "
            f"Table {table.name} was not changed."
        ) from error
    except BaseException:
        con.rollback()
        raise


def _refuse_what_is_not_ours(database: str, found: Mapping[Table, set[str]]) -> None:
    """Raises WarehouseError, before anything is changed, where a table's columns are not what an earlier version made."""
    for table, columns in found.items():
        declared = table.schema.columns()
        if unknown := sorted(columns - set(declared)):
            raise WarehouseError(
                f"{database} was made by a later version of relabel-assets: table {table.name} has {', '.join(unknown)}. "
                "Install that version. Nothing was changed."
            )
        if missing := [name for name, column in declared.items() if name not in columns and not column.nullable]:
            raise WarehouseError(
                f"{database}: table {table.name} has no {', '.join(missing)}, which every version of relabel-assets gave it. "
                f"{REMEDY}"
            )


def _table_statements(table: Table) -> Iterator[str]:
    columns = []
    for name, column in table.schema.columns().items():
        parts = [name, _duckdb_type(column.dtype), "" if column.nullable else "not null"]
        if isinstance(column.dtype, pl.Enum):
            allowed = ", ".join(_quoted(value) for value in column.dtype.categories)
            parts.append(f"check ({name} in ({allowed}))")
        columns.append(" ".join(part for part in parts if part))
    yield f"create table {table.name} ({', '.join(columns)})"
    yield f"comment on table {table.name} is {_quoted(f'One row per {table.grain}. {table.description}')}"
    for name, column in table.schema.columns().items():
        yield f"comment on column {table.name}.{name} is {_quoted(column.description or '')}"


def _duckdb_type(dtype: pl.DataType) -> str:
    if isinstance(dtype, pl.List):
        return f"{_duckdb_type(dtype.inner)}[]"  # type: ignore[arg-type]
    if isinstance(dtype, pl.Datetime):
        return "timestamptz"
    names = {
        pl.String: "varchar",
        pl.Enum: "varchar",
        pl.Int8: "tinyint",
        pl.Int32: "integer",
        pl.Int64: "bigint",
        pl.Float64: "double",
        pl.Boolean: "boolean",
    }
    return names[type(dtype)]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
