"""The student: trained on a teacher's grades, saved as a folder, loaded to grade pairs.

What belongs here: the public names. Each is imported when it is first used, because importing this
package must not import torch. What does not: any code of a student (labeler.py, train.py).
"""

from importlib import import_module
from typing import Any

_MODULES = {
    "Labeler": "labeler",
    "VectorStore": "vectors.store",
    "benchmark_labels": "people.people_labels",
    "calibrate_to_people": "train",
    "ask_in_rounds": "cascade.rounds",
    "cascade_labels": "cascade.cascade_labels",
    "corpus_sample": "sample",
    "people_id": "identity",
    "people_pairs": "people.people_labels",
    "rubric_read": "identity",
    "student_id": "identity",
    "text_read": "identity",
    "train_student": "train",
    "training_set_hash": "identity",
}
__all__ = [
    "Labeler",
    "VectorStore",
    "ask_in_rounds",
    "benchmark_labels",
    "calibrate_to_people",
    "cascade_labels",
    "corpus_sample",
    "people_id",
    "people_pairs",
    "rubric_read",
    "student_id",
    "text_read",
    "train_student",
    "training_set_hash",
]


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
