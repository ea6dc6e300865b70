"""Rankings of systems: values by hand, ties, holes, intervals, ranks, orders, and planted relatives."""

import math

import numpy as np
import polars as pl
import pytest
from scipy.stats import kendalltau

from relabel_assets.benchmark.pool.pool_estimates import Pool, pool_with_sample
from relabel_assets.benchmark.systems.kinship import declared_kin, excess_leads
from relabel_assets.benchmark.systems.order_agreement import order_agreement, tau, tau_ap
from relabel_assets.benchmark.systems.ranking_words import ranking_table, sentences
from relabel_assets.benchmark.systems.rankings import rank_systems
from relabel_assets.benchmark.systems.system_values import (
    UnknownMeasureError,
    holes,
    ordered,
    parse_measure,
    system_values,
)
from relabel_assets.benchmark.systems.told_apart import rank_ranges, ranks_of, smallest_difference


def run_of(system: str, query_id: str, **scores: float) -> pl.DataFrame:
    return pl.DataFrame(
        {
            "system": system,
            "query_id": query_id,
            "doc_id": list(scores),
            "score": [float(score) for score in scores.values()],
        }
    )


def labels_of(query_id: str, **grades: float) -> pl.DataFrame:
    """Grades of a query; 1.6 is the grade 2 with an expected grade of 1.6."""
    return pl.DataFrame(
        {
            "query_id": query_id,
            "doc_id": list(grades),
            "grade": [round(grade) for grade in grades.values()],
            "expected_grade": [float(grade) for grade in grades.values()],
        }
    )


def value(runs: pl.DataFrame, labels: pl.DataFrame, measure: str, **settings: bool) -> float:
    values = system_values(ordered(runs), labels, parse_measure(measure), systems=["s"], **settings)
    return float(values.values.mean())


# Values


def test_ndcg_by_hand_with_whole_and_with_expected_grades() -> None:
    runs, labels = run_of("s", "q", d1=3, d2=2, d3=1), labels_of("q", d1=0, d2=2.4, d3=0.6)
    whole = (2 / math.log2(3) + 1 / 2) / (2 + 1 / math.log2(3))
    expected = (2.4 / math.log2(3) + 0.6 / 2) / (2.4 + 0.6 / math.log2(3))
    assert value(runs, labels, "nDCG@10") == pytest.approx(whole)
    assert value(runs, labels, "nDCG@10", is_expected=True) == pytest.approx(expected)


def test_a_pair_without_an_expected_grade_has_its_grade_as_gain() -> None:
    labels = labels_of("q", d1=2, d2=1).with_columns(
        expected_grade=pl.when(pl.col("doc_id") == "d2").then(0.5)
    )
    runs = run_of("s", "q", d2=2, d1=1)
    by_hand = (0.5 + 2 / math.log2(3)) / (2 + 0.5 / math.log2(3))
    assert value(runs, labels, "nDCG@10", is_expected=True) == pytest.approx(by_hand)


def test_equal_scores_are_ordered_by_document_id_descending_and_not_by_the_files_order() -> None:
    labels = labels_of("q", d1=3, d2=0)
    assert value(run_of("s", "q", d1=1, d2=1), labels, "RR@10") == 0.5
    assert value(run_of("s", "q", d2=1, d1=1), labels, "RR@10") == 0.5


def test_any_measure_of_ir_measures_is_computed_and_an_unknown_one_is_refused() -> None:
    runs, labels = run_of("s", "q", d1=3, d2=2, d3=1), labels_of("q", d1=1, d2=2, d3=3)
    assert value(runs, labels, "P(rel=2)@2") == 0.5
    assert value(runs, labels, "AP(rel=3)") == pytest.approx(1 / 3)
    for name in ("ndgc@10", "nDCG@ten", "nDCG(rel=2)@10", ""):
        with pytest.raises(UnknownMeasureError, match="no measure of ir_measures"):
            parse_measure(name)


def test_a_query_without_a_document_counts_0_and_one_without_a_grade_above_0_does_not_count() -> (
    None
):
    labels = pl.concat(
        [labels_of(query, d1=grade) for query, grade in (("a", 3), ("b", 3), ("c", 0))]
    )
    runs = pl.concat([run_of("s", "a", d1=1), run_of("t", "b", d1=1), run_of("t", "c", d1=1)])
    values = system_values(ordered(runs), labels, parse_measure("nDCG@10"), systems=["s", "t"])
    assert values.query_ids == ("a", "b")
    assert values.values.tolist() == [[1, 0], [0, 1]]


