"""The identity of a student: hashes of its training set and its settings.

What belongs here: these hashes, by which an equal training set keeps the same student. What does
not: training (train.py).
"""

import hashlib
import json

import polars as pl

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.architectures import architecture
from relabel_assets.student.base import weights_identity
from relabel_assets.student.windows import unspaced_windows
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

RECIPE_VERSION = 10  # counts up when the same pairs and settings would train another student
_COLUMNS = ("query_id", "doc_id", "text", *DOCUMENT_COLUMNS, "grade", "split")


def training_set_hash(pairs: pl.DataFrame, corpus: pl.DataFrame | None = None) -> str:
    """The SHA-256 of train and dev `pairs` with their texts and grades, and of `corpus`.

    `corpus` is the result of corpus_sample. The order of rows does not change the hash.

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
        # The empty corpus is of a student without windows. Other texts keep the hash of earlier versions.
        bodies = pl.concat([pairs["body"], corpus["body"]]) if corpus.height else corpus["body"]
        if any(unspaced_windows(body) for body in bodies.unique()):
            digest.update(b"windows of scripts without spaces")
    return digest.hexdigest()


def rubric_read(config: StudentConfig, rubric: Rubric) -> str | int:
    """The part of the rubric that a student depends on.

    Decoders read all of it, so it is the rubric's hash. Other students have as many grades as the
    rubric, so it is this number.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> rubric_read(StudentConfig(), default_rubric())
    4
    """
    reads_rubric = architecture(config.architecture).reads_rubric
    return rubric.content_hash if reads_rubric else rubric.n_grades


def text_read(config: StudentConfig) -> list[str]:
    """Which text of a long document the student reads; empty for one that reads it whole.

    >>> text_read(StudentConfig()), text_read(StudentConfig(architecture="cross_encoder"))
    ([], ['excerpts'])
    """
    return ["excerpts"] if architecture(config.architecture).reads_excerpts else []


def student_id(set_hash: str, config: StudentConfig, rubric: Rubric) -> str:
    """A short name that changes with training set, settings, base weights and recipe.

    A setting that the architecture does not read is none of it. Nor is `calibrate`: people_id has
    people's grades.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> ids = {student_id("set", StudentConfig(epochs=n), default_rubric()) for n in (1, 1, 2)}
    >>> [len(ids), len(ids.pop())]
    [2, 16]
    """
    unread = {"calibrate", "keep"}
    if not architecture(config.architecture).reads_rubric:
        unread.add("prompt")
    parts = [
        set_hash,
        config.model_dump(mode="json", exclude=unread),
        rubric_read(config, rubric),
        weights_identity(config.base_model),
        RECIPE_VERSION,
        *text_read(config),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def people_id(model_id: str, pairs: pl.DataFrame) -> str:
    """A short name of the student `model_id`, calibrated to people's grades of `pairs` (people_pairs).

    >>> document = dict.fromkeys(DOCUMENT_COLUMNS) | {"title": "Leave"}
    >>> pairs = pl.DataFrame([{"query_id": "q1", "doc_id": "d1", "text": "leave", **document, "grade": 3}])
    >>> len({people_id("4f1c", pairs), people_id("4f1c", pairs.with_columns(grade=2))})
    2
    """
    digest = training_set_hash(pairs.with_columns(split=pl.lit("people")))
    return hashlib.sha256(f"{model_id} {digest}".encode()).hexdigest()[:16]
