"""Tables and views of the warehouse: creating them, and upgrading a file of an earlier version.

What belongs here: the catalog of a file. What does not: its rows (partition.py), and the
declarations of tables (tables/) and views (sql/).
"""

import hashlib
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from relabel_assets.errors import WarehouseError
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import KEPT_BY_WAREHOUSE, TABLES
from relabel_assets.warehouse.connection import REMEDY, first_line, quoted

if TYPE_CHECKING:
    import duckdb


@dataclass(frozen=True)
class FileVersion:
    """Inode, size and time of a file. They change when it is written or replaced."""

    inode: int
    size: int
    modified_ns: int

    @classmethod
    def of(cls, path: Path) -> "FileVersion | None":
        """The version of the file at `path`; None if it does not exist."""
        try:
            status = path.stat()
        except FileNotFoundError:
            return None
        return cls(status.st_ino, status.st_size, status.st_mtime_ns)


def view_names() -> list[str]:
    """The names of all views, sorted."""
    return [file.name.removesuffix(".sql") for file in _view_files()]


def _view_files() -> list[Any]:
    folder = resources.files("relabel_assets.warehouse") / "sql"
    files = (file for file in folder.iterdir() if file.name.endswith(".sql"))
    return sorted(files, key=lambda file: file.name)


def upgrade_schema(con: "duckdb.DuckDBPyConnection", database: str) -> bool:
    """Add the missing tables, columns, checks and views of this version; return whether any was missing.

    The file may be new or of an earlier version. No row is lost. Raises WarehouseError for a file
    that no earlier version wrote, before anything is changed.
    """
    columns: dict[str, dict[str, str]] = {}
    for table_name, column, kind in con.execute(
        "select table_name, column_name, data_type from duckdb_columns() where not internal"
    ).fetchall():
        columns.setdefault(table_name, {})[column] = kind
    tables = (*TABLES.values(), *KEPT_BY_WAREHOUSE)
    _refuse_impostors(con, database, {table.name for table in tables})
    _refuse_foreign(
        database, {table: columns[table.name] for table in tables if table.name in columns}
    )
    allowed = _allowed_values(con)
    statements_run = 0
    for table in tables:
        if table.name in columns:
            statements = list(_added_columns(table, {*columns[table.name]}))
        else:
            statements = list(_table_statements(table))
        for statement in statements:
            con.execute(statement)
        statements_run += len(statements)
        enums = _enum_values(table)
        checked = {column: values for (of, column), values in allowed.items() if of == table.name}
        if any(enums.get(column) != values for column, values in checked.items()):
            _recreate_with_checks(con, table, database)
            statements_run += 1
    # After the tables, which the views read.
    return _upgrade_views(con) or statements_run > 0


def _upgrade_views(con: "duckdb.DuckDBPyConnection") -> bool:
    """Create the views that are missing or of another version; return whether there was one."""
    comments = dict(
        con.execute("select view_name, comment from duckdb_views() where not internal").fetchall()
    )
    is_changed = False
    for file in _view_files():
        name = file.name.removesuffix(".sql")
        text = file.read_text(encoding="utf-8")
        first_comment = re.match(r"--\s*(.+)", text)
        # The digest of the view's text shows whether another version created it.
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        comment = f"{first_comment.group(1) if first_comment else name} [{digest}]"
        if comments.get(name) != comment:
            con.execute(f"create or replace view {name} as {text}")
            con.execute(f"comment on view {name} is {quoted(comment)}")
            is_changed = True
    return is_changed


def _enum_values(table: Table) -> dict[str, set[str]]:
    """The values that each enum column of `table` allows."""
    columns = table.schema.columns().items()
    return {
        name: set(column.dtype.categories)
        for name, column in columns
        if isinstance(column.dtype, pl.Enum)
    }


def _allowed_values(con: "duckdb.DuckDBPyConnection") -> dict[tuple[str, str], set[str]]:
    """The values that the checks in the file allow, by table and column."""
    query = """select table_name, constraint_column_names[1], expression
        from duckdb_constraints()
        where constraint_type = 'CHECK' and len(constraint_column_names) = 1"""
    return {
        (table, column): {
            value.replace("''", "'") for value in re.findall(r"'((?:[^']|'')*)'", check)
        }
        for table, column, check in con.execute(query).fetchall()
    }


