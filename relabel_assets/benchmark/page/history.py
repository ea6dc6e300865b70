"""The history of a corpus' benchmarks, as a report shows it.

What belongs here: its rows. What does not: keeping it (warehouse/), and layout (page.py).
"""

from typing import Any

import polars as pl

# What of each benchmark is shown: heading, labeler and metric.
COLUMNS = (
    ("student, NDCG@10", "student", "ndcg@10"),
    ("teacher, NDCG@10", "teacher", "ndcg@10"),
    ("student, pairwise_half", "student", "pairwise_half"),
    ("student, kappa", "student", "kappa"),
)
_MOST = 20  # benchmarks: more are in the table benchmark_history


def history_rows(history: pl.DataFrame) -> list[dict[str, Any]]:
    """A row for each of the last 20 benchmarks, the newest first: when, its student, and COLUMNS.

    `history` has the columns of benchmark_history. A metric that was not measured is None.

    >>> from datetime import UTC, datetime
    >>> history = pl.DataFrame({"labeler": ["student"], "metric": ["kappa"], "value": [0.41],
    ...     "model_id": ["abc"], "noted_at": [datetime(2026, 1, 2, 3, 4, tzinfo=UTC)]})
    >>> history_rows(history)[0]["when"], history_rows(history)[0]["values"]
    ('2026-01-02 03:04', [None, None, None, 0.41])
    """
    benchmarks = history["noted_at"].unique().sort(descending=True).head(_MOST)
    rows = []
    for noted_at in benchmarks:
        of_one = history.filter(pl.col("noted_at") == noted_at)
        values = {
            (row["labeler"], row["metric"]): row["value"] for row in of_one.iter_rows(named=True)
        }
        rows.append(
            {
                "when": f"{noted_at:%Y-%m-%d %H:%M}",
                "student": of_one["model_id"][0],
                "values": [values.get((labeler, metric)) for _, labeler, metric in COLUMNS],
            }
        )
    return rows
