"""People's grades as frames: the pairs that calibrate a student, and its labels of a benchmark.

What belongs here: which of people's grades count, and labels by calibrations that had not seen the query.
What does not: the fit (people_calibration.py), and which student is current (assets/student_model.py).
"""

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.labelers import PEOPLE
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.student.folder import Settings
from relabel_assets.student.labeler import graded
from relabel_assets.student.people.people_calibration import PeopleGrades, cross_fitted

_PAIR = ["query_id", "doc_id"]


def people_pairs(
    reference: pl.DataFrame,
    candidates: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
) -> pl.DataFrame:
    """The `candidates` of the queries that people graded and that teach nobody, with people's grades.

    The student has seen the teacher's grades of the others. `reference` has rows of reference_labels, of
    which those of people count; several of a pair count as their median. Columns: query_id, doc_id,
    grade (null where no person graded the pair), text and DOCUMENT_COLUMNS. Sorted by key.

    >>> pairs = pl.DataFrame({"query_id": ["q1", "q1", "q2"], "doc_id": ["d1", "d2", "d1"]})
    >>> reference = pairs[:1].with_columns(grade=3, assessor=pl.lit("ana"), kind=pl.lit("human"))
    >>> queries = pl.DataFrame({"query_id": ["q1", "q2"], "text": ["leave", "travel"], "split": "benchmark"})
    >>> texts = dict.fromkeys(("title", "body", "author", "path", "updated_at", "doc_type"), pl.lit("text"))
    >>> documents = pl.DataFrame({"doc_id": ["d1", "d2"]}).with_columns(**texts)
    >>> people_pairs(reference, pairs, queries, documents).select(*_PAIR, "grade").rows()
    [('q1', 'd1', 3), ('q1', 'd2', None)]
    """
    teach = queries.filter(pl.col("split").is_in(["train", "dev"]))
    by_people = reference.filter(pl.col("kind") == "human").join(teach, on="query_id", how="anti")
    pairs = (
        pl.concat(frame.select(_PAIR) for frame in (candidates, by_people))
        .unique()
        .join(by_people, on="query_id", how="semi")
        .join(median_grades(by_people), on=_PAIR, how="left")
        .sort(_PAIR)
    )
    return with_texts(pairs, queries, documents)


def benchmark_labels(
    labels: pl.DataFrame, people: pl.DataFrame, settings: Settings
) -> dict[str, pl.DataFrame]:
    """The `labels` of a student for a benchmark, by labeler: "student" and, calibrated to people, PEOPLE.

    "student" has its teacher's calibration. PEOPLE has people's, each query's fitted to people's grades of
    other queries: so these grades may measure it. `labels` has rows of student_labels by the student with
    these `settings`; `people` is the result of people_pairs. A student that is not calibrated to people
    has the first alone, its labels as they are.

    >>> labels = pl.DataFrame({"query_id": ["q"], "doc_id": ["d"], "grade": [1], "expected_grade": [0.5]})
    >>> list(benchmark_labels(labels, pl.DataFrame(), Settings.model_construct(people=None)))
    ['student']
    """
    own = settings.people
    if own is None:
        return {"student": labels}
    others = labels.drop("grade", "expected_grade", "grade_probs")
    scores = own.calibration.scores_at(labels["expected_grade"].to_numpy())
    scored = others.with_columns(score=pl.Series(scores))
    graded_by_people = people.join(scored.select(*_PAIR, "score"), on=_PAIR, maintain_order="left")
    grades = PeopleGrades(
        graded_by_people["score"].to_numpy(),
        graded_by_people["grade"].cast(pl.Float64).fill_null(float("nan")).to_numpy(),
        graded_by_people["query_id"].to_list(),
    )
    fits = cross_fitted(grades, settings.calibration, settings.seed)
    parts = []
    for (query,), of_query in scored.group_by("query_id", maintain_order=True):
        fit = fits.get(str(query), own)  # of a query that no person graded, `own` has seen no grade
        values = of_query["score"].to_numpy()
        parts.append(graded(of_query.drop("score"), values, fit.calibration, fit.cut_points))
    student = graded(others, scores, settings.calibration, settings.cut_points)
    return {"student": student, PEOPLE: pl.concat(parts)}
