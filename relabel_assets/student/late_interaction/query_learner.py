"""The learner of late interaction: it trains the query encoder and the weights of query tokens.

What belongs here: the loss of a step and the parameters that it trains. What does not: the training
loop (training/fit.py) and the head, which is fitted afterwards (head.py). Imported only where a
model is needed: it loads torch.

Documents keep the vectors of the base model, so a step encodes queries alone and an epoch takes
seconds on a CPU. The only loss is the ranking loss of each query's documents: the head and the
calibration turn scores into grades later.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from relabel_assets.student.late_interaction.maxsim import QueryScorer, truncated
from relabel_assets.student.training.fit import GradedQuery
from relabel_assets.student.training.losses import ranking_loss

# The token weights start at zero and are few, so they need larger steps than a pretrained model. Other
# rates were not measured.
_TOKEN_WEIGHT_RATE = 3e-2
# Late interactions of one query's documents differ by hundredths, where the ranking loss is flat. Scaled
# by 20, a difference of 0.05 is one unit of its logistic curve.
_COSINE_SCALE = 20.0


class QueryEncoderLearner:
    """Trains a QueryScorer on documents with fixed token vectors, (tokens, H) by doc_id."""

    queries_per_step = 8
    documents_per_query: int | None = None  # None: all of them, because they need no encoding

    def __init__(
        self, scorer: QueryScorer, learning_rate: float, document_vectors: Mapping[str, Tensor]
    ) -> None:
        self.module: torch.nn.Module = scorer
        self.scorer, self.learning_rate = scorer, learning_rate
        self.document_vectors = document_vectors

    def groups(self) -> list[dict[str, Any]]:
        """The optimizer's parameter groups, without the word embeddings."""
        # Word embeddings are frozen: training queries contain few words of the vocabulary, whose
        # embeddings would move away from those of all other words.
        for name, p in self.scorer.named_parameters():
            p.requires_grad = p.requires_grad and ".embeddings." not in f".{name}"
        encoder = [
            p
            for name, p in self.scorer.named_parameters()
            if p.requires_grad and name != "token_weight"
        ]
        return [
            {"params": encoder, "lr": self.learning_rate},
            {"params": [self.scorer.token_weight], "lr": _TOKEN_WEIGHT_RATE},
        ]

    def loss(self, queries: Sequence[GradedQuery]) -> Tensor:
        """The mean ranking loss of the queries, a scalar."""
        encoder = self.scorer.encoder
        token_ids = encoder.token_ids([query.text for query in queries])
        rows = [truncated(ids, encoder.max_length) for ids in token_ids]
        all_vectors, all_weights = self.scorer.query_vectors(rows)  # (B, T, H), (B, T)
        losses = []
        for query, vectors, weights in zip(queries, all_vectors, all_weights, strict=True):
            is_word = weights > 0
            documents = [self.document_vectors[doc_id] for doc_id in query.documents]
            scores = self.scorer.scores(vectors[is_word], weights[is_word], documents)  # (D,)
            losses.append(ranking_loss(_COSINE_SCALE * scores, query.grades))
        return torch.stack(losses).mean()
