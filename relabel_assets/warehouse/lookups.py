"""The project's own queries beside those of one partition: texts by id, past benchmarks, every row.

What belongs here: their SQL. What does not: the rows of a partition (partition.py, frames.py), and queries
that somebody typed (query.py).
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import polars as pl

from relabel_assets.tables.tables import KEPT_BY_WAREHOUSE, TABLES
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
from relabel_assets.warehouse.connection import REMEDY, locked
from relabel_assets.warehouse.query import read_only

if TYPE_CHECKING:
    import duckdb


def texts_query(corpus: str, column: str, ids: pl.Series) -> tuple[str, dict[str, Any]]:
    """The query for the texts of queries or documents with these `ids`, and its values.

    `column` is query_id or doc_id.
    """
    table, columns = {
        "query_id": ("synthetic_queries", "text"),
        "doc_id": ("seed_docs", ", ".join(DOCUMENT_COLUMNS)),
    }[column]
    query = (
        f"select {column}, {columns} from {table} "
        f"where corpus = $corpus and {column} in (select unnest($ids))"
    )
    return query, {"corpus": corpus, "ids": ids.drop_nulls().unique().to_list()}


def past_benchmarks(con: "duckdb.DuckDBPyConnection", corpus: str) -> pl.DataFrame:
    """The rows of benchmark_history of `corpus`, without the corpus column, the oldest first."""
    of_corpus = "from benchmark_history where corpus = $corpus"
    query = f"select * exclude (corpus) {of_corpus} order by noted_at, labeler, metric"
    return con.sql(query, params={"corpus": corpus}).pl()


def read_every_row(path: Path) -> None:
    """Read every row of every table, in a process of its own: a damaged file may crash DuckDB.

    Raises WarehouseError where a row cannot be read.
    """
    with locked(path):
        query = "select table_name from duckdb_tables() where schema_name = 'main'"
        names = read_only(path, query, remedy=REMEDY)["table_name"]
        known = {*TABLES, *(table.name for table in KEPT_BY_WAREHOUSE)} & {*names}
        # One process for all tables: starting one takes longer than reading a small table.
        queries = [f"select bit_xor(hash(rows)) from {name} as rows" for name in sorted(known)]
        if queries:
            read_only(path, " union all ".join(queries), remedy=REMEDY)