def test_holes_are_counted_within_the_cutoff_and_only_for_queries_of_the_labeler() -> None:
    runs = pl.concat([run_of("s", "q", d1=5, d2=4, d3=3, d4=2), run_of("s", "other", d9=1)])
    labels = labels_of("q", d2=3)
    assert holes(ordered(runs), labels, 3)["doc_id"].to_list() == ["d1", "d3"]
    values = system_values(ordered(runs), labels, parse_measure("nDCG@3"), systems=["s"])
    assert values.n_unjudged.tolist() == [2]


# Intervals, ranks, and what can be told apart


def two_systems(n_queries: int, gap: float) -> tuple[pl.DataFrame, pl.DataFrame]:
    """Of each query, system a finds the good document, and b does for all but a share `gap`."""
    runs, labels = [], []
    for number in range(n_queries):
        query = f"q{number:03}"
        is_missed = number < gap * n_queries
        runs += [
            run_of("a", query, good=1),
            run_of("b", query, **{"bad" if is_missed else "good": 1}),
        ]
        labels.append(labels_of(query, good=3, bad=0))
    return pl.concat(runs), pl.concat(labels)


def test_a_difference_is_paired_and_its_interval_is_narrower_than_a_value_apart() -> None:
    runs, labels = two_systems(40, gap=0.2)
    rows = rank_systems(runs, {"student": labels}).rows
    a, b = rows.to_dicts()
    assert (a["system"], a["value"], a["rank"], a["behind_first"]) == ("a", 1.0, 1, 0.0)
    assert (b["value"], b["rank"], b["behind_first"]) == (0.8, 2, pytest.approx(-0.2))
    assert b["behind_first_low"] < -0.2 < b["behind_first_high"] < 0
    assert b["ci_low"] < 0.8 < b["ci_high"] and b["n_queries"] == 40


def test_queries_count_by_their_weight() -> None:
    runs, labels = two_systems(40, gap=0.2)  # b misses 8 queries, which now weigh as much as 24
    weights = {f"q{number:03}": 3.0 for number in range(8)}
    rows = rank_systems(runs, {"student": labels}, query_weights=weights).rows
    a, b = rows.to_dicts()
    assert a["value"] == pytest.approx(1.0)
    assert b["value"] == pytest.approx(32 / 56)


@pytest.mark.parametrize(("gap", "last"), [(0.05, 2), (0.5, 1)])
def test_ranks_of_systems_that_cannot_be_told_apart_overlap(gap: float, last: int) -> None:
    runs, labels = two_systems(40, gap)
    row = rank_systems(runs, {"student": labels}).rows.row(0, named=True)
    assert (row["rank_from"], row["rank_to"]) == (1, last)


def test_all_pairs_at_once_need_a_larger_difference_than_one_pair() -> None:
    noise = np.random.default_rng(1).normal(0.5, 0.1, (20, 40))
    assert smallest_difference(noise) > 1.3 * smallest_difference(noise[:2])


def test_equal_systems_are_called_different_in_at_most_a_few_experiments_of_a_hundred() -> None:
    draw, n_wrong = np.random.default_rng(2), 0
    for _ in range(20):
        values = draw.normal(0.5, 0.1, (5, 20))
        n_wrong += np.ptp(values.mean(axis=1)) > smallest_difference(values)
    assert n_wrong <= 3


def test_a_broken_system_does_not_hide_the_differences_of_the_others() -> None:
    values = np.random.default_rng(4).normal([[0.5], [0.7], [0.9]], 0.05, (3, 20))
    broken = np.vstack([values, np.zeros((1, 20))])
    assert smallest_difference(broken) < 2 * smallest_difference(values) < 0.2


def test_a_difference_of_just_the_smallest_is_not_told_apart() -> None:
    assert rank_ranges(np.array([0.9, 0.8]), 0.1).tolist() == [[1, 2], [1, 2]]
    assert rank_ranges(np.array([0.9, 0.8]), 0.0999).tolist() == [[1, 1], [2, 2]]
    assert ranks_of(np.array([0.9, 0.9, 0.8])).tolist() == [1, 1, 3]


# Orders


def test_tau_and_tau_ap_by_hand() -> None:
    reference = [4, 3, 2, 1]
    assert tau([4, 3, 1, 2], reference) == pytest.approx(4 / 6)
    assert tau([3, 4, 2, 1], reference) == pytest.approx(4 / 6)
    # The last two swapped: ranks 2, 3, 4 have all, all, and 2 of 3 above them.
    assert tau_ap([4, 3, 1, 2], reference) == pytest.approx(2 / 3 * (1 + 1 + 2 / 3) - 1)
    # The first two swapped: rank 2 has none right.
    assert tau_ap([3, 4, 2, 1], reference) == pytest.approx(2 / 3 * (0 + 1 + 1) - 1)
    assert (tau_ap(reference, reference), tau_ap([1, 2, 3, 4], reference)) == (1, -1)


