"""BM25 as a labeler, and confusion counts, by hand."""

import polars as pl

from relabel_assets.benchmark.baselines import (
    bm25_labels,
    confusions,
    labels_in_one,
)


def pairs(**columns: list[object]) -> pl.DataFrame:
    n = len(next(iter(columns.values())))
    return pl.DataFrame({"query_id": ["q"] * n, "doc_id": [f"d{k}" for k in range(n)], **columns})


def test_bm25_grades_have_the_teachers_frequencies_among_training_pairs() -> None:
    candidates = pairs(bm25_score=[0.0, 1.0, 2.0, 3.0, 9.0])
    training = pairs(grade=[0, 0, 1, 3])  # d4 is a benchmark pair: it is graded, not learned from
    labels = bm25_labels(candidates, training, n_grades=4)
    # Two grades below 1: 1.5. Three below 2 and three below 3: 2.5. So grade 2 is not given.
    assert labels["grade"].to_list() == [0, 0, 1, 3, 3]
    assert labels["expected_grade"].to_list() == candidates["bm25_score"].to_list()


def test_documents_with_bm25_score_zero_all_get_grade_0() -> None:
    candidates = pairs(bm25_score=[0.0, 0.0, 0.0, 0.0, 1.0, 2.0])
    labels = bm25_labels(candidates, pairs(grade=[0, 0, 1, 1, 2, 3]), n_grades=4)
    assert labels["grade"].to_list() == [0, 0, 0, 0, 2, 3]


def test_a_labeler_without_expected_grades_ranks_by_grade() -> None:
    teacher = pairs(grade=[3, 1]).with_columns(expected_grade=pl.Series([None, 1.25]))
    student = pairs(grade=[2, None], expected_grade=[2.2, 0.4])
    rows = labels_in_one(teacher=teacher, student=student)
    assert rows.select("labeler", "score", "grade").rows() == [
        ("teacher", 3.0, 3),
        ("teacher", 1.25, 1),
        ("student", 2.2, 2),
        ("student", 0.4, None),
    ]


def test_confusions_leave_out_pairs_without_a_grade_and_take_the_median_assessor() -> None:
    labels = pairs(grade=[1, None, 0]).with_columns(labeler=pl.lit("teacher"))
    reference = pl.concat(
        [pairs(grade=[2, 1, 0]), pairs(grade=[1, 1, 0]).head(1)]  # d0: 2 and 1, rounded down to 1
    )
    assert confusions(labels, reference, n_grades=3) == {
        "teacher": [[1, 0, 0], [0, 1, 0], [0, 0, 0]]
    }
