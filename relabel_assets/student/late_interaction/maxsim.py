"""Late interaction (MaxSim): the weighted mean of each query token's greatest cosine in a document.

What belongs here: encoding a query, and its score with a document from token vectors (Khattab &
Zaharia 2020). What does not: encoding documents (documents.py) and the other features of a pair
(features.py). Imported only where a model is needed: it loads torch.

    score = sum over the query's tokens t: weight_t * max over the document's tokens n: cosine(t, n)

The weights of a query's tokens sum to 1: softmax(token vector @ token_weight), which is trained.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from relabel_assets.student.runtime.batches import batches_by_length, max_batch_tokens
from relabel_assets.student.runtime.encoder import Encoder


class QueryScorer(nn.Module):
    """A query encoder and `token_weight` (H,).

    `token_weight` starts at zero, which gives all tokens of a query the same weight.
    """

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.model = encoder.model  # registered, so that its parameters are this module's
        self.token_weight = nn.Parameter(torch.zeros(encoder.width))

    def query_vectors(
        self, rows: Sequence[Sequence[int]], model: Any = None
    ) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, T, H) and weights (B, T) of queries, given as token ids.

        Weights sum to 1 over the tokens of a query, and are 0 for padding and special tokens.
        `model` is passed to Encoder.forward.
        """
        vectors, is_word = self.encoder.forward(rows, model)
        logits = (vectors @ self.token_weight).masked_fill(~is_word, float("-inf"))  # (B, T)
        return vectors, torch.softmax(logits, dim=-1)

    def scores(self, query: Tensor, weights: Tensor, documents: Sequence[Tensor]) -> Tensor:
        """The scores, -1 to 1, of one query with D documents, (D,).

        `query` is (T, H), `weights` are (T,), and each document is (tokens, H).
        """
        cosines = torch.cat(list(documents)).float() @ query.T  # (tokens of all documents, T)
        parts = cosines.split([len(document) for document in documents])
        max_cosines = torch.stack([part.amax(dim=0) for part in parts])  # (D, T)
        return max_cosines @ weights

    def pair_score(self, query: tuple[Tensor, Tensor], document: Tensor) -> float:
        """The score of a query from encode_query_tokens with one document (tokens, H)."""
        vectors, weights = query
        return self.scores(vectors, weights, [document]).item()

    @torch.inference_mode()
    def encode_query_tokens(self, texts: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
        """Unit vectors (T, H) and weights (T,) of each query's tokens, without special ones."""
        token_ids = self.encoder.token_ids(texts)
        rows = [truncated(ids, self.encoder.max_length) for ids in token_ids]
        model = self.encoder.inference(self.encoder.model)
        encoded: dict[int, tuple[Tensor, Tensor]] = {}
        for indices in batches_by_length([len(row) for row in rows], max_batch_tokens()):
            batch = self.query_vectors([rows[index] for index in indices], model)
            for index, vectors, weights in zip(indices, *batch, strict=True):
                is_word = weights > 0
                encoded[index] = vectors[is_word], weights[is_word]
        return [encoded[index] for index in range(len(rows))]


def truncated(ids: Sequence[int], max_length: int) -> list[int]:
    """The first `max_length` token ids of a query, of which the last is still its final special token.

    >>> truncated([101, 1, 2, 3, 102], max_length=4)
    [101, 1, 2, 102]
    """
    return list(ids) if len(ids) <= max_length else [*ids[: max_length - 1], ids[-1]]
