"""From rows of the tables to estimates for the whole pool."""

import numpy as np
import polars as pl
import pytest

from relabel_assets.benchmark.labelers import DIFFERENCE, POOL_METRICS
from relabel_assets.benchmark.pool.pool_estimates import (
    Pool,
    drawn_grades,
    measure_pool,
    pool_rows,
    pool_with_sample,
    rank_systems,
)

N_QUERIES, N_DOCUMENTS = 12, 10
PAIRS = pl.DataFrame(
    [
        (f"q{query:02}", f"d{place:02}")
        for query in range(N_QUERIES)
        for place in range(N_DOCUMENTS)
    ],
    schema=["query_id", "doc_id"],
    orient="row",
)
_draw = np.random.default_rng(2)
PROBS = _draw.dirichlet([1.0, 0.5, 0.5, 0.3], PAIRS.height)
GRADES = (_draw.random(PAIRS.height)[:, None] > PROBS.cumsum(axis=1)[:, :-1]).sum(axis=1)
STUDENT = PAIRS.with_columns(
    grade=pl.Series(PROBS.argmax(axis=1)), grade_probs=pl.Series(PROBS.tolist())
)
LABELS = pl.concat(
    PAIRS.select(pl.lit(labeler).alias("labeler"), pl.all()).with_columns(
        score=pl.Series(scores), grade=pl.Series(grades)
    )
    for labeler, scores, grades in (
        ("student", PROBS @ np.arange(4), PROBS.argmax(axis=1)),
        ("teacher", GRADES.astype(float), GRADES),
    )
)
QUERIES = PAIRS.select("query_id").unique().with_columns(split=pl.lit("benchmark"))


def samples(n_of_ten: int) -> pl.DataFrame:
    """The first pairs of each query, as drawn from two strata with these chances."""
    drawn = PAIRS.filter(pl.col("doc_id") < f"d{n_of_ten:02}")
    return drawn.with_columns(
        stratum=pl.lit("all"), inclusion_prob=pl.lit(n_of_ten / 10), query_prob=pl.lit(1.0)
    )


def reference(drawn: pl.DataFrame) -> pl.DataFrame:
    graded = PAIRS.with_columns(grade=pl.Series(GRADES), assessor=pl.lit("ana"))
    chances = drawn.select("query_id", "doc_id", "inclusion_prob")
    return graded.join(chances, on=["query_id", "doc_id"], how="left")


def test_the_rows_have_every_metric_in_both_slices() -> None:
    drawn = samples(4)
    rows, why_none = pool_rows(drawn, reference(drawn), QUERIES, STUDENT, LABELS, n_grades=4)
    assert why_none is None
    assert set(rows["slice"]) == {"pool", "new queries"}
    student = rows.filter(labeler="student", slice="pool")
    assert {*student["metric"], "mean_grade"} == {*POOL_METRICS}
    assert set(rows["n_pairs"]) == {48} and set(rows["n_queries"]) == {N_QUERIES}
    difference = rows.filter(labeler=DIFFERENCE, metric="kappa", slice="pool").row(0, named=True)
    assert difference["ci_low"] < difference["value"] < difference["ci_high"] < 0


def test_what_cannot_be_told_has_no_value_either() -> None:
    """People graded two pairs of each query. The labeler graded the eight others."""
    drawn = samples(2)
    pool = pool_with_sample(STUDENT, drawn_grades(drawn, reference(drawn)), n_grades=4)
    assert isinstance(pool, Pool) and len(pool.sample.grade) == 24
    of_others = LABELS.with_columns(grade=pl.when(pl.col("doc_id") > "d01").then("grade"))
    rows = measure_pool(pool, of_others).filter(slice="pool", labeler="student", metric="kappa")
    assert rows.select("value", "ci_low", "ci_high").row(0) == (None, None, None)


def rows_of(drawn: pl.DataFrame, queries: pl.DataFrame) -> pl.DataFrame:
    rows, why_none = pool_rows(drawn, reference(drawn), queries, STUDENT, LABELS, n_grades=4)
    assert why_none is None
    return rows


def test_a_query_counts_by_its_weight() -> None:
    """All pairs are graded, so a query of weight 3 counts as three queries with its pairs."""
    weight = pl.when(pl.col("query_id") == "q00").then(3.0)  # NULL is 1
    rows = rows_of(samples(10), QUERIES.with_columns(weight=weight))
    first = pl.col("query_id") == "q00"
    thrice = [LABELS.filter(first).with_columns(query_id=pl.lit(name)) for name in ("x", "y")]
    labels = pl.concat([LABELS, *thrice])
    people = labels.filter(labeler="teacher").select(
        "query_id", "doc_id", "grade", stratum=pl.lit("all"), inclusion_prob=1.0, query_prob=1.0
    )
    student = [STUDENT.filter(first).with_columns(query_id=pl.lit(name)) for name in ("x", "y")]
    pool = pool_with_sample(pl.concat([STUDENT, *student]), people, n_grades=4)
    assert isinstance(pool, Pool)
    key = ["labeler", "metric", "slice"]
    both = rows.filter(slice="pool").join(measure_pool(pool, labels), on=key, suffix="_thrice")
    assert both.height == rows.height / 2
    assert both["value"].to_list() == pytest.approx(both["value_thrice"].to_list())
    alike = rows_of(samples(10), QUERIES).join(rows, on=key)
    assert (alike["value"] - alike["value_right"]).abs().max() > 0.01  # type: ignore[operator]


