"""Systems ranked by people's few grades and the student's many: prediction-powered inference, in rows.

What belongs here: rows of system_rankings from estimates of the whole pool. What does not: the estimates
(benchmark/pool/), and the rankings by one labeler's grades (comparison.py).
"""

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.pool.pool_estimates import Pool
from relabel_assets.benchmark.pool.pool_estimates import rank_systems as estimate_systems
from relabel_assets.benchmark.systems.comparison import ROWS
from relabel_assets.benchmark.systems.system_values import holes
from relabel_assets.benchmark.systems.told_apart import critical_range, ranks_of

PPI = "people_ppi"
PPI_MEASURE = "nDCG@10"  # the only one that is estimated
_TOP = 10
# Queries like these: as the bootstrap's intervals of the other labelers, which draw queries.
_SLICE = "new queries"
_NORMAL = 1.96  # half of a 95 % interval in standard errors


def pool_ranking(ranked: pl.DataFrame, pool: Pool, systems: list[str]) -> pl.DataFrame:
    """A row of system_rankings for each system with a value, the best first, without kinship.

    `ranked` is that of `ordered`. Two systems are told apart if their paired difference is larger than its
    own standard error times q(5 %; S) / sqrt(2), where q is the studentized range (Games & Howell 1976):
    all pairs are compared at once. Grades of people correct the student's, so no system is its relative.

    >>> from relabel_assets.benchmark.pool.pool_estimates import pool_with_sample
    >>> from relabel_assets.benchmark.systems.system_values import ordered
    >>> pairs = pl.DataFrame({"query_id": "q", "doc_id": [f"d{i:02}" for i in range(40)],
    ...                       "grade_probs": [[0.5, 0.5]] * 40})
    >>> pairs = pl.concat([pairs, pairs.with_columns(query_id=pl.lit("r"))])
    >>> people = pairs.select("query_id", "doc_id", stratum=pl.lit("all"), inclusion_prob=1.0,
    ...                       query_prob=1.0, grade=pl.int_range(80) % 2)
    >>> pool = pool_with_sample(pairs, people, n_grades=2)
    >>> runs = pairs.select("query_id", "doc_id", system=pl.lit("a"), score=people["grade"].cast(float))
    >>> pool_ranking(ordered(runs), pool, ["a"]).select("system", pl.col("value").round(3), "rank").rows()
    [('a', 1.0, 1)]
    """
    runs = {
        system: ranked.filter(pl.col("system") == system).select("query_id", "doc_id", "rank")
        for system in systems
    }
    estimates = estimate_systems(pool, runs).filter(pl.col("slice") == _SLICE)
    alone = estimates.filter(pl.col("other").is_null()).drop_nulls("value")
    names = alone["system"].to_list()
    if not names:
        return pl.DataFrame(schema=ROWS)
    difference, low, high = _differences(estimates, names)
    means = alone["value"].to_numpy()
    widened = (
        critical_range(0.05, len(names), 1_000_000) / np.sqrt(2) / _NORMAL if names[1:] else 1.0
    )
    is_near = ~(
        np.abs(difference) > (high - low) / 2 * widened
    )  # an unknown interval tells nothing apart
    ranks = ranks_of(means)
    first = int(np.argmax(means))
    unjudged = dict(holes(ranked, pool.pairs, _TOP).group_by("system").len().iter_rows())
    rows = pl.DataFrame(
        {
            "system": names,
            "value": means,
            "ci_low": alone["ci_low"],
            "ci_high": alone["ci_high"],
            "rank": ranks,
            "rank_from": np.where(is_near, ranks[None, :], len(names)).min(axis=1),
            "rank_to": np.where(is_near, ranks[None, :], 1).max(axis=1),
            "rank_without_related": ranks,
            "behind_first": difference[:, first],
            "behind_first_low": low[:, first],
            "behind_first_high": high[:, first],
            "n_queries": alone["n_queries"],
            "n_unjudged": [unjudged.get(name, 0) for name in names],
            "measure": PPI_MEASURE,
            "labeler": PPI,
            "gain": "grade",
            "n_filled": 0,
            "is_related": False,
            "related_because": None,
            "excess_lead": None,
            "excess_lead_low": None,
            "excess_lead_high": None,
        }
    )
    return rows.select(pl.col(name).cast(kind) for name, kind in ROWS.items()).sort(
        "rank", "system"
    )


def _differences(estimates: pl.DataFrame, names: list[str]) -> tuple[NDArray, NDArray, NDArray]:
    """The (S, S) differences of each system less each other, and the ends of their intervals."""
    value, low, high = (np.zeros((len(names), len(names))) for _ in range(3))
    place = {name: number for number, name in enumerate(names)}
    columns = ("system", "other", "value", "ci_low", "ci_high")
    for one, other, *ends in estimates.drop_nulls("other").select(columns).iter_rows():
        if one in place and other in place:
            i, j = place[one], place[other]
            value[i, j], low[i, j], high[i, j] = (np.nan if end is None else end for end in ends)
            value[j, i], low[j, i], high[j, i] = -value[i, j], -high[i, j], -low[i, j]
    return value, low, high
