"""The SQL of a corpus that goes: counting its rows in every table, and removing them.

What belongs here: statements on an open connection. What does not: the rows of one partition
(partition.py), and the files of a corpus (upkeep/remove_corpus.py).
"""

from contextlib import suppress
from typing import TYPE_CHECKING

from relabel_assets.errors import WarehouseError
from relabel_assets.tables.tables import KEPT_BY_WAREHOUSE, TABLES
from relabel_assets.warehouse.connection import first_line

if TYPE_CHECKING:
    import duckdb

_TABLES = (*TABLES, *(table.name for table in KEPT_BY_WAREHOUSE))


def corpus_rows(con: "duckdb.DuckDBPyConnection", corpus: str) -> dict[str, int]:
    """The number of rows of `corpus` in each table that has any."""
    counts = [
        f"select '{name}' as table_name, count(*) as n from {name} where corpus = $corpus"
        for name in _TABLES
    ]
    rows = con.execute(" union all ".join(counts), {"corpus": corpus}).fetchall()
    return {name: n for name, n in rows if n}


def remove_corpus_rows(con: "duckdb.DuckDBPyConnection", corpus: str) -> None:
    """Remove the rows of `corpus` from every table. Raises WarehouseError, and then keeps all."""
    import duckdb

    try:
        con.begin()
        for name in _TABLES:
            con.execute(f"delete from {name} where corpus = ?", [corpus])
        con.commit()
    except duckdb.Error as error:
        with suppress(duckdb.Error):  # a full disk or a damaged file ends the connection
            con.rollback()
        raise WarehouseError(
            f"corpus {corpus} was not removed: {first_line(error)}. Every row was kept."
        ) from error
