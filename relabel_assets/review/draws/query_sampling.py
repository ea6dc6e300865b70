"""The draw of queries: queries are drawn first, then pairs of each.

What belongs here: samples in which a query has all its top documents, as NDCG@10 of a query needs. What does
not: samples of single pairs (sampling.py), and files (samples.py).

Queries are drawn as pairs are: of M permanent random numbers the m smallest are drawn. A drawn query brings
all pairs of the student's top 10, and two of the pairs below. A pair's chance is that of its query times its
own within it. Queries that join the pool later are drawn among themselves. So are pairs that join a query.
"""

import math

import polars as pl

from relabel_assets.review.draws.sampling import (
    SEED,
    as_joined,
    finished,
    random_number,
    still_there,
)
from relabel_assets.review.draws.strata import TOP

_PAIR = ["query_id", "doc_id"]
_BELOW = 2  # pairs below the top 10 of each drawn query: one would have no variance
_LEAST_QUERIES = 2
_TOP_STRATUM, _BELOW_STRATUM = f"top {TOP} of its query", f"below the top {TOP} of its query"


def draw_queries(
    frame: pl.DataFrame,
    pool: pl.DataFrame,
    *,
    n: int,
    drawn_at: str,
    draw: int = 1,
    seed: int = SEED,
) -> pl.DataFrame:
    """The frame after a draw of whole queries, about `n` pairs in all. Arguments and result as draw_pairs.

    The number of queries follows from `n` and from the mean number of pairs a query would bring. It does
    not depend on which queries are drawn: else the chances would.

    >>> from relabel_assets.review.samples import FRAME
    >>> pool = pl.DataFrame({"query_id": [f"q{i // 3}" for i in range(12)], "is_top": [True, False] * 6,
    ...                      "doc_id": [f"d{i % 3}" for i in range(12)], "need": 1.0})
    >>> frame = draw_queries(pl.DataFrame(schema=FRAME), pool, n=6, drawn_at="2026-05-04T10:00:00Z")
    >>> frame.filter("is_drawn")["query_id"].n_unique(), frame["query_prob"].unique().to_list()
    (2, [0.5])
    """
    known, new = still_there(frame, pool), pool.join(frame, on=_PAIR, how="anti")
    suffix = f", joined in draw {draw}" if draw > 1 else ""
    queries_known = known.group_by("query_id").agg(first=pl.col("joined").min())
    new = new.join(queries_known, on="query_id", how="left")
    place = (
        pl.when(pl.col("first").is_not_null())
        .then(pl.lit("joined its query"))
        .when("is_top")
        .then(pl.lit(_TOP_STRATUM))
        .otherwise(pl.lit(_BELOW_STRATUM))
    )
    joined = as_joined(new.with_columns(stratum=place + suffix), draw, seed=seed, by="query")
    # A query stays among those that it joined with, whatever pairs it gets or loses.
    joined = joined.with_columns(joined=new["first"].fill_null(draw))
    pairs = _planned(pl.concat([known, joined]))
    queries = _drawn_queries(pairs, n, seed)
    drawn = pairs.join(queries, on="query_id", how="left").with_columns(
        is_drawn=pl.col("is_planned") & pl.col("is_query_drawn"),
        query_prob=pl.col("n_given") / pl.col("n_queries"),
        inclusion_prob=pl.col("n_given") / pl.col("n_queries") * pl.col("within_prob"),
        why=pl.format(
            "{}: {} of {} there, and {} of {} queries are drawn",
            *("stratum", "n_planned", "n_within", "n_given", "n_queries"),
        ),
    )
    return finished(drawn, drawn_at)


def _planned(pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` with is_planned: whether it is drawn if its query is; and its chance of that."""
    within = ["query_id", "stratum"]
    size = pl.len().over(within)
    is_whole = pl.col("stratum").str.starts_with(_TOP_STRATUM)
    return pairs.with_columns(
        n_within=size.cast(pl.Int64),
        n_planned=pl.when(is_whole)
        .then(size)
        .otherwise(pl.min_horizontal(size, pl.lit(_BELOW)))
        .cast(pl.Int64),
    ).with_columns(
        is_planned=pl.col("u").rank("ordinal").over(within) <= pl.col("n_planned"),
        within_prob=pl.col("n_planned") / pl.col("n_within"),
    )


def _drawn_queries(pairs: pl.DataFrame, n: int, seed: int) -> pl.DataFrame:
    """A row a query: whether it is drawn, and n_given of n_queries that joined with it are drawn."""
    queries = pairs.group_by("query_id").agg(
        first=pl.col("joined").min(),
        was_drawn=pl.col("is_drawn").any(),
        n_pairs=pl.col("is_planned").sum(),
    )
    numbers = [random_number(seed, query) for query in queries["query_id"]]
    mean = max(float(queries["n_pairs"].to_numpy().mean()), 1.0) if queries.height else 1.0
    size = pl.len().over("first")
    share = (math.floor(n / mean + 0.5) * size / queries.height).ceil()
    rank = pl.col("rank")
    last_drawn = pl.when("was_drawn").then(rank).max().over("first").fill_null(0)
    wanted = pl.max_horizontal(share, last_drawn, _LEAST_QUERIES)
    return (
        queries.with_columns(number=pl.Series(numbers, dtype=pl.Float64))
        .with_columns(rank=pl.col("number").rank("ordinal").over("first"))
        .with_columns(n_queries=size, n_given=pl.min_horizontal(size, wanted).cast(pl.Int64))
        .with_columns(is_query_drawn=rank <= pl.col("n_given"))
        .select("query_id", "n_queries", "n_given", "is_query_drawn")
    )
