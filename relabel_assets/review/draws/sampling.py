"""The draw of pairs: stratified simple random sampling with permanent random numbers.

What belongs here: which pairs of a pool are drawn, and their chance. What does not: the strata (strata.py),
samples of whole queries (query_sampling.py), and files (samples.py).

Every pair has a permanent random number (Ohlsson 1995, "Coordination of samples using permanent random
numbers"). Of a stratum's N pairs, the n with the smallest numbers are drawn. So the chance of each is n/N
exactly, and a larger draw contains the smaller one. Strata are frozen when a pair joins the pool. Pairs that
join later are in strata of their own. Pairs that left the pool are dropped: those that stay are a simple
random sample of what stays.
"""

import hashlib

import polars as pl

from relabel_assets.review.draws.allocation import allocate
from relabel_assets.review.draws.strata import strata_of
from relabel_assets.review.samples import FRAME

SEED = 13
_PAIR = ["query_id", "doc_id"]
_LEAST = 2  # pairs a stratum: one has no variance


def draw_pairs(
    frame: pl.DataFrame,
    pool: pl.DataFrame,
    *,
    n: int,
    drawn_at: str,
    draw: int = 1,
    seed: int = SEED,
) -> pl.DataFrame:
    """The frame after a draw that brings the sample to `n` pairs, of the present `pool`.

    `frame`: what the last draw left, with the columns of FRAME; empty before the first. `pool`: as pool_of
    gives it. `draw`: the number of this draw. The result has FRAME's columns, a row for each pair of the
    pool. No drawn pair of the pool is given back. At least two of every stratum are drawn, so there may be
    more than `n`.

    >>> parts = ("by_grade", "by_teacher", "by_place", "by_confidence")
    >>> pool = pl.DataFrame({"query_id": "q", "doc_id": [f"d{i}" for i in range(10)], "need": 1.0})
    >>> pool = pool.with_columns(pl.lit("").alias(part) for part in parts)
    >>> frame = draw_pairs(pl.DataFrame(schema=FRAME), pool, n=4, drawn_at="2026-05-04T10:00:00Z")
    >>> frame["is_drawn"].sum(), frame["inclusion_prob"].unique().to_list()
    (4, [0.4])
    """
    known, new = still_there(frame, pool), pool.join(frame, on=_PAIR, how="anti")
    share = round(n * new.height / max(pool.height, 1))
    suffix = f", joined in draw {draw}" if draw > 1 else ""
    new = new.with_columns(stratum=strata_of(new, share) + suffix)
    pairs = pl.concat([known, as_joined(new, draw, seed=seed, by="pair")])
    strata = (
        pairs.group_by("stratum", maintain_order=True)
        .agg(
            n_stratum=pl.len(),
            spread=(pl.col("need") ** 2).mean().sqrt(),
            least=pl.max_horizontal(pl.col("is_drawn").sum(), pl.lit(_LEAST)),
        )
        .sort("stratum")
    )
    given = allocate(
        strata["n_stratum"].to_list(), strata["spread"].to_list(), strata["least"].to_list(), n
    )
    strata = strata.select("stratum", "n_stratum", n_given=pl.Series(given, dtype=pl.Int64))
    order = pl.col("u").rank("ordinal").over("stratum")
    drawn = pairs.join(strata, on="stratum", how="left").with_columns(
        is_drawn=order <= pl.col("n_given"),
        inclusion_prob=pl.col("n_given") / pl.col("n_stratum"),
        why=pl.format("{}: {} of {} such pairs are drawn", "stratum", "n_given", "n_stratum"),
    )
    return finished(drawn, drawn_at)


def still_there(frame: pl.DataFrame, pool: pl.DataFrame) -> pl.DataFrame:
    """The pairs of `frame` that are in the present `pool`.

    >>> pair = {"query_id": ["q"], "doc_id": ["d"]}
    >>> still_there(pl.DataFrame(pair), pl.DataFrame(pair)).height
    1
    """
    return frame.join(pool, on=_PAIR, how="semi").sort(_PAIR)


def as_joined(new: pl.DataFrame, draw: int, *, seed: int, by: str) -> pl.DataFrame:
    """Pairs that join the pool, with FRAME's columns, before any of them is drawn.

    `new`: query_id, doc_id, stratum and need.

    >>> new = pl.DataFrame({"query_id": ["q"], "doc_id": ["d"], "stratum": ["all"], "need": [1.0]})
    >>> as_joined(new, 1, seed=13, by="pair").select("is_drawn", "joined").row(0)
    (False, 1)
    """
    numbers = [random_number(seed, query, doc) for query, doc in new.select(_PAIR).iter_rows()]
    constants = {"query_prob": 1.0, "inclusion_prob": 1.0, "is_drawn": False, "joined": draw}
    return (
        new.with_columns(
            **{name: pl.lit(value) for name, value in constants.items()}, by=pl.lit(by)
        )
        .with_columns(u=pl.Series(numbers, dtype=pl.Float64))
        .with_columns(why=pl.lit(None, pl.String), drawn_at=pl.lit(None, pl.String))
        .select(pl.col(name).cast(kind) for name, kind in FRAME.items())
    )


def random_number(seed: int, *parts: str) -> float:
    """The permanent random number of a pair or a query: uniform from 0 up to 1.

    >>> random_number(13, "q1", "d1") == random_number(13, "q1", "d1") < 1
    True
    """
    digest = hashlib.sha256("\0".join([str(seed), *parts]).encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def finished(drawn: pl.DataFrame, drawn_at: str) -> pl.DataFrame:
    """`drawn` with FRAME's columns: pairs drawn now get `drawn_at`, and pairs not drawn get no reason.

    >>> finished(pl.DataFrame(schema=FRAME), "2026-05-04T10:00:00Z").height
    0
    """
    is_drawn = pl.col("is_drawn")
    return drawn.with_columns(
        why=pl.when(is_drawn).then("why"),
        drawn_at=pl.when(is_drawn).then(pl.col("drawn_at").fill_null(drawn_at)),
    ).select(list(FRAME))
