"""The bootstrap over queries: how often each query counts in each resample, and intervals of the results.

What belongs here: drawing queries, their weights, and percentiles. What does not: what is computed of a
resample (bootstrap.py, agreement.py, systems/).
"""

from collections import defaultdict

import numpy as np
import polars as pl
from numpy.typing import NDArray

_INTERVAL = (2.5, 97.5)  # percentiles of the resamples: a 95 % interval


def resamples(n_queries: int, n_resamples: int, seed: int) -> NDArray[np.int64]:
    """How often each query counts in each resample, (1 + R, Q). The first row is all ones: the data.

    >>> resamples(n_queries=3, n_resamples=2, seed=13).sum(axis=1).tolist()
    [3, 3, 3]
    """
    draw = np.random.default_rng(seed)
    counts = draw.multinomial(n_queries, np.full(n_queries, 1 / n_queries), size=n_resamples)
    return np.vstack([np.ones(n_queries, dtype=np.int64), counts])


def query_weights(queries: pl.DataFrame) -> defaultdict[str, float]:
    """The weight of each query in a mean over queries; 1 for one without a weight.

    >>> queries = pl.DataFrame({"query_id": ["q1", "q2"], "weight": [40.0, None]})
    >>> weights = query_weights(queries)
    >>> weights["q1"], weights["q2"], weights["another"]
    (40.0, 1.0, 1.0)
    """
    weights = defaultdict[str, float](lambda: 1.0)
    if "weight" in queries.columns:
        weighted = queries.select("query_id", "weight").drop_nulls()
        weights.update(dict(weighted.iter_rows()))
    return weights


def interval(values: NDArray) -> tuple[float | None, float | None, float | None]:
    """The first of the (1 + R,) values and the interval of the other R; None if undefined.

    >>> [round(float(value), 3) for value in interval(np.array([1.0, 0.0, 2.0]))]
    [1.0, 0.05, 1.95]
    """
    value, resampled = values[0], values[1:]
    resampled = resampled[~np.isnan(resampled)]
    if np.isnan(value) or not len(resampled):
        return None, None, None
    low, high = np.percentile(resampled, _INTERVAL)
    return value, low, high
