"""The labeler: a student, or its untrained base, that grades pairs.

What belongs here: from pairs to grades in bounded memory. What does not: training. Imported only where a model is needed.
"""

import copy
from collections.abc import Iterator, Sequence
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
from relabel_assets.core.student.late_interaction import QueryScorer
from relabel_assets.core.student.windows import windows

_DOCUMENTS_A_CHUNK = 64


@dataclass(frozen=True)
class Labeler:
    """Grades pairs. `scorer` reads queries, `document_encoder` documents."""

    scorer: QueryScorer
    document_encoder: Encoder
    calibration: Calibration
    points: list[float]

    @classmethod
    def load(cls, folder: Path | str) -> "Labeler":
        """The student saved in `folder`. Raises StudentError where it is not whole."""
        folder = Path(folder)
        settings = storage.read_settings(folder)
        scorer = QueryScorer(load_encoder(str(folder), settings.max_length))
        scorer.token_weight.data = torch.tensor(settings.token_weight)
        documents = load_encoder(str(folder / storage.DOCUMENT_ENCODER), settings.max_length)
        return cls(scorer, documents, settings.calibration, settings.cut_points)

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
        probs = self.calibration.grade_probs(pair_scores(self.scorer, self.document_encoder, pairs, progress))
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
    """The score of each row of `pairs`, (N,), in its order."""
    texts = pairs.unique("query_id", maintain_order=True).select("query_id", "text")
    queries = dict(zip(texts["query_id"], scorer.grade_queries(texts["text"].to_list()), strict=True))
    rows_of: dict[str, list[int]] = {}
    for row, doc_id in enumerate(pairs["doc_id"]):
        rows_of.setdefault(doc_id, []).append(row)
    query_ids, scores = pairs["query_id"], np.empty(pairs.height)
    with torch.inference_mode():
        for doc_id, vectors in document_vectors(encoder, pairs, progress):
            for row in rows_of[doc_id]:
                scores[row] = scorer.pair_score(queries[query_ids[row]], vectors)
    return scores


def document_vectors(encoder: Encoder, pairs: pl.DataFrame, progress: Progress) -> Iterator[tuple[str, torch.Tensor]]:
    """Each document of `pairs` once, with its token vectors (tokens, H), 64 documents in memory at a time."""
    documents = pairs.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
    for start in range(0, documents.height, _DOCUMENTS_A_CHUNK):
        chunk = documents.slice(start, _DOCUMENTS_A_CHUNK).to_dicts()
        texts = [windows(document) for document in chunk]
        vectors = iter(encoder.encode([text for several in texts for text in several]))
        for document, several in zip(chunk, texts, strict=True):
            yield document["doc_id"], torch.cat([next(vectors) for _ in several])
        progress("reading documents", min(start + _DOCUMENTS_A_CHUNK, documents.height), documents.height)


def load_documents(
    encoder: Encoder, pairs: pl.DataFrame, progress: Progress
) -> tuple[dict[str, int], Sequence[torch.Tensor]]:
    """Every document's vectors at once, and each document's place among them: what training needs."""
    found = list(document_vectors(encoder, pairs, progress))
    return {doc_id: place for place, (doc_id, _) in enumerate(found)}, [vectors.clone() for _, vectors in found]
