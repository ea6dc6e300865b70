"""The agreement of assessors: published examples, and which pairs and queries count."""

import numpy as np
import polars as pl
import pytest

from relabel_assets.benchmark.agreement import agreement, alpha

COLUMNS = ["query_id", "doc_id", "assessor", "grade"]


def grades(*rows: tuple[str, str, str, int]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=COLUMNS, orient="row")


def by_hand(values: list[list[int]]) -> float:
    """Ordinal alpha of two assessors without a missing grade, by the formula in Krippendorff 2011."""
    n_grades = 1 + max(max(pair) for pair in values)
    coincidences = np.zeros((n_grades, n_grades))
    for first, second in values:
        coincidences[first, second] += 1
        coincidences[second, first] += 1
    totals = coincidences.sum(axis=1)
    observed = expected = 0.0
    for one in range(n_grades):
        for other in range(one + 1, n_grades):
            between = totals[one : other + 1].sum() - (totals[one] + totals[other]) / 2
            observed += coincidences[one, other] * between**2
            expected += totals[one] * totals[other] * between**2
    return 1 - (totals.sum() - 1) * observed / expected


def test_alpha_is_the_published_formula():
    values = [[0, 0], [1, 2], [3, 3], [2, 2], [0, 1], [3, 2], [1, 1]]
    assert alpha(np.array(values, dtype=float)) == pytest.approx(by_hand(values))


def test_two_assessors_have_the_kappas_worked_by_hand():
    # Agree on 3 of 4; by chance on 2/4 x 1/4 + 2/4 x 3/4 = 1/2: kappa = (3/4 - 1/2) / (1/2).
    rows = [("q1", "d1", 0, 0), ("q1", "d2", 0, 3), ("q2", "d1", 3, 3), ("q2", "d2", 3, 3)]
    table = grades(
        *((q, d, name, g) for q, d, *both in rows for name, g in zip("ab", both, strict=True))
    )
    found = {one.measure: one for one in agreement(table, n_resamples=10)}
    assert found["kappa"].value == pytest.approx(0.5)
    assert found["kappa"].assessors == ("a", "b")
    assert (found["kappa"].n_queries, found["kappa"].n_pairs) == (2, 4)


def test_pairs_of_one_assessor_do_not_count_and_nobody_is_compared_without_a_common_pair():
    table = grades(
        ("q1", "d1", "ana", 0),
        ("q1", "d1", "ben", 0),
        ("q2", "d1", "ben", 3),
        ("q2", "d1", "eva", 3),
        ("q3", "d1", "ana", 2),
    )
    found = agreement(table, n_resamples=10)
    assert [one.assessors for one in found if one.measure == "kappa"] == [
        ("ana", "ben"),
        ("ben", "eva"),
    ]
    assert found[0].n_pairs == 2
    assert agreement(table.filter(pl.col("assessor") == "ana")) == []


def test_the_interval_is_of_queries_and_not_of_pairs():
    """Many pairs of one query tell no more than that query: its interval is unknown."""
    rng = np.random.default_rng(5)
    rows = [
        (f"q{i % 2}", f"d{i}", name, int(rng.integers(4)))
        for i in range(60)
        for name in ("ana", "ben")
    ]
    one_query = agreement(grades(*(row for row in rows if row[0] == "q0")), n_resamples=20)[0]
    assert (one_query.ci_low, one_query.ci_high) == (None, None)
    both = agreement(grades(*rows), n_resamples=50)[0]
    assert both.ci_low <= both.value <= both.ci_high
    by_query = [
        agreement(grades(*(row for row in rows if row[0] == q)))[0].value for q in ("q0", "q1")
    ]
    assert both.ci_low == pytest.approx(min(*by_query, both.value), abs=0.05)


def test_one_grade_alone_says_nothing_of_agreement():
    table = grades(("q1", "d1", "ana", 0), ("q1", "d1", "ben", 0))
    assert agreement(table, n_resamples=5)[0].value is None
