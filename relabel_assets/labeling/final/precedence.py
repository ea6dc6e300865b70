"""The grade to use of every pair: of people, else of the teacher, else of the student that knows these.

What belongs here: the precedence, and the student's grades given the known ones. What does not: which
pairs the teacher was asked about (label_queries.py), and a query's grades (student/cascade/).
"""

from typing import TYPE_CHECKING

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.labeling.final.label_queries import PairTexts
from relabel_assets.progress import Progress, silent

if TYPE_CHECKING:  # it loads torch
    from relabel_assets.student.labeler import Labeler

_PAIR = ["query_id", "doc_id"]


def people_grades(reference: pl.DataFrame) -> pl.DataFrame:
    """The grades that people gave among rows of reference_labels: query_id, doc_id, grade, expected_grade.

    The grade is the median of the assessors, rounded down; the expected grade is not rounded.

    >>> rows = {"query_id": "q", "doc_id": ["d", "d", "e"], "assessor": ["a", "b", "a"]}
    >>> rows |= {"grade": [2, 3, 1], "kind": ["human", "human", "not stated"]}
    >>> people_grades(pl.DataFrame(rows)).rows()
    [('q', 'd', 2, 2.5)]
    """
    of_people = reference.filter(pl.col("kind") == "human")
    medians = of_people.group_by(_PAIR).agg(expected_grade=pl.col("grade").median())
    return median_grades(of_people).join(medians, on=_PAIR).sort(_PAIR)


def known_grades(people: pl.DataFrame, teacher: pl.DataFrame) -> pl.DataFrame:
    """The known grade of each pair, and whose it is, in the columns of final_labels.

    `people` is of people_grades. `teacher` has rows of teacher_labels. Where both graded, people count.

    >>> pair = {"query_id": "q", "doc_id": ["d", "e"], "grade": [1, None], "expected_grade": [1.2, None]}
    >>> teacher = pl.DataFrame(pair | {"grade_probs": None, "request_key": "k"})
    >>> people = teacher.select("query_id", "doc_id", "expected_grade", grade=pl.lit(3)).head(1)
    >>> known_grades(people, teacher).select("doc_id", "grade", "labeler").rows()
    [('d', 3, 'people')]
    """
    columns = (*_PAIR, "grade", "expected_grade", "grade_probs", "labeler", "request_key")
    graded = teacher.drop_nulls("grade").with_columns(labeler=pl.lit("teacher"))
    by_people = people.with_columns(
        labeler=pl.lit("people"),
        grade_probs=pl.lit(None, pl.List(pl.Float64)),
        request_key=pl.lit(None, pl.String),
    )
    types = {"grade": pl.Int64, "expected_grade": pl.Float64, "grade_probs": pl.List(pl.Float64)}
    both = [frame.select(columns).cast(types) for frame in (by_people, graded)]  # type: ignore[arg-type]
    return pl.concat(both).unique(_PAIR, keep="first", maintain_order=True)


def grades_knowing(
    labeler: "Labeler", texts: PairTexts, known: pl.DataFrame, progress: Progress = silent
) -> pl.DataFrame:
    """The student's grades of all pairs of queries with a known grade, as `ScoredPairs.grade` gives them.

    `known` is of known_grades. Empty for a student without a second stage: it cannot use them.
    """
    some = texts.pairs.join(known, on="query_id", how="semi", maintain_order="left")
    graded, n_done = list[pl.DataFrame](), 0
    if labeler.cascade is not None:
        grades = known.select(*_PAIR, known="grade")
        for chunk in PairTexts(some, texts.queries, texts.documents).in_chunks():
            of_chunk = chunk.select(_PAIR).join(grades, on=_PAIR, how="left", maintain_order="left")
            graded.append(labeler.score(chunk, progress=progress).grade(of_chunk["known"]))
            n_done += chunk.height
            progress("grading with known grades, pairs", n_done, some.height)
    schema = dict.fromkeys(_PAIR, pl.String) | {"grade": pl.Int64, "expected_grade": pl.Float64}
    empty = pl.DataFrame(schema=schema | {"grade_probs": pl.List(pl.Float64), "n_known": pl.Int64})
    return pl.concat([empty, *graded])


def final_labels(student: pl.DataFrame, knowing: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """The columns of final_labels without corpus, a row for each of `student`, in order.

    `student` has rows of student_labels, `knowing` is of grades_knowing, and `known` of known_grades. The
    probabilities of a teacher's grade are its own if it gives any, else the student's that knows it. So is
    its expected grade: a teacher errs too. What people said stands alone.

    >>> pair, types = {"query_id": ["q"], "doc_id": ["d"]}, {"grade_probs": pl.List(pl.Float64)}
    >>> graded = pair | {"expected_grade": [0.4], "grade_probs": [[0.6, 0.4]]}
    >>> student = pl.DataFrame(graded | {"grade": [0], "model_id": ["m"]})
    >>> knowing = pl.DataFrame(graded | {"grade": [1], "expected_grade": [0.9], "n_known": [1]})
    >>> of_teacher = {"grade": [1], "expected_grade": [None], "grade_probs": [None], "labeler": ["teacher"]}
    >>> known = pl.DataFrame(pair | of_teacher | {"request_key": ["k"]}, schema_overrides=types)
    >>> final_labels(student, knowing, known).select("grade", "expected_grade", "labeler", "n_known").rows()
    [(1, 0.9, 'teacher', 1)]
    """
    rows = student.join(knowing, on=_PAIR, how="left", suffix="_knowing", maintain_order="left")
    rows = rows.join(known, on=_PAIR, how="left", suffix="_known", maintain_order="left")
    is_people = (pl.col("labeler") == "people").fill_null(value=False)

    def first_of(name: str) -> pl.Expr:
        return pl.coalesce(f"{name}_known", f"{name}_knowing", pl.col(name))

    # Where no second stage knows it, the expected grade of a known grade is the grade.
    expected = pl.coalesce("expected_grade_known", "expected_grade_knowing", "grade_known")
    probs = pl.coalesce("grade_probs_known", "grade_probs_knowing")
    is_known = pl.col("grade_known").is_not_null()
    return rows.select(
        *_PAIR,
        grade=first_of("grade").cast(pl.Int8),
        expected_grade=pl.when(is_known).then(expected).otherwise(first_of("expected_grade")),
        grade_probs=pl.when(is_people)
        .then(pl.lit(None, pl.List(pl.Float64)))
        .when(is_known)
        .then(probs)
        .otherwise(first_of("grade_probs")),
        labeler=pl.col("labeler").fill_null("student"),
        n_known=pl.col("n_known").fill_null(0),
        model_id="model_id",
        request_key="request_key",
    )
