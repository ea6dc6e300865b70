"""The draw of pairs: every chance is exact, draws are nested, and strata are frozen."""

import numpy as np
import polars as pl
import pytest

from relabel_assets.review.draws.allocation import allocate
from relabel_assets.review.draws.sampling import draw_pairs
from relabel_assets.review.samples import FRAME
from relabel_assets_tests.review.pools import AT, make_pool

EMPTY = pl.DataFrame(schema=FRAME)
PAIR = ["query_id", "doc_id"]
N_REPLICAS = 2000


def drawn_ids(frame: pl.DataFrame) -> set[str]:
    return set(frame.filter("is_drawn")["doc_id"])


def replicas(size: int, *, first: int = 0) -> pl.DataFrame:
    """2,000 strata of this size in one pool: as many independent draws, in one call."""
    pool = make_pool({str(number): size for number in range(N_REPLICAS)}, first=first)
    return pool.with_columns(place=pl.int_range(pl.len()).over("by_grade"))


def shares_by_place(frame: pl.DataFrame, pool: pl.DataFrame) -> np.ndarray:
    """How often the first, second, ... pair of a stratum was drawn, divided by its chance."""
    placed = frame.join(pool, on=PAIR).with_columns(
        share=pl.col("is_drawn") / pl.col("inclusion_prob")
    )
    return placed.group_by("place").agg(pl.col("share").mean()).sort("place")["share"].to_numpy()


def test_in_two_thousand_strata_each_pair_is_drawn_as_often_as_its_chance_says():
    pool = replicas(12)
    frame = draw_pairs(EMPTY, pool, n=4 * N_REPLICAS, drawn_at=AT)
    assert frame["inclusion_prob"].unique().to_list() == [4 / 12]
    error = np.sqrt((1 - 4 / 12) / (4 / 12) / N_REPLICAS)
    assert np.abs(shares_by_place(frame, pool) - 1).max() < 4 * error


def test_chances_are_exact_after_pairs_left_others_joined_and_more_were_drawn():
    pool = replicas(12)
    rest = pool.filter(~pl.col("place").is_in([0, 5, 7]))
    later = pl.concat([rest, replicas(6, first=pool.height).with_columns(pl.col("place") + 12)])
    frame = draw_pairs(EMPTY, pool, n=4 * N_REPLICAS, drawn_at=AT)
    n = 13 * N_REPLICAS
    frame = draw_pairs(frame, later.drop("place"), n=n, drawn_at=AT, draw=2)
    # Drawn or not, divided by the chance, is 1 on average (Horvitz and Thompson 1952).
    assert np.abs(shares_by_place(frame, later) - 1).max() < 4 * np.sqrt(1 / N_REPLICAS)


def test_another_seed_draws_other_pairs():
    pool = make_pool({"student 0": 100})
    draws = [drawn_ids(draw_pairs(EMPTY, pool, n=10, drawn_at=AT, seed=seed)) for seed in (1, 2)]
    assert draws[0] != draws[1]


def test_every_pair_of_the_pool_has_a_chance_above_zero():
    pool = make_pool({"student 0": 500, "student 1": 3, "student 3": 1})
    frame = draw_pairs(EMPTY, pool, n=20, drawn_at=AT)
    assert frame.height == pool.height
    assert frame["inclusion_prob"].min() > 0
    n_drawn = dict(frame.group_by("stratum").agg(pl.col("is_drawn").sum()).iter_rows())
    assert n_drawn["student 1"] >= 2
    assert n_drawn["student 3"] == 1


def test_a_chance_is_the_drawn_share_of_its_stratum():
    frame = draw_pairs(EMPTY, make_pool({"student 0": 37, "student 3": 11}), n=15, drawn_at=AT)
    shares = frame.with_columns(share=pl.col("is_drawn").mean().over("stratum"))
    assert (shares["share"] - shares["inclusion_prob"]).abs().max() < 1e-12


def test_a_larger_draw_contains_the_smaller_one():
    pool = make_pool({"student 0": 60, "student 2": 20})
    small = draw_pairs(EMPTY, pool, n=12, drawn_at=AT)
    large = draw_pairs(small, pool, n=30, drawn_at="later", draw=2)
    assert drawn_ids(small) < drawn_ids(large)
    assert large["is_drawn"].sum() == 30
    assert set(large.filter(pl.col("doc_id").is_in(drawn_ids(small)))["drawn_at"]) == {AT}


def test_the_same_size_again_changes_nothing_and_a_smaller_one_gives_nothing_back():
    pool = make_pool({"student 0": 60, "student 2": 20})
    frame = draw_pairs(EMPTY, pool, n=12, drawn_at=AT)
    for n in (12, 5):
        again = draw_pairs(frame, pool, n=n, drawn_at="later", draw=2)
        assert again.sort(PAIR).equals(frame.sort(PAIR))


def test_strata_are_frozen_and_pairs_that_join_later_have_their_own():
    frame = draw_pairs(EMPTY, make_pool({"student 0": 30}), n=8, drawn_at=AT)
    regraded = make_pool({"student 3": 30})
    joined = make_pool({"student 3": 10}, first=30)
    later = draw_pairs(frame, pl.concat([regraded, joined]), n=12, drawn_at=AT, draw=2)
    names = later.group_by("stratum").len().sort("stratum").rows()
    assert names == [("student 0", 30), ("student 3, joined in draw 2", 10)]


def test_with_few_pairs_to_draw_strata_are_joined_and_with_many_they_are_not():
    pool = make_pool({"student 0": 40, "student 1": 40})
    pool = pool.with_columns(by_confidence=pl.Series(["unsure", ""] * 40))
    few, many = (draw_pairs(EMPTY, pool, n=n, drawn_at=AT) for n in (15, 16))
    assert few["stratum"].n_unique() == 2
    assert many["stratum"].n_unique() == 4


def test_a_pool_smaller_than_the_sample_is_drawn_whole():
    frame = draw_pairs(EMPTY, make_pool({"student 0": 5}), n=200, drawn_at=AT)
    assert frame["is_drawn"].all()
    assert set(frame["inclusion_prob"]) == {1.0}


def test_a_stratum_gets_pairs_in_proportion_to_size_times_spread():
    assert allocate([100, 100], [1.0, 1.0], [0, 0], 20) == [10, 10]
    assert allocate([100, 300], [1.0, 1.0], [0, 0], 20) == [5, 15]
    assert allocate([100, 100], [3.0, 1.0], [0, 0], 20) == [15, 5]


@pytest.mark.parametrize(
    ("sizes", "least", "n", "given"),
    [
        ([4, 100], [0, 0], 30, [4, 26]),  # no more than a stratum has
        ([1000, 10], [2, 6], 20, [14, 6]),  # no fewer than its least
        ([10, 10], [5, 5], 4, [5, 5]),  # nobody gives back
        ([3, 2], [1, 1], 99, [3, 2]),  # all there are
    ],
)
def test_an_allocation_keeps_its_limits(sizes, least, n, given):
    spread = [100.0, 1.0] if sizes == [4, 100] else [1.0, 1.0]
    assert allocate(sizes, spread, least, n) == given
