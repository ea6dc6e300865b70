"""Rows and files that several tests of the warehouse store.

What belongs here: labels, rows of any table, a hash and the files in earlier/. What does not: assertions,
and the fixture of a warehouse (conftest.py).
"""

from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.tables.tables import TABLES

HASH = "0" * 64


EARLIER = sorted((Path(__file__).parent / "earlier").glob("*.sql"))


def labels(*queries: str, grade: int = 2) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "query_id": list(queries),
            "doc_id": ["d"] * len(queries),
            "grade": [grade] * len(queries),
            "expected_grade": [float(grade)] * len(queries),
            "grade_probs": [[0.0, 0.0, 1.0, 0.0]] * len(queries),
            "model_id": ["m"] * len(queries),
            "latency_s": [0.01] * len(queries),
        }
    )


def complete(table: str, *rows: dict[str, Any]) -> pl.DataFrame:
    """`rows` with all columns of a partition of `table`; what is not given is NULL, or false."""
    types = {name: column.dtype for name, column in TABLES[table].schema.columns().items()}
    del types["corpus"]
    filled = [
        {name: row.get(name, False if kind == pl.Boolean else None) for name, kind in types.items()}
        for row in rows
    ]
    return pl.DataFrame(filled, schema=types)
