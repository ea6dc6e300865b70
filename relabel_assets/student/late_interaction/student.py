"""The late-interaction student: loading, scoring pairs and saving.

What belongs here: the student as a whole. What does not: the formulas (features.py, head.py) and its
training (training/late_interaction_training.py). Imported only where a model is needed: it loads torch.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from cachetools import LRUCache
from numpy.typing import NDArray
from transformers import AutoModel

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.progress import Progress, silent
from relabel_assets.student.base import base_path
from relabel_assets.student.folder import (
    DOCUMENT_ENCODER,
    SETTINGS,
    Settings,
    not_a_student,
    save_merged,
)
from relabel_assets.student.grader import PairEvidence
from relabel_assets.student.late_interaction.cache import (
    MAX_QUERIES,
    DocumentCache,
    document_cache,
    iter_encoded_documents,
)
from relabel_assets.student.late_interaction.corpus_statistics import CorpusStatistics
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.features import FEATURE_NAMES, EncodedQuery
from relabel_assets.student.late_interaction.head import Head
from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets.student.late_interaction.scoring import (
    feature_matrix,
    late_interaction_scores,
)
from relabel_assets.student.late_interaction.statistics_file import (
    read_corpus_statistics,
    save_corpus_statistics,
)
from relabel_assets.student.late_interaction.stuffing import StuffingGuard
from relabel_assets.student.multi_vector_files import write_multi_vector_files
from relabel_assets.student.runtime.encoder import (
    Encoder,
    load_encoder,
    load_model,
    max_tokens_of,
)
from relabel_assets.student.runtime.precision import InferenceCopy
from relabel_assets.student.vectors.store import VectorStore


@dataclass(frozen=True)
class LateInteraction:
    """A grader that scores pairs: `scorer` encodes queries, `document_encoder` encodes documents.

    A trained student has `statistics` and a `head`, which weights a pair's features, and with
    `hardening` a `guard`, which lowers the score of stuffed documents. The untrained base has none of
    them: its score is the late interaction alone. Vectors of documents are kept in `store`.
    """

    scorer: QueryScorer
    document_encoder: Encoder
    statistics: CorpusStatistics | None = None
    head: Head | None = None
    guard: StuffingGuard | None = None
    store: VectorStore | None = None
    _documents: DocumentCache = field(default_factory=document_cache)
    _queries: LRUCache[str, EncodedQuery] = field(default_factory=lambda: LRUCache(MAX_QUERIES))

    @classmethod
    def load(cls, folder: Path, settings: Settings) -> "LateInteraction":
        """The student saved in `folder`.

        Raises StudentError where it is damaged or was saved by a later version.
        """
        query_encoder = _saved_encoder(folder, settings)
        scorer = QueryScorer(query_encoder)
        scorer.token_weight.data = torch.tensor(settings.token_weight)
        # Earlier versions could train one encoder for both sides, and saved it alone.
        documents = folder / DOCUMENT_ENCODER
        document_encoder = query_encoder
        if documents.is_dir():
            document_encoder = _saved_encoder(documents, settings)
        if settings.head is None:
            raise not_a_student(folder, SETTINGS, ValueError("no head"))
        guarded = settings.stuffing.head.names if settings.stuffing else []
        if unknown := {*settings.head.names, *guarded} - set(FEATURE_NAMES):
            raise StudentError(
                f"the student in {folder} weights {min(unknown)!r}, a feature that this version of "
                "relabel-assets does not have: it is of a later version. "
                "Install that, or train the student again."
            )
        statistics = read_corpus_statistics(folder)
        # Without its tokenizer.json, a tokenizer is loaded that knows no word.
        for encoder in (query_encoder, document_encoder):
            if len(encoder.tokenizer) != len(statistics.words.idf):
                raise not_a_student(folder, "tokenizer.json", ValueError("its size does not fit"))
        return cls(scorer, document_encoder, statistics, settings.head, settings.stuffing)

    @classmethod
    def untrained(cls, config: StudentConfig) -> "LateInteraction":
        """The base model as it is."""
        encoder = load_encoder(base_path(config.base_model), config.max_length, config.precision)
        return cls(QueryScorer(encoder), encoder)

    def with_store(self, store: VectorStore) -> "LateInteraction":
        """The same grader, which takes vectors of documents from `store` and keeps them there."""
        return replace(self, store=store)

    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), in its order.

        Encoded documents and queries are cached for the next call.
        """
        documents = self._read(pairs, progress)
        if self.statistics is None or self.head is None:
            return late_interaction_scores(self.scorer, documents, pairs, progress)
        return self._scores_of(self._features(documents, pairs, progress), self.head)

    def _read(
        self, pairs: pl.DataFrame, progress: Progress
    ) -> Iterator[tuple[str, EncodedDocument]]:
        """Each document of `pairs`, once and in their order."""
        return iter_encoded_documents(
            self.document_encoder, pairs, progress, self._documents, self.store
        )

    def _features(
        self,
        documents: Iterable[tuple[str, EncodedDocument]],
        pairs: pl.DataFrame,
        progress: Progress,
    ) -> NDArray:
        """The features of each row of `pairs`, (N, F), in its order."""
        assert self.statistics is not None
        return feature_matrix(
            self.scorer, documents, pairs, self.statistics, self._queries, progress
        )

    def _scores_of(self, features: NDArray, head: Head) -> NDArray:
        """The score of each row of `features`, (N,) from (N, F)."""
        scores = head.scores(_columns(features, head))
        if self.guard:
            return self.guard.guarded(scores, _columns(features, self.guard.head))
        return scores

    def scores_and_evidence(
        self, pairs: pl.DataFrame, progress: Progress = silent
    ) -> tuple[NDArray, PairEvidence]:
        """The score of each row of `pairs`, (N,), and what a cascade needs of it, in their order.

        Only for a trained student.
        """
        assert self.head is not None
        vectors: dict[str, NDArray] = {}
        documents = with_mean_vectors(self._read(pairs, progress), vectors)
        features = self._features(documents, pairs, progress)
        scores = self._scores_of(features, self.head)
        return scores, evidence_of(features, vectors, pairs, self.head)

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the files of this architecture, and return its part of student.json."""
        assert self.statistics is not None
        save_merged(self.scorer.model, self.scorer.encoder.tokenizer, folder)
        documents = self.document_encoder
        save_merged(documents.model, documents.tokenizer, folder / DOCUMENT_ENCODER)
        save_corpus_statistics(folder, self.statistics)
        special_tokens = documents.tokenizer.all_special_tokens
        write_multi_vector_files(folder, DOCUMENT_ENCODER, special_tokens)
        return {
            "head": self.head,
            "stuffing": self.guard,
            "token_weight": self.scorer.token_weight.tolist(),
        }


def _columns(features: NDArray, head: Head) -> NDArray:
    """The features of `head`, which has fewer if an earlier version trained it."""
    return features[:, [FEATURE_NAMES.index(name) for name in head.names]]


def _saved_encoder(folder: Path, settings: Settings) -> Encoder:
    """An encoder of a student. Raises StudentError where it lacks a weight, which would be random."""
    model, tokenizer, missing = load_model(AutoModel, str(folder))
    if missing:
        raise not_a_student(folder, min(missing), ValueError("no such weight"))
    max_length = min(settings.max_length, max_tokens_of(model, settings.max_length))
    return Encoder(model, tokenizer, max_length, InferenceCopy(settings.precision))


def with_mean_vectors(
    documents: Iterable[tuple[str, EncodedDocument]], vectors: dict[str, NDArray]
) -> Iterator[tuple[str, EncodedDocument]]:
    """Yield `documents`, and put the unit mean vector (H,) of each into `vectors` by its doc_id.

    >>> document = EncodedDocument(torch.eye(2), [1, 1], 0, {}, frozenset(), frozenset(), frozenset())
    >>> vectors = {}
    >>> _ = list(with_mean_vectors([("d1", document)], vectors))
    >>> vectors["d1"].astype(float).round(2).tolist()
    [0.71, 0.71]
    """
    for doc_id, document in documents:
        mean = document.window_vectors.mean(dim=0)
        vectors[doc_id] = torch.nn.functional.normalize(mean, dim=0).numpy()
        yield doc_id, document


def evidence_of(
    features: NDArray, vectors: Mapping[str, NDArray], pairs: pl.DataFrame, head: Head
) -> PairEvidence:
    """The evidence of `pairs` (N) with these `features` (N, F), and mean vectors by doc_id.

    >>> head = Head(names=["late_interaction"], mean=[0.5], spread=[0.1], weight=[2.0])
    >>> features = np.full((1, len(FEATURE_NAMES)), 0.6)
    >>> pairs = pl.DataFrame({"doc_id": ["d1"]})
    >>> evidence_of(features, {"d1": np.ones(2)}, pairs, head).features.round(6).tolist()
    [[1.0]]
    """
    of_pairs = np.stack([vectors[doc_id] for doc_id in pairs["doc_id"]])
    return PairEvidence(of_pairs, head.z_scores(_columns(features, head)))