def test_tau_is_that_of_scipy_with_ties_too() -> None:
    draw = np.random.default_rng(9)
    values, reference = draw.integers(0, 6, (2, 20, 9))
    of_scipy = [kendalltau(a, b).statistic for a, b in zip(values, reference, strict=True)]
    assert tau(values, reference) == pytest.approx(of_scipy)
    assert np.isnan(tau([1, 1], [1, 2]))


def test_an_interval_of_tau_is_wide_where_few_queries_decide() -> None:
    draw = np.random.default_rng(3)
    good = np.linspace(0.3, 0.5, 8)[:, None]

    def width(n_queries: int) -> float:
        people = good + draw.normal(0, 0.1, (8, n_queries))
        of_tau, _ = order_agreement(
            people + draw.normal(0, 0.1, people.shape), people, n_resamples=200
        )
        assert of_tau.low <= of_tau.value <= of_tau.high
        return of_tau.high - of_tau.low

    assert width(10) > 1.5 * width(400)
    assert order_agreement(np.ones((1, 5)), np.ones((1, 5))) == []


# Kinship


def test_the_same_model_is_kin_whatever_its_owner_case_or_package() -> None:
    origins = {
        "dense": {"base_model": "sentence-transformers/all-MiniLM-L6-v2"},
        "distilled": {"teacher": "openai/GPT-4o"},
        "other": {"base_model": "e5-small", "teacher": "gpt-4o-mini"},
    }
    assert set(declared_kin(origins, base_models=["embedded"], teachers=["gpt-4o"])) == {
        "dense",
        "distilled",
    }
    assert declared_kin(origins) == {}


def honest(n_systems: int = 12, n_queries: int = 60) -> tuple[np.ndarray, np.ndarray]:
    """Values by a labeler that shrinks all leads by half, and by people; all systems are honest."""
    draw = np.random.default_rng(5)
    good = np.linspace(0.3, 0.7, n_systems)[:, None] + draw.normal(0, 0.1, (1, n_queries))
    people = good + draw.normal(0, 0.1, (n_systems, n_queries))
    labeler = 0.25 + 0.5 * good + draw.normal(0, 0.01, (n_systems, 1))
    return labeler + draw.normal(0, 0.1, people.shape), people


def detected(values: np.ndarray, people: np.ndarray, *known: int) -> list[int]:
    is_known = np.isin(np.arange(len(values)), known)
    leads = excess_leads(values, people, is_known, n_resamples=300)
    return [row for row, lead in enumerate(leads) if lead.is_detected]


def test_honest_systems_are_not_called_kin_though_the_labeler_shrinks_every_lead() -> None:
    values, people = honest()
    assert detected(values, people) == []


@pytest.mark.parametrize("planted", [0, 6, 11])
def test_a_planted_relative_is_found_whether_it_is_bad_or_good(planted: int) -> None:
    values, people = honest()
    values[planted] += 0.15
    assert detected(values, people) == [planted]


def test_a_second_relative_is_found_behind_the_first_and_a_disfavoured_system_is_none() -> None:
    values, people = honest()
    values[2] += 0.3
    values[7] += 0.12
    assert detected(values, people) == [2, 7]
    values, people = honest()
    values[2] -= 0.3
    assert detected(values, people) == []


def test_with_two_systems_nothing_is_detected_but_the_lead_is_measured() -> None:
    values, people = honest(2)
    values[0] += 0.5
    leads = excess_leads(values, people, np.zeros(2, dtype=bool), n_resamples=300)
    assert not any(lead.is_detected for lead in leads)
    assert leads[0].low > 0


def planted_rankings() -> tuple[pl.DataFrame, dict[str, pl.DataFrame]]:
    """Seven systems of known quality over 40 queries, and `kin`, which orders by the student's grades."""
    draw = np.random.default_rng(8)
    runs, people, student = [], [], []
    names = [f"d{number}" for number in range(12)]
    for number in range(40):
        query = f"q{number:02}"
        truth = draw.integers(0, 4, 12)
        machine = np.clip(truth + draw.normal(0, 1.5, 12), 0, 3)
        people.append(labels_of(query, **dict(zip(names, truth.astype(float), strict=True))))
        student.append(labels_of(query, **dict(zip(names, machine, strict=True))))
        for system in range(7):
            scores = truth + draw.normal(0, 1 + system, 12)
            runs.append(run_of(f"s{system}", query, **dict(zip(names, scores, strict=True))))
        runs.append(run_of("kin", query, **dict(zip(names, machine, strict=True))))
    reference = pl.concat(people).with_columns(expected_grade=pl.lit(None, pl.Float64))
    labels = {"student": pl.concat(student), "reference": reference}
    return pl.concat(runs), labels | {"final": labels["student"]}


