"""The passage encoder: vectors of queries and of documents' windows, for dense candidates.

What belongs here: mean vectors of a student's base model, read through the store. What does not: comparing
them (candidates/nearest.py), and token vectors (late_interaction/). Imported only where a model is needed:
it loads torch.

A student of late interaction reads the same documents with the same encoder later, and finds them in the
store. Other students cannot share their vectors, so the embedded model computes them.
"""

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.progress import Progress, silent
from relabel_assets.student.base import base_path, passage_model
from relabel_assets.student.late_interaction.cache import iter_encoded_documents
from relabel_assets.student.late_interaction.documents import unit_means
from relabel_assets.student.runtime.encoder import Encoder, load_encoder
from relabel_assets.student.vectors.store import VectorStore

_QUERIES_A_BLOCK = 1024  # their token vectors take about 20 MB


class PassageEncoder:
    """Unit vectors of H values: the mean of a text's token vectors."""

    def __init__(self, encoder: Encoder, store: VectorStore | None = None) -> None:
        self._encoder, self.store = encoder, store or VectorStore()

    @classmethod
    def load(cls, config: StudentConfig, store: VectorStore | None = None) -> "PassageEncoder":
        """The encoder of `passage_model`. Raises StudentError where it cannot be loaded.

        >>> from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
        >>> encoder = PassageEncoder.load(StudentConfig(precision="fp32"))
        >>> texts = {"title": ["Leave"], "body": ["Sixteen weeks."]}
        >>> row = {"doc_id": ["d1"], **dict.fromkeys(DOCUMENT_COLUMNS), **texts}
        >>> [(doc_id, windows.shape) for doc_id, windows in encoder.documents([pl.DataFrame(row)])]
        [('d1', (1, 384))]
        >>> encoder.queries(["parental leave"]).shape
        (1, 384)
        """
        path = base_path(passage_model(config))
        return cls(load_encoder(path, config.max_length, config.precision), store)

    def documents(
        self, frames: Iterable[pl.DataFrame], progress: Progress = silent
    ) -> Iterator[tuple[str, NDArray]]:
        """Yield (doc_id, window vectors (W, H)) of each document of `frames`, one chunk in memory."""
        for frame in frames:
            encoded = iter_encoded_documents(self._encoder, frame, progress, store=self.store)
            for doc_id, document in encoded:
                yield doc_id, document.window_vectors.numpy()

    def queries(self, texts: Sequence[str]) -> NDArray:
        """The vector of each query, (Q, H)."""
        vectors: NDArray = np.zeros((len(texts), self._encoder.width), dtype=np.float32)
        for start in range(0, len(texts), _QUERIES_A_BLOCK):
            block = self._encoder.encode(texts[start : start + _QUERIES_A_BLOCK])
            vectors[start : start + len(block)] = unit_means(block).numpy()
        return vectors
