"""Late interaction: how well each word of a query is met by some word of a document.

What belongs here: the score of a pair from token vectors (MaxSim, Khattab & Zaharia 2020, with a learned weight for each
query token). What does not: where the vectors come from (encoder.py). Imported only where a model is needed.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from relabel_assets.student.runtime.batches import batch_tokens, by_length
from relabel_assets.student.runtime.encoder import Encoder


class QueryScorer(nn.Module):
    """A query encoder and a weight for each of its tokens; with `token_weight` at zero every token counts the same."""

    def __init__(self, encoder: Encoder) -> None:
        super().__init__()
        self.encoder = encoder
        self.model = encoder.model  # registered, so that its parameters are this module's
        self.token_weight = nn.Parameter(torch.zeros(encoder.width))

    def query_vectors(self, rows: Sequence[Sequence[int]], model: Any = None) -> tuple[Tensor, Tensor]:
        """Unit vectors (B, T, H) and weights (B, T) that sum to 1 over the tokens of each query; `model` as in Encoder."""
        vectors, is_word = self.encoder.forward(rows, model)
        logits = (vectors @ self.token_weight).masked_fill(~is_word, float("-inf"))  # (B, T)
        return vectors, torch.softmax(logits, dim=-1)

    def scores(self, query: Tensor, weights: Tensor, documents: Sequence[Tensor]) -> Tensor:
        """The score of one query, (T, H) and (T,), with each document, (tokens, H): a cosine between -1 and 1; (D,)."""
        met = torch.cat(list(documents)).float() @ query.T  # (all tokens, T)
        lengths = [len(document) for document in documents]
        best = torch.stack([part.amax(dim=0) for part in met.split(lengths)])  # (D, T)
        return best @ weights

    def pair_score(self, query: tuple[Tensor, Tensor], document: Tensor) -> float:
        """The score of one query, as grade_queries gives it, with one document, (tokens, H)."""
        vectors, weights = query
        return self.scores(vectors, weights, [document]).item()

    @torch.inference_mode()
    def grade_queries(self, texts: Sequence[str]) -> list[tuple[Tensor, Tensor]]:
        """Vectors (T, H) and weights (T,) of each query, special tokens left out; a query over max_length is cut."""
        rows = [query_ids(ids, self.encoder.max_length) for ids in self.encoder.token_ids(texts)]
        model = self.encoder.reader(self.encoder.model)
        found: dict[int, tuple[Tensor, Tensor]] = {}
        for places in by_length([len(row) for row in rows], batch_tokens()):
            read = self.query_vectors([rows[place] for place in places], model)
            for place, vectors, weights in zip(places, *read, strict=True):
                counts = weights > 0
                found[place] = vectors[counts], weights[counts]
        return [found[place] for place in range(len(rows))]


def query_ids(ids: Sequence[int], max_length: int) -> list[int]:
    """A query's token ids, its last special token kept where it has to be cut."""
    return list(ids) if len(ids) <= max_length else [*ids[: max_length - 1], ids[-1]]
