"""The limits of a student that was trained on little."""

from typing import Any

import pytest

from relabel_assets.benchmark.gates.training_limits import MIN_TRAIN_PAIRS, training_limits

SOUND: dict[str, Any] = {
    "n_train_pairs": MIN_TRAIN_PAIRS,
    "n_dev_pairs": 1,
    "cut_points": [0.5, 1.5, 2.5],
}


def test_a_student_of_enough_pairs_with_dev_and_every_grade_has_no_limit() -> None:
    assert MIN_TRAIN_PAIRS == 50
    assert training_limits(SOUND) == []


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"n_train_pairs": 49}, "learned from 49 graded pairs, and fewer than 50"),
        ({"n_train_pairs": 1}, "learned from 1 graded pair, and"),
        ({"n_train_pairs": 49, "n_dev_pairs": 500}, "learned from 49 graded pairs"),
        ({"n_dev_pairs": 0}, "has no dev pairs"),
        ({"cut_points": [0.5, 0.5, 4.0]}, "never gives grades 1, 3, which no graded pair"),
    ],
)
def test_each_limit_is_a_sentence(values: dict[str, object], words: str) -> None:
    (sentence,) = training_limits(SOUND | values)
    assert words in sentence
