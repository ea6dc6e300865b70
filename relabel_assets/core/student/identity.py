"""Which student this is: hashes of what it was trained on and how.

What belongs here: identity, so that an equal training set keeps the same student. What does not: training it.
"""

import hashlib
import json

import polars as pl

from relabel_assets.core.corpus_config import StudentConfig
from relabel_assets.core.pairs import DOCUMENT_COLUMNS
from relabel_assets.core.student.base import weights_identity

RECIPE_VERSION = 2  # counts up when the same pairs and settings would train another student
_COLUMNS = ("query_id", "doc_id", "text", *DOCUMENT_COLUMNS, "grade", "split")


def training_set_hash(pairs: pl.DataFrame) -> str:
    """SHA-256 of the training and dev pairs with their texts and grades, whatever their order."""
    return hashlib.sha256(pairs.select(_COLUMNS).sort("query_id", "doc_id").write_ndjson().encode()).hexdigest()


def student_id(set_hash: str, config: StudentConfig, n_grades: int) -> str:
    """A short name that changes with the training set, the settings, the base's weights or the recipe."""
    parts = [set_hash, config.model_dump(mode="json"), n_grades, weights_identity(config.base_model), RECIPE_VERSION]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]
