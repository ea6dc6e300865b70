"""What a student cannot be trusted with, because of what it was trained on.

What belongs here: those sentences, from a row of student_model. What does not: what the student is
worth beside its teacher (gate.py), and where the sentences are shown (report.py, graph/checks/).
"""

from collections.abc import Mapping
from typing import Any

from relabel_assets.benchmark.cut_points import never_given
from relabel_assets.plural import counted

# Late interaction fits 25 weights: 50 pairs are two for each. With fewer, its prior decides most of them.
MIN_TRAIN_PAIRS = 50


def training_limits(student: Mapping[str, Any]) -> list[str]:
    """A sentence for each limit of `student`: too few pairs, no dev pairs, grades that it never gives.

    >>> training_limits({"n_train_pairs": 12, "n_dev_pairs": 0, "cut_points": [0.5, 1.5, 1.5]})
    ... # doctest: +NORMALIZE_WHITESPACE
    ['The student learned from 12 graded pairs, and fewer than 50 teach it little.',
     'The student has no dev pairs: its last epoch was kept, and nothing shows that it is the best.',
     'The student never gives grade 2, which no graded pair of its training has.']
    """
    limits, n_train_pairs = [], student["n_train_pairs"]
    if n_train_pairs < MIN_TRAIN_PAIRS:
        limits.append(
            f"The student learned from {counted(n_train_pairs, 'graded pair')}, and fewer than "
            f"{MIN_TRAIN_PAIRS} teach it little."
        )
    if not student["n_dev_pairs"]:
        limits.append(
            "The student has no dev pairs: its last epoch was kept, and nothing shows that it is "
            "the best."
        )
    if absent := never_given(student["cut_points"]):
        grades = f"grade{'s' * (len(absent) > 1)} {', '.join(map(str, absent))}"
        by_people = student.get("calibrated_to") == "people"
        why = "people hardly ever give" if by_people else "no graded pair of its training has"
        limits.append(f"The student never gives {grades}, which {why}.")
    return limits
