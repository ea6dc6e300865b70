"""Asset checks on the sample of pairs for people.

What belongs here: whether a sample speaks for the pool as it is now. What does not: checks of rows
(checks.py), and draws (review/draws/).
"""

from functools import partial

import dagster as dg
import polars as pl

from relabel_assets.graph.check_results import Results, check_results
from relabel_assets.graph.checks import WARN, check_specs
from relabel_assets.plural import counted
from relabel_assets.warehouse.warehouse import Warehouse


@dg.multi_asset_check(
    specs=check_specs(
        "review_samples",
        sample_covers_the_pool="Every candidate of the sampled splits had a chance to be drawn for people. "
        "If pairs came or went since the last draw, draw again: what was drawn stays.",
    )
)
def sample_covers_the_pool(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Results:
    find = partial(pool_changes, warehouse)
    yield from check_results(
        context, "review_samples", "sample_covers_the_pool", find, severity=WARN
    )


def pool_changes(warehouse: Warehouse, corpus: str) -> list[str]:
    """A line where the pool has another number of pairs than at the last draw; none before a draw."""
    samples = warehouse.read("review_samples", corpus)
    if samples.is_empty():
        return []
    n_then = samples.select("stratum", "n_stratum").unique()["n_stratum"].sum()
    queries = warehouse.read("synthetic_queries", corpus, columns=["query_id", "split"])
    splits = queries.join(samples, on="query_id", how="semi")["split"].unique()
    candidates = warehouse.read("bm25_candidates", corpus, columns=["query_id"])
    pool = queries.filter(pl.col("split").is_in(splits.implode()))
    n_now = candidates.join(pool, on="query_id", how="semi").height
    if n_now == n_then:
        return []
    return [
        f"the pool has {counted(n_now, 'pair')} and had {n_then:,} when the sample was drawn. "
        f"Run: relabel review sample -c {corpus}"
    ]


SAMPLE_CHECKS: list[dg.AssetChecksDefinition] = [sample_covers_the_pool]
