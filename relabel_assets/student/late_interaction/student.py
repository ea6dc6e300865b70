"""The late-interaction student: how it grades pairs and how it is trained.

What belongs here: from pairs to scores in bounded memory, and the order of training. What does not: one pair's score
(late_interaction.py), its evidence (evidence.py) and its losses (interaction_learners.py). Imported only where a model is needed.

Document vectors are made once and shared by all queries. They stay those of the base and only the query side learns, in
seconds an epoch on a CPU; with `train_documents` one encoder reads both sides and learns. Last, the head is fitted.
"""

import copy
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray
from torch import Tensor

from relabel_assets.corpus.config import StudentConfig
from relabel_assets.corpus.pairs import DOCUMENT_COLUMNS
from relabel_assets.errors import StudentError
from relabel_assets.progress import Progress, silent
from relabel_assets.student import fit as training
from relabel_assets.student import folder as storage
from relabel_assets.student.base import base_path
from relabel_assets.student.late_interaction.cache import Kept, documents_in_runs, looked_up, pairs_in_runs
from relabel_assets.student.late_interaction.corpus_statistics import Background, Collection, Feedback, Lexicon
from relabel_assets.student.late_interaction.documents import ReadDocument
from relabel_assets.student.late_interaction.features import NAMES, PRIOR, ReadQuery, evidence, read_queries
from relabel_assets.student.late_interaction.head import Head, fit_head
from relabel_assets.student.late_interaction.learners import BothSides, InteractionLearner, QuerySide
from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets.student.runtime.encoder import Encoder, load_encoder
from relabel_assets.student.runtime.precision import Reader

_BYTES_KEPT = 256_000_000  # of documents' vectors, for files whose batches share documents
_QUERIES_KEPT = 8192  # of about 20 kB
_BACKGROUND = 64  # documents; each costs every query one more comparison
_RATE = {("lora", False): 1e-4, ("full", False): 1e-5, ("lora", True): 5e-4, ("full", True): 4e-5}
_RANK = {False: 8, True: 16}


@dataclass(frozen=True)
class Weighing:
    """What turns the evidence for a pair into its score."""

    collection: Collection
    head: Head


@dataclass(frozen=True)
class Interaction:
    """Scores pairs. `scorer` reads queries, `document_encoder` documents; without `weighing`, late interaction decides alone."""

    scorer: QueryScorer
    document_encoder: Encoder
    weighing: Weighing | None = None
    _documents: Kept[ReadDocument] = field(default_factory=lambda: Kept(_BYTES_KEPT))
    _queries: Kept[ReadQuery] = field(default_factory=lambda: Kept(_QUERIES_KEPT))

    @classmethod
    def load(cls, folder: Path, settings: storage.Settings) -> "Interaction":
        scorer = QueryScorer(load_encoder(str(folder), settings.max_length, settings.precision))
        scorer.token_weight.data = torch.tensor(settings.token_weight)
        own = folder / storage.DOCUMENT_ENCODER
        documents = scorer.encoder
        if own.is_dir():
            documents = load_encoder(str(own), settings.max_length, settings.precision)
        if settings.head is None:
            raise storage.not_a_student(folder, storage.SETTINGS, ValueError("no head"))
        if unknown := set(settings.head.names) - set(NAMES):
            raise StudentError(
                f"the student in {folder} weighs {min(unknown)!r}, which this version of relabel-assets does not know: "
                "it is of a later one. Install that, or train the student again."
            )
        return cls(scorer, documents, Weighing(storage.read_evidence(folder), settings.head))

    @classmethod
    def untrained(cls, config: StudentConfig) -> "Interaction":
        """The base model as it is."""
        encoder = load_encoder(base_path(config.base_model), config.max_length, config.precision)
        return cls(QueryScorer(encoder), encoder)

    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), in its order. Each document is read once, and the last ones are kept."""
        return self.scores_of(pairs, documents_in_runs(self.document_encoder, pairs, progress, self._documents))

    def scores_of(self, pairs: pl.DataFrame, documents: Iterable[tuple[str, ReadDocument]]) -> NDArray:
        """`scores` with documents that are read already."""
        if self.weighing is None:
            return pair_scores(self.scorer, documents, pairs)
        figures = pair_figures(self.scorer, documents, pairs, self.weighing.collection, self._queries)
        head = self.weighing.head  # that of an earlier version may know fewer figures
        return head.scores(figures[:, [NAMES.index(name) for name in head.names]])

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the files of this architecture, and give its part of student.json."""
        assert self.weighing is not None
        storage.save_merged(self.scorer.model, self.scorer.encoder.tokenizer, folder)
        if self.document_encoder is not self.scorer.encoder:
            storage.save_merged(
                self.document_encoder.model, self.document_encoder.tokenizer, folder / storage.DOCUMENT_ENCODER
            )
        storage.save_evidence(folder, self.weighing.collection)
        return {"head": self.weighing.head, "token_weight": self.scorer.token_weight.tolist()}


