"""Frames of pairs, some of which have known grades, with a student that was trained for it."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student import Labeler, train_student
from relabel_assets.student.calibration import Calibration
from relabel_assets.student.cascade.known_grades import ScoredPairs, rows_by_query
from relabel_assets.student.cross_encoder import CrossEncoder
from relabel_assets.student.people.people_calibration import PeopleCalibration

pytestmark = pytest.mark.slow

SUBJECTS: tuple[str, ...] = (
    "parental leave",
    "travel expenses",
    "laptop repair",
    "visitor badges",
    "bicycle lease",
)
SUBJECTS += ("fire drills", "meeting rooms", "payroll dates", "coffee machines", "sick notes")


def graded_pairs() -> pl.DataFrame:
    no_metadata = dict.fromkeys(("author", "path", "updated_at", "doc_type"), None)
    rows = [
        {
            "query_id": f"q{q}",
            "doc_id": f"d{d}",
            "grade": 3 if q == d else abs(q - d) % 3,
            "text": f"{query} rules",
            "title": document,
            "body": f"All about {document}. " * 3,
            "split": "dev" if q > 7 else "train",
            **no_metadata,
        }
        for q, query in enumerate(SUBJECTS)
        for d, document in enumerate(SUBJECTS)
    ]
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(no_metadata, pl.String))


@pytest.fixture(scope="module")
def labeler(tmp_path_factory: pytest.TempPathFactory) -> Labeler:
    folder = tmp_path_factory.mktemp("students") / "one"
    config = StudentConfig(epochs=0)
    train_student(graded_pairs(), config=config, rubric=default_rubric(), folder=folder)
    return Labeler.load(folder)


@pytest.fixture(scope="module")
def scored(labeler: Labeler) -> ScoredPairs:
    return labeler.score(graded_pairs())


def known_of(grades: dict[int, int]) -> pl.Series:
    return pl.Series([grades.get(row) for row in range(100)], dtype=pl.Int64)


def test_with_nothing_known_the_grades_are_those_of_the_student_alone(
    labeler: Labeler, scored: ScoredPairs
) -> None:
    alone = labeler.grade(graded_pairs())
    graded = scored.grade(known_of({}))
    assert graded["n_known"].to_list() == [0] * 100
    assert graded.drop("n_known").equals(alone)


def test_a_known_pair_has_its_grade_and_its_query_counts_it(scored: ScoredPairs) -> None:
    graded = scored.grade(known_of({0: 0, 3: 3, 27: 1}))
    assert graded["grade"].gather([0, 3, 27]).to_list() == [0, 3, 1]
    assert graded["n_known"].to_list() == [2] * 10 + [0] * 10 + [1] * 10 + [0] * 70


def test_the_grades_of_other_queries_do_not_change(labeler: Labeler, scored: ScoredPairs) -> None:
    graded = scored.grade(known_of({0: 0, 3: 3}))
    alone = labeler.grade(graded_pairs())
    assert graded[10:].drop("n_known").equals(alone[10:])
    assert not graded[:10].drop("n_known").equals(alone[:10])


def test_generous_known_grades_make_the_rest_of_the_query_more_generous(
    labeler: Labeler, scored: ScoredPairs
) -> None:
    graded = scored.grade(known_of(dict.fromkeys(range(5), 3)))
    alone = labeler.grade(graded_pairs())
    assert graded["expected_grade"][5:10].mean() > alone["expected_grade"][5:10].mean()


def test_a_share_of_each_query_is_asked_about_and_the_choice_is_the_same_again(
    scored: ScoredPairs,
) -> None:
    is_asked = scored.to_ask(0.2, seed=13)
    assert is_asked.to_numpy().reshape(10, 10).sum(axis=1).tolist() == [2] * 10
    assert is_asked.to_list() == scored.to_ask(0.2, seed=13).to_list()


def test_pairs_in_another_order_get_the_same_grades(labeler: Labeler, scored: ScoredPairs) -> None:
    order = np.random.default_rng(3).permutation(100)
    known = known_of({0: 0, 3: 3, 27: 1})
    shuffled = labeler.score(graded_pairs()[order]).grade(known.gather(order))
    expected = scored.grade(known)[order]
    assert shuffled.select("query_id", "doc_id", "grade", "n_known").equals(
        expected.select("query_id", "doc_id", "grade", "n_known")
    )
    differences = (shuffled["expected_grade"] - expected["expected_grade"]).abs()
    assert differences.max() < 1e-6


def test_calibrated_to_people_a_cascade_ranks_as_before_and_grades_as_people_do(
    labeler: Labeler, scored: ScoredPairs
) -> None:
    thresholds = [threshold + 1 for threshold in labeler.calibration.thresholds]
    stricter = Calibration(slope=labeler.calibration.slope, thresholds=thresholds)
    people = PeopleCalibration(
        calibration=stricter, cut_points=labeler.points, n_queries=9, n_pairs=90
    )
    of_people = replace(labeler, people=people)
    by_people = of_people.score(graded_pairs())
    known = known_of({0: 0, 3: 3, 27: 1})
    assert by_people.to_ask(0.2, seed=13).to_list() == scored.to_ask(0.2, seed=13).to_list()
    alone = by_people.grade(known_of({})).drop("n_known")
    assert alone["grade"].equals(of_people.grade(graded_pairs())["grade"])
    ours, theirs = by_people.grade(known), scored.grade(known)
    assert ours["grade"].gather([0, 3, 27]).to_list() == [0, 3, 1]
    assert (ours["expected_grade"] < theirs["expected_grade"]).all()
    order = ours["expected_grade"].arg_sort().to_list()
    assert theirs["expected_grade"].gather(order).is_sorted()


def test_a_student_that_grades_each_pair_alone_is_refused() -> None:
    plain = Labeler(object.__new__(CrossEncoder), Calibration(slope=1, thresholds=[0]), [0.5])
    with pytest.raises(StudentError, match="architecture: late_interaction"):
        plain.score(graded_pairs())


def test_rows_of_a_query_may_stand_apart() -> None:
    rows = rows_by_query(pl.Series(["b", "a", "b", "c", "a"]))
    assert [of_query.tolist() for of_query in rows] == [[0, 2], [1, 4], [3]]