def test_a_run_of_the_student_itself_is_found_and_the_ranking_is_shown_without_it() -> None:
    runs, labels = planted_rankings()
    rankings = rank_systems(runs, labels, n_resamples=300)
    for labeler in ("student", "final"):
        rows = rankings.rows.filter(labeler=labeler)
        assert rows.filter("is_related")["system"].to_list() == ["kin"]
        assert rows.filter(system="kin")["related_because"][0].startswith(
            "detected: its lead by student"
        )
        first, second = rows.rows(named=True)[:2]
        assert (first["system"], first["rank"], first["rank_without_related"]) == ("kin", 1, None)
        assert (second["rank"], second["rank_without_related"]) == (2, 1)
    assert rankings.rows.filter(labeler="reference")["is_related"].any() is False
    agreements = rankings.agreements.filter(labeler="student", statistic="tau")
    with_kin, without = agreements.sort("is_without_related").to_dicts()
    assert (with_kin["n_systems"], without["n_systems"]) == (8, 7)
    assert without["value"] > with_kin["value"]


def test_the_words_name_kin_and_how_well_the_orders_agree() -> None:
    runs, labels = planted_rankings()
    rankings = rank_systems(runs, labels, n_resamples=300)
    lines = list(sentences(rankings, "nDCG@10", "student"))
    assert lines[1].startswith(
        "* kin is related to the labeler (detected: its lead by student is 0."
    )
    assert sum("without related systems: Kendall's tau" in line for line in lines) == 2
    columns, cells = ranking_table(rankings, "nDCG@10", "student")
    assert columns[:5] == ["system", "value [95 %]", "rank", "like", "rank*"]
    assert [(line[0], line[4]) for line in cells[:2]] == [("kin *", ""), ("s0", "1")]


def test_a_system_that_may_be_favoured_is_named_and_not_marked() -> None:
    """Three systems: too few to detect kinship, but the student's own run leads by the student alone."""
    runs, labels = planted_rankings()
    few = runs.filter(pl.col("system").is_in(["kin", "s0", "s6"]))
    rankings = rank_systems(few, labels, n_resamples=300)
    named = [
        line for line in sentences(rankings, "nDCG@10", "student") if "may be favoured" in line
    ]
    assert any(
        line.startswith("kin may be favoured by the student: its lead is 0.") for line in named
    )
    assert not rankings.rows["is_related"].any()


def test_declared_kin_is_named_and_says_why() -> None:
    runs, labels = planted_rankings()
    kin = {"student": {"s3": "declared: the same base model, x"}}
    rows = rank_systems(runs, labels, kin=kin, n_resamples=300).rows.filter(labeler="student")
    assert rows.filter(system="s3")["related_because"][0] == "declared: the same base model, x"


@pytest.mark.parametrize("chance", [1.0, 0.4])
def test_a_sample_of_people_ranks_systems_and_a_census_gives_their_own_values(
    chance: float,
) -> None:
    runs, labels = planted_rankings()
    pairs = labels["student"].select(
        "query_id",
        "doc_id",
        grade_probs=pl.concat_list(
            (0.05 + 0.8 * (pl.col("grade") == grade).cast(pl.Float64)) for grade in range(4)
        ),
    )
    drawn = labels["reference"].sample(fraction=chance, seed=3)
    people = drawn.select(
        "query_id", "doc_id", "grade", stratum=pl.lit("all"), inclusion_prob=chance, query_prob=1.0
    )
    pool = pool_with_sample(pairs, people, n_grades=4)
    assert isinstance(pool, Pool)
    rows = rank_systems(runs, {"reference": labels["reference"]}, pool=pool, n_resamples=50).rows
    both = rows.filter(labeler="people_ppi").join(rows.filter(labeler="reference"), on="system")
    apart = (both["value"] - both["value_right"]).abs().max()
    assert apart < (1e-9 if chance == 1 else 0.05)  # type: ignore[operator]
    if chance < 1:
        is_within = both["value_right"].is_between(both["ci_low"], both["ci_high"])
        assert is_within.sum() >= 6  # of 8
        assert (both["rank_to"] - both["rank_from"]).sum() > 0
    assert both["rank"].sort().to_list()[0] == 1 and not both["is_related"].any()


def test_filled_holes_are_counted_apart() -> None:
    runs, labels = run_of("s", "q", d1=3, d2=2, d3=1), labels_of("q", d1=3, d2=1)
    labels = labels.with_columns(is_filled=pl.Series([False, True]))
    row = rank_systems(runs, {"student": labels}, n_resamples=10).rows.row(0, named=True)
    assert (row["n_unjudged"], row["n_filled"]) == (1, 1)
