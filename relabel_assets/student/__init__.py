"""The student: trained on a teacher's grades, saved as a folder, loaded to grade pairs.

What belongs here: the public names, loaded when they are first used: importing this package must not import torch.
"""

from typing import Any

__all__ = ["Labeler", "corpus_sample", "rubric_read", "student_id", "train_student", "training_set_hash"]


def __getattr__(name: str) -> Any:
    from importlib import import_module

    homes = {
        "Labeler": "labeler",
        "corpus_sample": "sample",
        "train_student": "train",
        "training_set_hash": "identity",
        "student_id": "identity",
        "rubric_read": "identity",
    }
    if name not in homes:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{homes[name]}"), name)