def train(
    rows: pl.DataFrame,
    config: StudentConfig,
    n_grades: int,
    *,
    graded: Sequence[training.GradedQuery],
    is_train: pl.Series,
    corpus: pl.DataFrame,
    figure: Callable[[NDArray], float | None],
    progress: Progress,
) -> tuple[Interaction, NDArray, NDArray, list[training.Epoch]]:
    """Train on `graded`, the train rows of `rows`; `figure` measures scores of the other ones, (M,). `corpus` is its documents.

    The head is fitted twice: to the train rows, by which the student is measured, and to all rows, which the student keeps.
    Returns the student, its score of each of `rows` by either head, and its epochs.
    """
    both = config.train_documents
    documents_encoder = load_encoder(base_path(config.base_model), config.max_length, config.precision)
    query_encoder = documents_encoder
    if not both:
        query_encoder = Encoder(
            copy.deepcopy(documents_encoder.model), documents_encoder.tokenizer, documents_encoder.max_length,
            Reader(config.precision),
        )  # fmt: skip
    scorer = QueryScorer(query_encoder)
    if config.method == "lora":
        scorer.model = training.with_lora(query_encoder.model, rank=_RANK[both])
        query_encoder.model = scorer.model
    rate = config.learning_rate or _RATE[config.method, both]
    dev = rows.filter(~is_train)
    if both:
        learner: InteractionLearner = BothSides(scorer, rate, rows, n_grades)
        read: dict[str, ReadDocument] = {}
    else:
        read = dict(documents_in_runs(documents_encoder, rows, progress))
        vectors = {doc_id: document.vectors.clone() for doc_id, document in read.items()}  # out of inference mode
        learner = QuerySide(scorer, rate, vectors)

    def dev_figure() -> float | None:
        if dev.is_empty():
            return None
        documents = documents_in_runs(documents_encoder, dev, silent) if both else read.items()
        return figure(pair_scores(scorer, documents, dev))

    history = training.fit(
        learner, graded, epochs=config.epochs, seed=config.seed, figure=dev_figure, progress=progress
    )
    documents = read or dict(documents_in_runs(documents_encoder, rows, progress))
    collection = collection_of(documents_encoder, documents, rows, corpus, config.seed, progress)
    figures = pair_figures(scorer, documents.items(), rows, collection)
    measured = _head(figures[is_train.to_numpy()], rows.filter(is_train), config.seed)
    kept = measured if dev.is_empty() else _head(figures, rows, config.seed)
    student = Interaction(scorer, documents_encoder, Weighing(collection, kept))
    return student, measured.scores(figures), kept.scores(figures), history


def _head(figures: NDArray, rows: pl.DataFrame, seed: int) -> Head:
    """The head of the grades of `rows`, with figures (N, F)."""
    grades, queries = rows["grade"].to_numpy(), rows["query_id"].to_list()
    return fit_head(figures, grades, queries, names=NAMES, seed=seed, prior=PRIOR)


def collection_of(
    encoder: Encoder,
    read: Mapping[str, ReadDocument],
    rows: pl.DataFrame,
    corpus: pl.DataFrame,
    seed: int,
    progress: Progress = silent,
) -> Collection:
    """What is known of `corpus` and of the documents of `rows`, which are `read`; no grade goes in."""
    lexicon = Lexicon.of([read[doc_id] for doc_id in rows["doc_id"].unique()], len(encoder.tokenizer))
    background = Background.of(encoder, _drawn(rows, _BACKGROUND, seed))
    return Collection(lexicon, background, _feedback(encoder, read, corpus, lexicon, progress))


def _feedback(
    encoder: Encoder, read: Mapping[str, ReadDocument], corpus: pl.DataFrame, lexicon: Lexicon, progress: Progress
) -> Feedback:
    """The windows of `corpus`; documents that are `read` are not read again."""
    absent = documents_in_runs(encoder, corpus.filter(~pl.col("doc_id").is_in(list(read))), progress)
    known = chain(((doc_id, read[doc_id]) for doc_id in corpus["doc_id"] if doc_id in read), absent)
    windows = [(document.pooled, document.counts) for _, document in known]
    return Feedback.of([pooled for pooled, _ in windows], [counts for _, counts in windows], lexicon)


def _drawn(rows: pl.DataFrame, n: int, seed: int) -> list[dict[str, Any]]:
    """At most `n` of the documents of `rows`."""
    documents = rows.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
    return documents.sample(min(n, documents.height), seed=seed).to_dicts()


def pair_scores(scorer: QueryScorer, documents: Iterable[tuple[str, ReadDocument]], pairs: pl.DataFrame) -> NDArray:
    """The late interaction of each row of `pairs`, (N,), in its order; `documents` are read once."""
    queries: Kept[tuple[Tensor, Tensor]] = Kept(_QUERIES_KEPT)
    scores = np.empty(pairs.height)
    with torch.inference_mode():
        for run in pairs_in_runs(documents, pairs):
            read = looked_up([text for _, text, _ in run], queries, scorer.grade_queries)
            for query, (row, _, document) in zip(read, run, strict=True):
                scores[row] = scorer.pair_score(query, document.vectors)
    return scores


def pair_figures(
    scorer: QueryScorer,
    documents: Iterable[tuple[str, ReadDocument]],
    pairs: pl.DataFrame,
    collection: Collection,
    kept: Kept[ReadQuery] | None = None,
) -> NDArray:
    """The evidence for each row of `pairs`, (N, F), in its order; `documents` are read once, `kept` queries not again."""
    queries = Kept(_QUERIES_KEPT) if kept is None else kept
    figures = np.empty((pairs.height, len(NAMES)))
    with torch.inference_mode():
        for run in pairs_in_runs(documents, pairs):
            texts = [text for _, text, _ in run]
            read = looked_up(texts, queries, lambda some: read_queries(scorer, some, collection))
            rows = [row for row, _, _ in run]
            figures[rows] = evidence(
                list(zip(read, (document for _, _, document in run), strict=True)), collection.lexicon
            )
    return figures