def test_equal_weights_change_nothing() -> None:
    rows = [rows_of(samples(4), QUERIES), rows_of(samples(4), QUERIES.with_columns(weight=40.0))]
    numbers = [frame.select(pl.col(pl.Float64)).fill_null(-9).to_numpy() for frame in rows]
    assert numbers[0] == pytest.approx(numbers[1], abs=1e-12)


def test_where_one_query_counts_for_nearly_all_nothing_can_be_told() -> None:
    weight = pl.when(pl.col("query_id") == "q00").then(1000.0)
    rows = rows_of(samples(4), QUERIES.with_columns(weight=weight))
    assert rows["value"].null_count() == rows.height


def test_queries_that_taught_the_student_say_nothing_of_new_ones() -> None:
    drawn, taught = samples(4), QUERIES.with_columns(split=pl.lit("train"))
    rows, _ = pool_rows(drawn, reference(drawn), taught, STUDENT, LABELS, n_grades=4)
    assert set(rows["slice"]) == {"pool"}


def test_grades_of_pairs_that_were_not_drawn_do_not_count() -> None:
    drawn = samples(3)
    people = drawn_grades(drawn, reference(drawn))
    assert (people.height, people["grade"].null_count()) == (36, 0)


def test_drawn_pairs_without_a_grade_pass_their_weight_on() -> None:
    """Of 60 drawn pairs 24 are graded: each stands for 5 pairs of 120, as if 24 had been drawn."""
    drawn = samples(5)
    graded = drawn_grades(drawn, reference(drawn)).with_columns(
        grade=pl.when(pl.col("doc_id") < "d02").then("grade")
    )
    pool = pool_with_sample(STUDENT, graded, n_grades=4)
    assert isinstance(pool, Pool)
    assert set(pool.sample.weights) == {5.0}


def test_people_who_stopped_early_graded_a_sample_of_queries() -> None:
    """The same grades: of the first pairs of all queries, or of all drawn pairs of half the queries."""
    drawn = samples(6)
    people, widths = drawn_grades(drawn, reference(drawn)), []
    for is_graded in (pl.col("doc_id") < "d03", pl.col("query_id") < "q06"):
        graded = people.with_columns(grade=pl.when(is_graded).then("grade"))
        pool = pool_with_sample(STUDENT, graded, n_grades=4)
        assert isinstance(pool, Pool) and len(pool.sample.grade) == 36
        rows = measure_pool(pool, LABELS).filter(labeler="student", metric="kappa")
        widths.append(dict(rows.select("slice", pl.col("ci_high") - pl.col("ci_low")).iter_rows()))
    assert widths[0]["pool"] < widths[0]["new queries"]
    assert widths[1]["pool"] == pytest.approx(widths[1]["new queries"], rel=0.2)


@pytest.mark.parametrize(
    ("drawn", "words"),
    [
        (samples(1), "graded 12 pairs of the sample; at least 20"),
        (samples(4).with_columns(doc_id=pl.lit("x") + pl.col("doc_id")), "graded 0 pairs"),
        (samples(4).with_columns(inclusion_prob=pl.lit(0.5)), "joined or left the pool"),
    ],
)
def test_a_sample_that_does_not_fit_gives_no_rows_but_a_reason(
    drawn: pl.DataFrame, words: str
) -> None:
    rows, why_none = pool_rows(drawn, reference(drawn), QUERIES, STUDENT, LABELS, n_grades=4)
    assert rows.is_empty() and why_none and words in why_none


def test_whole_queries_are_recognized_by_their_chances() -> None:
    drawn = PAIRS.filter(pl.col("query_id") < "q04").with_columns(
        stratum=pl.lit("top 10 of its query"),
        inclusion_prob=pl.lit(4 / 12),
        query_prob=pl.lit(4 / 12),
    )
    pool = pool_with_sample(STUDENT, drawn_grades(drawn, reference(drawn)), n_grades=4)
    assert isinstance(pool, Pool) and pool.sample.is_by_query
    assert set(np.round(pool.sample.weights, 9)) == {3.0}
    rows = measure_pool(pool, LABELS)
    assert rows.filter(labeler="teacher", metric="ndcg@10", slice="pool")["value"][
        0
    ] == pytest.approx(1)


def test_systems_are_compared_pairwise_and_a_better_one_leads() -> None:
    drawn = samples(6)
    pool = pool_with_sample(STUDENT, drawn_grades(drawn, reference(drawn)), n_grades=4)
    assert isinstance(pool, Pool)
    ranked = PAIRS.with_columns(grade=pl.Series(GRADES)).with_columns(
        best=pl.col("grade").rank("ordinal", descending=True).over("query_id"),
        worst=pl.col("grade").rank("ordinal").over("query_id"),
    )
    runs = {
        name: ranked.select("query_id", "doc_id", rank=pl.col(name).cast(pl.Int64))
        for name in ("best", "worst")
    }
    rows = rank_systems(pool, runs).filter(slice="pool")
    assert rows.select("system", "other").rows() == [
        ("best", None),
        ("worst", None),
        ("best", "worst"),
    ]
    assert rows["value"][2] == pytest.approx(rows["value"][0] - rows["value"][1], abs=0.02)
    assert rows["ci_low"][2] > 0
