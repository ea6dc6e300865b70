"""Which student this is: hashes of what it was trained on and how.

What belongs here: identity, so that an equal training set keeps the same student. What does not: training it.
"""

import hashlib
import json

import polars as pl

from relabel_assets.corpus.config import StudentConfig
from relabel_assets.corpus.pairs import DOCUMENT_COLUMNS
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.base import weights_identity

RECIPE_VERSION = 7  # counts up when the same pairs and settings would train another student
_COLUMNS = ("query_id", "doc_id", "text", *DOCUMENT_COLUMNS, "grade", "split")


def training_set_hash(pairs: pl.DataFrame, corpus: pl.DataFrame | None = None) -> str:
    """SHA-256 of the training and dev pairs with their texts and grades, and of `corpus` as corpus_sample gives it.

    The same whatever the order of their rows.
    """
    digest = hashlib.sha256(pairs.select(_COLUMNS).sort("query_id", "doc_id").write_ndjson().encode())
    if corpus is not None:
        digest.update(corpus.sort("doc_id").write_ndjson().encode())
    return digest.hexdigest()


def rubric_read(config: StudentConfig, rubric: Rubric) -> str | int:
    """What of the rubric a student follows from: decoders read it, others know how many grades there are."""
    return rubric.content_hash if config.architecture == "decoder" else rubric.n_grades


def student_id(set_hash: str, config: StudentConfig, rubric: Rubric) -> str:
    """A short name that changes with the training set, the settings, the base's weights or the recipe."""
    settings = config.model_dump(mode="json")
    parts = [set_hash, settings, rubric_read(config, rubric), weights_identity(config.base_model), RECIPE_VERSION]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
