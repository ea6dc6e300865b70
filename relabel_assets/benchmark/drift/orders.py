"""Moved orders: what new grades change in the order of a query's documents, as far as a sample tells.

What belongs here: the share of changed orders, and NDCG@10 where every pair has both grades. What does
not: moved grades (flips.py).

NDCG needs all grades of a query. A sample of some pairs of many queries has none complete, and its NDCG
would be of another question. Orders of two documents can be told from a sample.
"""

from collections.abc import Mapping

import numpy as np
import polars as pl

from relabel_assets.benchmark.drift.flips import Measured
from relabel_assets.benchmark.metrics import ndcg_at_10
from relabel_assets.benchmark.resampling import resamples

# Below it a bootstrap over queries gives intervals that are too narrow.
MIN_QUERIES = 20
_N_RESAMPLES, _SEED = 2000, 13


def old_order_ndcg(asked: pl.DataFrame) -> float | None:
    """NDCG@10 of the order by old grades, measured with the new ones; None if no new grade is above 0.

    `asked`: query_id, doc_id, old_grade and new_grade of every pair. 1 if all grades stay.

    >>> asked = pl.DataFrame({"query_id": "q", "doc_id": ["a", "b"], "old_grade": [3, 0],
    ...                       "new_grade": [0, 3]})
    >>> round(old_order_ndcg(asked), 3)
    0.631
    """
    return ndcg_at_10(asked.select("query_id", "doc_id", grade="new_grade", score="old_grade"))


def changed_orders(
    asked: pl.DataFrame, sizes: Mapping[int, int]
) -> tuple[Measured | None, int, int]:
    """The share of ordered pairs of documents that the new grades order otherwise; comparisons; queries.

    An ordered pair: two documents of one query with different old grades. It changed if the new grades are
    equal or the other way round. `asked` and `sizes` are those of `flip_table`, with query_id. A comparison
    counts with the inverse of its chance to be in the sample. The 95 % interval is a bootstrap over
    queries; None with fewer than 20.

    >>> asked = pl.DataFrame({"query_id": "q", "old_grade": [0, 1, 3], "new_grade": [0, 0, 3]})
    >>> changed_orders(asked, {0: 1, 1: 1, 3: 1})
    (None, 3, 1)
    """
    counts = asked["old_grade"].value_counts(name="n").iter_rows()
    chances = {grade: n / sizes[grade] for grade, n in counts}
    sides = asked.select("query_id", "old_grade", "new_grade").with_columns(
        chance=pl.col("old_grade").replace_strict(chances, return_dtype=pl.Float64)
    )
    both = sides.join(sides, on="query_id", suffix="_below")
    both = both.filter(pl.col("old_grade") > pl.col("old_grade_below")).with_columns(
        weight=1 / (pl.col("chance") * pl.col("chance_below")),
        is_changed=pl.col("new_grade") <= pl.col("new_grade_below"),
    )
    of_queries = both.group_by("query_id", maintain_order=True).agg(
        changed=pl.col("weight").filter("is_changed").sum(), all=pl.col("weight").sum()
    )
    n_queries = of_queries.height
    if n_queries < MIN_QUERIES:
        return None, both.height, n_queries
    changed, weights = of_queries["changed"].to_numpy(), of_queries["all"].to_numpy()
    drawn = resamples(n_queries, _N_RESAMPLES, _SEED)
    shares = (drawn @ changed) / (drawn @ weights)
    low, high = np.quantile(shares[1:], [0.025, 0.975])
    return Measured(float(shares[0]), float(low), float(high)), both.height, n_queries
