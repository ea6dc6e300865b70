"""Moved grades: intervals hold in a simulation, and what is known is never denied."""

import numpy as np
import polars as pl

from relabel_assets.benchmark.drift.flips import flip_table, mean_change, moved_share, wilson
from relabel_assets.benchmark.drift.orders import MIN_QUERIES, changed_orders


def of_counts(*counts: tuple[int, int, int]) -> pl.DataFrame:
    """Pairs by (old grade, new grade, number)."""
    rows = [(old, new) for old, new, n in counts for _ in range(n)]
    return pl.DataFrame(rows, schema=["old_grade", "new_grade"], orient="row")


def test_the_intervals_of_all_pairs_hold_in_repeated_samples_by_old_grade() -> None:
    draw = np.random.default_rng(5)
    strata = {0: (600, [0.96, 0.04]), 1: (120, [0.3, 0.5, 0.2]), 2: (40, [0.0, 0.2, 0.8])}
    pairs, sizes = {}, {old: n for old, (n, _) in strata.items()}
    for old, (n, chances) in strata.items():
        pairs[old] = draw.choice(len(chances), size=n, p=chances)
    true_share = np.concatenate([new != old for old, new in pairs.items()]).mean()
    true_change = np.concatenate([new - old for old, new in pairs.items()]).mean()
    counts, n_draws, hits = {0: 30, 1: 12, 2: 8}, 400, np.zeros(2)
    for _ in range(n_draws):
        rows = [
            (old, int(new))
            for old, n in counts.items()
            for new in draw.choice(pairs[old], size=n, replace=False)
        ]
        asked = pl.DataFrame(rows, schema=["old_grade", "new_grade"], orient="row")
        share, change = moved_share(flip_table(asked, sizes)), mean_change(asked, sizes)
        assert share is not None and change is not None
        hits += [share.low <= true_share <= share.high, change.low <= true_change <= change.high]
    # 95 % of 400 draws are 380, and chance alone moves that by 9 in 95 of 100 times.
    assert (hits >= 371).all(), hits / n_draws


def test_an_interval_contains_no_share_that_the_sample_rules_out() -> None:
    low, high = wilson(3, 9, 10)
    assert low == 0.3 and high == 0.4  # nine of ten are known
    assert wilson(0, 5, 5) == (0.0, 0.0)


def test_a_grade_with_all_pairs_asked_adds_no_doubt() -> None:
    asked, sizes = of_counts((0, 0, 3), (1, 0, 2)), {0: 3, 1: 2}
    share, change = moved_share(flip_table(asked, sizes)), mean_change(asked, sizes)
    assert share == (0.4, 0.4, 0.4) and change == (-0.4, -0.4, -0.4)


def test_pairs_that_all_stayed_do_not_prove_that_none_moves() -> None:
    change = mean_change(of_counts((0, 0, 10)), {0: 1000})
    assert change is not None and change.value == 0 and change.low < 0 < change.high


def test_a_grade_without_an_answer_leaves_all_pairs_untold() -> None:
    asked, sizes = of_counts((0, 0, 10)), {0: 20, 3: 4}
    assert moved_share(flip_table(asked, sizes)) is None and mean_change(asked, sizes) is None


def test_orders_need_twenty_queries_and_count_by_inverse_chance() -> None:
    def asked(n_queries: int) -> pl.DataFrame:
        rows = [
            (f"q{number}", *grades)
            for number in range(n_queries)
            # Of grades 2 and 1 the order is lost to a tie; above grade 0 both stay.
            for grades in ((2, 1), (1, 1), (0, 0))
        ]
        return pl.DataFrame(rows, schema=["query_id", "old_grade", "new_grade"], orient="row")

    assert changed_orders(asked(MIN_QUERIES - 1), {0: 100, 1: 100, 2: 100})[0] is None
    orders, n_comparisons, n_queries = changed_orders(asked(20), {0: 20, 1: 20, 2: 20})
    assert orders is not None and (n_comparisons, n_queries) == (60, 20)
    assert round(orders.value, 6) == round(1 / 3, 6)
    # One of ten pairs of grade 0 was asked: its comparisons stand for ten times as many.
    weighted, _, _ = changed_orders(asked(20), {0: 200, 1: 20, 2: 20})
    assert weighted is not None and round(weighted.value, 6) == round(1 / 21, 6)
