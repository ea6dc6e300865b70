"""The labeler: a student, or its untrained base, that grades pairs.

What belongs here: from pairs to grades in bounded memory. What does not: training. Imported only where a model is needed.
"""

import copy
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from relabel_assets.core.corpus_config import StudentConfig
from relabel_assets.core.cut_points import cut_points, grades_from
from relabel_assets.core.pairs import DOCUMENT_COLUMNS
from relabel_assets.core.progress import Progress, silent
from relabel_assets.core.student import storage
from relabel_assets.core.student.base import base_path
from relabel_assets.core.student.calibration import Calibration, expected_grades, fit_calibration
from relabel_assets.core.student.encoder import Encoder, load_encoder
from relabel_assets.core.student.evidence import (
    NAMES,
    Background,
    Lexicon,
    ReadDocument,
    evidence,
    read_documents,
    read_queries,
)
from relabel_assets.core.student.head import Head
from relabel_assets.core.student.late_interaction import QueryScorer

_DOCUMENTS_A_CHUNK = 64


@dataclass(frozen=True)
class Weighing:
    """What turns the evidence for a pair into its score."""

    lexicon: Lexicon
    background: Background
    head: Head


@dataclass(frozen=True)
class Labeler:
    """Grades pairs. `scorer` reads queries, `document_encoder` documents; without `weighing`, late interaction decides alone."""

    scorer: QueryScorer
    document_encoder: Encoder
    calibration: Calibration
    points: list[float]
    weighing: Weighing | None = None

    @classmethod
    def load(cls, folder: Path | str) -> "Labeler":
        """The student saved in `folder`. Raises StudentError where it is not whole."""
        folder = Path(folder)
        settings = storage.read_settings(folder)
        scorer = QueryScorer(load_encoder(str(folder), settings.max_length))
        scorer.token_weight.data = torch.tensor(settings.token_weight)
        documents = load_encoder(str(folder / storage.DOCUMENT_ENCODER), settings.max_length)
        weighing = Weighing(*storage.read_evidence(folder), settings.head)
        return cls(scorer, documents, settings.calibration, settings.cut_points, weighing)

    @classmethod
    def untrained(
        cls, pairs: pl.DataFrame, *, config: StudentConfig, n_grades: int, progress: Progress = silent
    ) -> "Labeler":
        """The base model as it is, calibrated and cut on the train split of `pairs`: what training is measured against."""
        encoder = load_encoder(base_path(config.base_model), config.max_length)
        scorer = QueryScorer(Encoder(copy.deepcopy(encoder.model), encoder.tokenizer, encoder.max_length))
        train = pairs.filter(pl.col("split") == "train")
        scores = pair_scores(scorer, encoder, train, progress)
        return cls(scorer, encoder, *calibrate(scores, train["grade"].to_numpy(), n_grades))

    def grade(self, pairs: pl.DataFrame, *, progress: Progress = silent) -> pl.DataFrame:
        """query_id, doc_id, grade, expected_grade and grade_probs of each row of `pairs`, in its order.

        `pairs` has query_id, doc_id, text and the document's columns. Each document is read once, 64 at a time.
        """
        if self.weighing is None:
            scores = pair_scores(self.scorer, self.document_encoder, pairs, progress)
        else:
            documents = documents_in_chunks(self.document_encoder, pairs, progress)
            figures = pair_figures(self.scorer, documents, pairs, self.weighing.lexicon, self.weighing.background)
            scores = self.weighing.head.scores(figures)
        probs = self.calibration.grade_probs(scores)
        expected = np.clip(expected_grades(probs), 0, probs.shape[1] - 1)
        return pairs.select("query_id", "doc_id").with_columns(
            grade=pl.Series(grades_from(expected, self.points), dtype=pl.Int64),
            expected_grade=pl.Series(expected, dtype=pl.Float64),
            grade_probs=pl.Series(np.clip(probs, 0, 1).tolist(), dtype=pl.List(pl.Float64)),
        )


def calibrate(scores: NDArray, grades: NDArray, n_grades: int) -> tuple[Calibration, list[float]]:
    """The calibration of `scores`, and the cut points of the expected grades that it gives."""
    calibration = fit_calibration(scores, grades, n_grades)
    return calibration, cut_points(expected_grades(calibration.grade_probs(scores)), grades, n_grades)


def pair_scores(scorer: QueryScorer, encoder: Encoder, pairs: pl.DataFrame, progress: Progress) -> NDArray:
    """The late interaction of each row of `pairs`, (N,), in its order."""
    texts = pairs.unique("query_id", maintain_order=True).select("query_id", "text")
    queries = dict(zip(texts["query_id"], scorer.grade_queries(texts["text"].to_list()), strict=True))
    scores = np.empty(pairs.height)
    with torch.inference_mode():
        for document, asked in _with_queries(documents_in_chunks(encoder, pairs, progress), pairs):
            for row, query_id in asked:
                scores[row] = scorer.pair_score(queries[query_id], document.vectors)
    return scores


def pair_figures(
    scorer: QueryScorer,
    documents: Iterable[tuple[str, ReadDocument]],
    pairs: pl.DataFrame,
    lexicon: Lexicon,
    background: Background,
) -> NDArray:
    """The evidence for each row of `pairs`, (N, F), in its order; `documents` are read once."""
    texts = pairs.unique("query_id", maintain_order=True).select("query_id", "text")
    read = read_queries(scorer, texts["text"].to_list(), lexicon, background)
    queries = dict(zip(texts["query_id"], read, strict=True))
    figures = np.empty((pairs.height, len(NAMES)))
    with torch.inference_mode():
        for document, asked in _with_queries(documents, pairs):
            for row, query_id in asked:
                figures[row] = evidence(queries[query_id], document, lexicon)
    return figures


def documents_in_chunks(
    encoder: Encoder, pairs: pl.DataFrame, progress: Progress
) -> Iterator[tuple[str, ReadDocument]]:
    """Each document of `pairs` once, read 64 at a time, so that no more are in memory."""
    documents = pairs.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
    for start in range(0, documents.height, _DOCUMENTS_A_CHUNK):
        chunk = documents.slice(start, _DOCUMENTS_A_CHUNK).to_dicts()
        yield from zip((document["doc_id"] for document in chunk), read_documents(encoder, chunk), strict=True)
        progress("reading documents", min(start + _DOCUMENTS_A_CHUNK, documents.height), documents.height)


def _with_queries(
    documents: Iterable[tuple[str, ReadDocument]], pairs: pl.DataFrame
) -> Iterator[tuple[ReadDocument, list[tuple[int, str]]]]:
    """Each document with the (row, query_id) of the pairs it is in."""
    asked: dict[str, list[tuple[int, str]]] = {}
    for row, (query_id, doc_id) in enumerate(pairs.select("query_id", "doc_id").iter_rows()):
        asked.setdefault(doc_id, []).append((row, query_id))
    for doc_id, document in documents:
        yield document, asked.get(doc_id, [])
