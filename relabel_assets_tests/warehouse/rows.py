"""Rows and files that several tests of the warehouse store.

What belongs here: labels, a hash and the files in earlier/. What does not: assertions, and the
fixture of a warehouse (conftest.py).
"""

from pathlib import Path

import polars as pl

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
