"""What a reader must know of a student that is calibrated to people: how many, and what it is worth.

What belongs here: these sentences, from rows of student_model and benchmark_report. What does not: the
calibration (student/people/people_calibration.py) and the metrics (bootstrap.py).
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from relabel_assets.benchmark.labelers import PEOPLE, PEOPLE_DIFFERENCE
from relabel_assets.plural import counted

# The least queries that people must have graded: one alone says nothing about another.
MIN_PEOPLE_QUERIES = 2


def calibrated_to(student: Mapping[str, Any]) -> str:
    """A sentence on whose grades `student` is calibrated to; empty where nobody asked for people's.

    `student` is a row of student_model.

    >>> calibrated_to({"calibrated_to": "teacher", "n_people_queries": None})
    ''
    >>> calibrated_to({"calibrated_to": "teacher", "n_people_queries": 1})
    "The student is calibrated to its teacher's grades, not to people's: these are of 1 query, and 2 are ..."
    >>> calibrated_to({"calibrated_to": "people", "n_people_queries": 27, "n_people_pairs": 540})
    "The student's grades are calibrated to people's: 540 pairs of 27 queries, of which none was in training."
    """
    n_queries = student.get("n_people_queries")
    if n_queries is None:
        return ""
    if student["calibrated_to"] != "people":
        return (
            f"The student is calibrated to its teacher's grades, not to people's: these are of "
            f"{counted(n_queries, 'query')}, and {MIN_PEOPLE_QUERIES} are needed. Grades of people have the "
            "kind human, and queries of train and dev do not count."
        )
    return (
        f"The student's grades are calibrated to people's: {counted(student['n_people_pairs'], 'pair')} of "
        f"{counted(n_queries, 'query')}, of which none was in training."
    )


def people_calibrated(rows: pl.DataFrame, student: Mapping[str, Any]) -> list[str]:
    """What calibration to people is worth, before and after; nothing where nobody asked for it.

    `rows` are those of `measure`.

    >>> of_all = {"metric": "kappa", "slice": "all", "n_queries": 27}
    >>> rows = pl.DataFrame([
    ...     of_all | {"labeler": "student", "value": 0.26, "ci_low": 0.2, "ci_high": 0.3},
    ...     of_all | {"labeler": PEOPLE, "value": 0.3, "ci_low": 0.2, "ci_high": 0.4},
    ...     of_all | {"labeler": PEOPLE_DIFFERENCE, "value": 0.04, "ci_low": 0.01, "ci_high": 0.08},
    ... ])
    >>> row = {"calibrated_to": "people", "n_people_queries": 27, "n_people_pairs": 540}
    >>> print(people_calibrated(rows, row)[1])
    Kappa of queries that the calibration had not seen: 0.260 calibrated to the teacher, 0.300 to people, ...
    """
    sentence = calibrated_to(student)
    if not sentence:
        return []
    of_kappa = rows.filter(
        pl.col("metric") == "kappa", pl.col("slice") == "all", pl.col("value").is_not_null()
    )
    by_labeler = {str(row["labeler"]): row for row in of_kappa.iter_rows(named=True)}
    if student["calibrated_to"] != "people" or PEOPLE_DIFFERENCE not in by_labeler:
        return [sentence]
    before, after, gain = (by_labeler[name] for name in ("student", PEOPLE, PEOPLE_DIFFERENCE))
    return [
        sentence,
        f"Kappa of queries that the calibration had not seen: {before['value']:.3f} calibrated to the "
        f"teacher, {after['value']:.3f} to people, {gain['value']:+.3f} [{gain['ci_low']:+.3f}, "
        f"{gain['ci_high']:+.3f}] on {counted(gain['n_queries'], 'query')}. student is the first, "
        f"{PEOPLE} the second.",
    ]