def _recreate_with_checks(con: "duckdb.DuckDBPyConnection", table: Table, database: str) -> None:
    """Create `table` again with its declared checks and its rows, in one transaction.

    DuckDB cannot change the checks of an existing table.
    """
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
            f"{database} was written by a later version of relabel-assets: {first_line(error)}. "
            f"Install that version. Table {table.name} was not changed."
        ) from error
    except BaseException:
        con.rollback()
        raise


def _refuse_impostors(con: "duckdb.DuckDBPyConnection", database: str, tables: set[str]) -> None:
    """Raise WarehouseError for a view in place of a table, and for a macro in place of a function.

    Somebody may have put it there, so that our own SQL computes something else.
    """
    views = con.execute("select view_name from duckdb_views() where not internal").fetchall()
    macros = con.execute(
        """select function_name from duckdb_functions() group by function_name
        having bool_or(internal) and not bool_and(internal)"""
    ).fetchall()
    impostors = sorted({f"the view {name}" for (name,) in views if name in tables}) + sorted(
        f"the macro {name}" for (name,) in macros
    )
    if impostors:
        raise WarehouseError(
            f"{database} has {impostors[0]}, which no version of relabel-assets writes. {REMEDY}"
        )


def _refuse_foreign(database: str, columns: Mapping[Table, Mapping[str, str]]) -> None:
    """Raise WarehouseError for tables that no earlier version wrote, before anything is changed.

    Such a table has an unknown column, lacks a column that every version had, or has another type.
    `columns` has the types by name.
    """
    for table, present in columns.items():
        declared = table.schema.columns()
        unknown = sorted(set(present) - set(declared))
        if unknown:
            raise WarehouseError(
                f"{database} was written by a later version of relabel-assets: table {table.name} "
                f"has {', '.join(unknown)}. Install that version. Nothing was changed."
            )
        missing = [
            name for name, column in declared.items() if name not in present and not column.nullable
        ]
        if missing:
            raise WarehouseError(
                f"{database}: table {table.name} has no {', '.join(missing)}, which every version of "
                f"relabel-assets writes. {REMEDY}"
            )
        for name, kind in present.items():
            expected = _duckdb_type(declared[name].dtype)
            if kind.lower().replace("timestamp with time zone", "timestamptz") != expected:
                raise WarehouseError(
                    f"{database}: {name} of table {table.name} is {kind}, and every version of "
                    f"relabel-assets writes {expected}. {REMEDY}"
                )


def _added_columns(table: Table, present: set[str]) -> Iterator[str]:
    """Statements that add missing columns. All are nullable, because older rows have no value."""
    for name, column in table.schema.columns().items():
        if name not in present:
            yield f"alter table {table.name} add column {name} {_duckdb_type(column.dtype)}"
            yield f"comment on column {table.name}.{name} is {quoted(column.description or '')}"


def _table_statements(table: Table) -> Iterator[str]:
    """Statements that create a table with its checks and comments."""
    columns = []
    for name, column in table.schema.columns().items():
        parts = [name, _duckdb_type(column.dtype)]
        if not column.nullable:
            parts.append("not null")
        if isinstance(column.dtype, pl.Enum):
            allowed = ", ".join(quoted(value) for value in column.dtype.categories)
            parts.append(f"check ({name} in ({allowed}))")
        columns.append(" ".join(parts))
    yield f"create table {table.name} ({', '.join(columns)})"
    comment = f"One row per {table.grain}. {table.description}"
    yield f"comment on table {table.name} is {quoted(comment)}"
    for name, column in table.schema.columns().items():
        yield f"comment on column {table.name}.{name} is {quoted(column.description or '')}"


def _duckdb_type(dtype: pl.DataType) -> str:
    """The DuckDB type of a column. Enums are varchar with a check."""
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
