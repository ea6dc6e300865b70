"""Asking in rounds: how many of each query, what is known afterwards, and what a failure changes."""

import numpy as np
import polars as pl
import pytest

from relabel_assets.student.cascade.cascade import Cascade
from relabel_assets.student.cascade.known_grades import ScoredPairs, rows_by_query
from relabel_assets.student.cascade.residual_process import ResidualProcess
from relabel_assets.student.cascade.rounds import ask_in_rounds
from relabel_assets.student.grader import PairEvidence

N_PAIRS = 60  # of three queries in turn


@pytest.fixture
def scored() -> ScoredPairs:
    draw = np.random.default_rng(7)
    vectors = draw.normal(size=(N_PAIRS, 5))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    keys = pl.DataFrame(
        {
            "query_id": [f"q{row % 3}" for row in range(N_PAIRS)],
            "doc_id": [f"d{row}" for row in range(N_PAIRS)],
        }
    )
    process = ResidualProcess(offset=0.3, similarity=0.6, length=0.2, features=0.1, noise=0.1)
    return ScoredPairs(
        keys,
        rows_by_query(keys["query_id"]),
        draw.dirichlet(np.ones(4), size=N_PAIRS),
        PairEvidence(vectors, vectors),
        Cascade(process=process, shares=[0.0], cut_points=[[0.5, 1.5, 2.5]]),
    )


class Teacher:
    """Grades row i with i % 4, but none of the rows that fail; records the questions of each round."""

    def __init__(self, *failing: int) -> None:
        self.rounds: list[list[int]] = []
        self._failing = failing

    def __call__(self, is_asked: pl.Series) -> pl.Series:
        self.rounds.append(is_asked.arg_true().to_list())
        grades = [row % 4 if row not in self._failing else None for row in range(N_PAIRS)]
        return pl.Series(
            [grade if asked else None for grade, asked in zip(grades, is_asked, strict=True)],
            dtype=pl.Int64,
        )


def grades_of(known: dict[int, int]) -> pl.Series:
    return pl.Series([known.get(row) for row in range(N_PAIRS)], dtype=pl.Int64)


def test_asking_nothing_gives_the_grades_of_the_student_alone(scored: ScoredPairs) -> None:
    teacher = Teacher()
    asked = ask_in_rounds(scored, 0.0, teacher, seed=13, n_rounds=3)
    assert teacher.rounds == [] and asked.known.null_count() == N_PAIRS
    graded = scored.grade(asked.known)
    assert np.array_equal(np.array(graded["grade_probs"].to_list()), scored.grade_probs)
    assert graded["expected_grade"].to_numpy() == pytest.approx(scored.grade_probs @ np.arange(4))
    assert graded["n_known"].to_list() == [0] * N_PAIRS


def test_one_round_asks_what_to_ask_says(scored: ScoredPairs) -> None:
    asked = ask_in_rounds(scored, 0.2, Teacher(), seed=13, n_rounds=1)
    assert asked.is_asked.to_list() == scored.to_ask(0.2, seed=13).to_list()


@pytest.mark.parametrize("n_rounds", [1, 2, 3, 7])
def test_the_share_does_not_depend_on_the_rounds_and_no_pair_is_asked_twice(
    scored: ScoredPairs, n_rounds: int
) -> None:
    teacher = Teacher()
    asked = ask_in_rounds(scored, 0.2, teacher, seed=13, n_rounds=n_rounds)
    rows = [row for of_round in teacher.rounds for row in of_round]
    assert len(rows) == len(set(rows)) == asked.is_asked.sum() == 12
    assert sorted(row % 3 for row in rows) == [0] * 4 + [1] * 4 + [2] * 4
    assert len(teacher.rounds) == min(n_rounds, 4)  # four of each query


def test_a_later_round_depends_on_the_answers_of_the_first(scored: ScoredPairs) -> None:
    def contrary(is_asked: pl.Series) -> pl.Series:
        return 3 - Teacher()(is_asked)

    one = ask_in_rounds(scored, 0.3, Teacher(), seed=13, n_rounds=3)
    other = ask_in_rounds(scored, 0.3, contrary, seed=13, n_rounds=3)
    assert one.is_asked.to_list() != other.is_asked.to_list()
    again = ask_in_rounds(scored, 0.3, Teacher(), seed=13, n_rounds=3)
    assert one.is_asked.to_list() == again.is_asked.to_list()


def test_a_pair_without_an_answer_stays_unknown_and_is_not_asked_again(scored: ScoredPairs) -> None:
    first = ask_in_rounds(scored, 0.2, Teacher(), seed=13, n_rounds=4).is_asked.arg_true()[0]
    teacher = Teacher(first)
    asked = ask_in_rounds(scored, 0.2, teacher, seed=13, n_rounds=4)
    rows = [row for of_round in teacher.rounds for row in of_round]
    assert rows.count(first) == 1 and len(rows) == 12
    assert asked.known[first] is None and asked.known.null_count() == N_PAIRS - 11


def test_what_people_graded_is_not_asked_and_keeps_their_grade(scored: ScoredPairs) -> None:
    of_teacher = ask_in_rounds(scored, 0.2, Teacher(), seed=13).is_asked.arg_true().to_list()
    known = {row: 3 - row % 4 for row in of_teacher[:5]}
    teacher = Teacher()
    asked = ask_in_rounds(scored, 0.2, teacher, seed=13, known=grades_of(known), n_rounds=2)
    rows = {row for of_round in teacher.rounds for row in of_round}
    assert not rows & set(known) and len(rows) == 12
    assert {row: asked.known[row] for row in known} == known


def test_peoples_grades_steer_the_choice_in_their_query_alone(scored: ScoredPairs) -> None:
    alone = set(scored.to_ask(0.2, seed=13).arg_true().to_list())
    of_query = [row for row in range(0, N_PAIRS, 3) if row not in alone]
    known = grades_of(dict.fromkeys(of_query[:8], 3))
    steered = set(ask_in_rounds(scored, 0.2, Teacher(), seed=13, known=known).is_asked.arg_true())
    assert {row for row in alone ^ steered if row % 3} == set()
    assert {row for row in alone ^ steered if row % 3 == 0}


def test_a_first_round_gets_what_cannot_be_divided(scored: ScoredPairs) -> None:
    teacher = Teacher()
    ask_in_rounds(scored, 0.2, teacher, seed=13, n_rounds=3)
    assert [len(rows) for rows in teacher.rounds] == [6, 3, 3]  # of three queries


def test_several_shares_are_chosen_as_each_alone(scored: ScoredPairs) -> None:
    shares = [0.2, 0.05, 0.4]
    together = scored.to_ask_each(shares, seed=13)
    assert [of_share.sum() for of_share in together] == [12, 3, 24]
    for share, of_share in zip(shares, together, strict=True):
        assert of_share.to_list() == scored.to_ask(share, seed=13).to_list()


def test_where_everything_is_known_nothing_is_asked(scored: ScoredPairs) -> None:
    teacher = Teacher()
    everything = grades_of(dict.fromkeys(range(N_PAIRS), 1))
    asked = ask_in_rounds(scored, 0.2, teacher, seed=13, known=everything, n_rounds=2)
    assert teacher.rounds == [] and not asked.is_asked.any()
