"""The identity of a student: hashes of what it was trained on and how.

What belongs here: identity, so that an equal training set keeps the same student. What does not:
training it.
"""

import hashlib
import json
from typing import Any

import polars as pl

from relabel_assets.corpus.student_config import StudentConfig
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.architectures import architecture
from relabel_assets.student.base import weights_identity
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS

RECIPE_VERSION = 7  # counts up when the same pairs and settings would train another student
_COLUMNS = ("query_id", "doc_id", "text", *DOCUMENT_COLUMNS, "grade", "split")


def training_set_hash(pairs: pl.DataFrame, corpus: pl.DataFrame | None = None) -> str:
    """SHA-256 of the training and dev pairs with their texts and grades, and of `corpus` as
    corpus_sample gives it.

    The same whatever the order of their rows.

    >>> document = dict.fromkeys(DOCUMENT_COLUMNS) | {"title": "Leave"}
    >>> pair = {"query_id": "q1", "doc_id": "d1", "text": "leave", **document, "grade": 3, "split": "train"}
    >>> pairs = pl.DataFrame([pair, pair | {"doc_id": "d2"}])
    >>> regraded = pairs.with_columns(grade=2)
    >>> training_set_hash(pairs) == training_set_hash(pairs.reverse()) != training_set_hash(regraded)
    True
    """
    digest = hashlib.sha256(
        pairs.select(_COLUMNS).sort("query_id", "doc_id").write_ndjson().encode()
    )
    if corpus is not None:
        digest.update(corpus.sort("doc_id").write_ndjson().encode())
    return digest.hexdigest()


def rubric_read(config: StudentConfig, rubric: Rubric) -> str | int:
    """What of the rubric a student depends on: decoders read all of it, others have as many grades
    as it has.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> rubric_read(StudentConfig(), default_rubric())
    4
    """
    reads_rubric = architecture(config.architecture).reads_rubric
    return rubric.content_hash if reads_rubric else rubric.n_grades


def settings_to_hash(config: StudentConfig) -> dict[str, Any]:
    """The settings as hashes contain them: of a student's id, and of the inputs of tables.

    Earlier versions had a setting `train_documents`, off by default, and its hashes contain it. It
    is added here so that students and tables that were made before it was removed keep their
    hashes, and are not made again.

    >>> settings = settings_to_hash(StudentConfig(epochs=1))
    >>> settings["epochs"], settings["train_documents"]
    (1, False)
    """
    return config.model_dump(mode="json") | {"train_documents": False}


def student_id(set_hash: str, config: StudentConfig, rubric: Rubric) -> str:
    """A short name that changes with the training set, the settings, the base's weights or the
    recipe.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> ids = {student_id("set", StudentConfig(epochs=n), default_rubric()) for n in (1, 1, 2)}
    >>> [len(ids), len(ids.pop())]
    [2, 16]
    """
    parts = [
        set_hash,
        settings_to_hash(config),
        rubric_read(config, rubric),
        weights_identity(config.base_model),
        RECIPE_VERSION,
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
