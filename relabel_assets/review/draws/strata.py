"""The pool of pairs that people may be asked about, and the stratum of each pair.

What belongs here: what a stratum is made of. What does not: how many pairs it gets (allocation.py), and
which of them (sampling.py).
"""

import numpy as np
import polars as pl

_PAIR = ["query_id", "doc_id"]
TOP = 10  # NDCG@10 and precision@10 see these documents alone
# Standard deviation of a grade, in grades. Not measured: a student that is sure is sometimes wrong, and a
# stratum that gets too few pairs has huge weights.
_LEAST_SPREAD = 0.3
# How much more a pair counts that is in the student's top 10: the mean grade weighs all pairs alike, and
# NDCG@10 none but these. Measured (docs/experiments.md): at 200 pairs the error of precision@10 falls by a
# fifth, and that of the mean grade rises by a fiftieth.
_TOP_WEIGHT = 2.0
_UNSURE_BELOW = 0.5  # the student itself bets against its grade
_PAIRS_PER_STRATUM = (
    4  # the fewest on average: two give a variance, and the rest is for Neyman's rule
)
# The parts of a stratum's name. With too few pairs to draw, the last ones are left out first.
_PARTS = ("by_grade", "by_teacher", "by_place", "by_confidence")


def pool_of(candidates: pl.DataFrame, student: pl.DataFrame, teacher: pl.DataFrame) -> pl.DataFrame:
    """Every candidate with what decides its stratum; sorted by key.

    `candidates`: query_id and doc_id. `student`: those, grade, expected_grade and grade_probs. `teacher`:
    those and grade, which may be NULL. Columns: query_id, doc_id, the four parts of its stratum's name in
    words, is_top (in the student's top 10 of its query), and need (the standard deviation of the student's
    grade, more for the top 10).

    >>> pair = {"query_id": ["q"], "doc_id": ["d"]}
    >>> probs = {"expected_grade": [1.5], "grade_probs": [[0.0, 0.5, 0.5]]}
    >>> student = pl.DataFrame(pair | {"grade": [2]} | probs)
    >>> pool_of(pl.DataFrame(pair), student, pl.DataFrame(pair | {"grade": [0]})).row(0)[2:]
    ('student 2', 'teacher apart', 'top 10', '', True, 1.0)
    """
    graded = student.select(*_PAIR, "grade", "expected_grade", "grade_probs")
    teachers = teacher.select(*_PAIR, teacher_grade="grade")
    grade, is_graded = pl.col("grade"), pl.col("grade").is_not_null()
    is_unsure = pl.col("grade_probs").list.get(grade, null_on_oob=True) < _UNSURE_BELOW
    is_apart = (grade != pl.col("teacher_grade")).fill_null(False)
    pool = (
        candidates.select(_PAIR)
        .unique()
        .join(graded, on=_PAIR, how="left")
        .join(teachers, on=_PAIR, how="left")
        # Ties as in NDCG: by document id, descending.
        .sort(
            "query_id", "expected_grade", "doc_id", descending=[False, True, True], nulls_last=True
        )
        .with_columns(place=pl.int_range(pl.len()).over("query_id"))
        .with_columns(is_top=is_graded & (pl.col("place") < TOP), spread=_spreads("grade_probs"))
        .sort(_PAIR)
    )
    return pool.select(
        *_PAIR,
        by_grade=pl.when(is_graded)
        .then(pl.format("student {}", grade))
        .otherwise(pl.lit("student none")),
        by_teacher=pl.when(is_apart).then(pl.lit("teacher apart")).otherwise(pl.lit("")),
        by_place=pl.when("is_top").then(pl.lit(f"top {TOP}")).otherwise(pl.lit("")),
        by_confidence=pl.when(is_unsure).then(pl.lit("unsure")).otherwise(pl.lit("")),
        is_top="is_top",
        need=pl.col("spread") * pl.when("is_top").then(_TOP_WEIGHT).otherwise(1.0),
    )


def strata_of(pool: pl.DataFrame, n: int) -> pl.Series:
    """The name of the stratum of each pair, for a sample of `n` of them.

    Strata are made of the student's grade, whether the teacher gave another, whether the pair is in the
    student's top 10, and whether the student is sure. They have four pairs of the sample on average at
    least: parts are left out from the end until that holds.

    >>> parts = {"by_grade": ["student 2"], "by_teacher": [""], "by_place": ["top 10"]}
    >>> strata_of(pl.DataFrame(parts | {"by_confidence": [""]}), n=4).to_list()
    ['student 2, top 10']
    """
    names = pl.Series(["all pairs"] * pool.height, dtype=pl.String)
    for n_parts in range(len(_PARTS), 0, -1):
        parts = [pl.col(part).replace("", None) for part in _PARTS[:n_parts]]
        named = (
            pool.select(pl.concat_str(parts, separator=", ", ignore_nulls=True))
            .to_series()
            .replace("", "all pairs")
        )
        if named.n_unique() * _PAIRS_PER_STRATUM <= max(n, _PAIRS_PER_STRATUM):
            return named
    return names


def _spreads(column: str) -> pl.Expr:
    """The standard deviation of a grade with these probabilities, at least _LEAST_SPREAD.

    A pair without a grade is as uncertain as one whose grades are all as likely.
    """

    def spread(probs: pl.Series) -> pl.Series:
        rows = probs.to_list()
        n_grades = max((len(row) for row in rows if row is not None), default=4)
        unknown = [1 / n_grades] * n_grades
        # (pairs, n_grades); a student with fewer grades gives the others no chance
        weights = np.array([_padded(unknown if row is None else row, n_grades) for row in rows])
        weights = weights.reshape(-1, n_grades)
        grades = np.arange(n_grades)
        variance = weights @ grades**2 - (weights @ grades) ** 2
        return pl.Series(np.sqrt(np.maximum(variance, _LEAST_SPREAD**2)), dtype=pl.Float64)

    return pl.col(column).map_batches(spread, return_dtype=pl.Float64)


def _padded(probs: list[float], n_grades: int) -> list[float]:
    return probs + [0.0] * (n_grades - len(probs))
