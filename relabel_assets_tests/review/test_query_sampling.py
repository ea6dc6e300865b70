"""The draw of whole queries: chances of both stages, top documents complete, nested draws."""

import numpy as np
import polars as pl

from relabel_assets.review.draws.query_sampling import draw_queries
from relabel_assets.review.samples import FRAME
from relabel_assets_tests.review.pools import AT, make_pool

EMPTY = pl.DataFrame(schema=FRAME)
PAIR = ["query_id", "doc_id"]
POOL = make_pool({"student 0": 48})  # 12 queries of 4 pairs, 2 of them at the top


def test_a_drawn_query_has_all_its_top_pairs_and_a_sample_of_the_others():
    pool = pl.concat([POOL, POOL.with_columns(doc_id=pl.col("doc_id") + "b", is_top=pl.lit(False))])
    frame = draw_queries(EMPTY, pool, n=16, drawn_at=AT).join(pool, on=PAIR)
    drawn = frame.filter("is_drawn")
    assert drawn["query_id"].n_unique() == 4
    assert drawn.filter("is_top").height == 8
    assert drawn.filter(~pl.col("is_top")).group_by("query_id").len()["len"].to_list() == [2] * 4
    assert set(drawn["query_prob"]) == {4 / 12}
    assert np.allclose(sorted(set(drawn["inclusion_prob"])), [4 / 12 * 2 / 6, 4 / 12])


def test_chances_of_both_stages_are_exact_after_pairs_left_others_joined_and_more_were_drawn():
    first = make_pool({"student 0": 40}).with_columns(is_top=pl.col("doc_id").str.ends_with("0"))
    left = first.filter(~pl.col("doc_id").is_in(["d1", "d4", "d5", "d6", "d7"]))
    joins = make_pool({"student 0": 12}, first=40)
    late = make_pool({"student 0": 4}).with_columns(doc_id=pl.col("doc_id") + "late")
    later = pl.concat([left, joins, late])
    means = []
    for seed in range(80):
        frame = draw_queries(EMPTY, first, n=12, drawn_at=AT, seed=seed)
        before = frame.filter("is_drawn").join(later, on=PAIR, how="semi")
        frame = draw_queries(frame, later, n=16, drawn_at=AT, draw=2, seed=seed)
        assert before.join(frame.filter("is_drawn"), on=PAIR, how="anti").is_empty()
        frame = frame.with_columns(weight=pl.col("is_drawn") / pl.col("inclusion_prob"))
        joined = frame.group_by("stratum").agg(pl.col("weight").mean())
        means.append(dict(joined.iter_rows()))
    # Drawn or not, divided by the chance, is 1 on average (Horvitz and Thompson 1952).
    for stratum in means[0]:
        values = np.array([mean[stratum] for mean in means])
        assert abs(values.mean() - 1) <= 4 * values.std() / np.sqrt(len(values)) + 1e-9, stratum


def test_the_same_size_again_changes_nothing():
    frame = draw_queries(EMPTY, POOL, n=16, drawn_at=AT).sort(PAIR)
    assert draw_queries(frame, POOL, n=16, drawn_at="later", draw=2).sort(PAIR).equals(frame)


def test_at_least_two_queries_are_drawn():
    assert (
        draw_queries(EMPTY, POOL, n=1, drawn_at=AT).filter("is_drawn")["query_id"].n_unique() == 2
    )
