"""A document once read: its token vectors and its words.

What belongs here: reading documents whole. What does not: which are read when (reading.py) and what is made of them
(collection.py, evidence.py). Imported only where a model is needed.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from relabel_assets.student.runtime.encoder import Encoder
from relabel_assets.student.windows import body, header, windows


@dataclass(frozen=True)
class ReadDocument:
    """A document once read: unit token vectors (N, H), of which the first `n_header` are the header's; its words.

    `lengths` are the tokens of each window, whose sum is N.
    """

    vectors: Tensor
    lengths: Sequence[int]
    n_header: int
    counts: Mapping[int, int]
    bigrams: frozenset[tuple[int, int]]
    title: frozenset[int]
    header: frozenset[int]

    @cached_property
    def n_words(self) -> int:
        return sum(self.counts.values())

    @cached_property
    def pooled(self) -> Tensor:
        """The unit mean vector of each window, (windows, H)."""
        means = [part.mean(dim=0) for part in self.vectors.split(list(self.lengths))]
        return nn.functional.normalize(torch.stack(means), dim=-1)


def read_documents(encoder: Encoder, documents: Sequence[Mapping[str, Any]]) -> list[ReadDocument]:
    """Every document's vectors and words."""
    texts = [windows(document) for document in documents]
    vectors = iter(encoder.encode([text for several in texts for text in several]))
    heads = encoder.words([header(document) for document in documents])
    titles = encoder.words([str(document.get("title") or "") for document in documents])
    bodies = encoder.words([body(document) for document in documents])
    found = []
    for several, head, title, words in zip(texts, heads, titles, bodies, strict=True):
        parts = [next(vectors) for _ in several]
        found.append(
            ReadDocument(
                vectors=torch.cat(parts),
                lengths=[len(part) for part in parts],
                n_header=min(len(head), len(parts[0])),
                counts=Counter([*head, *words]),
                bigrams=frozenset(pairwise(words)) | frozenset(pairwise(head)),
                title=frozenset(title),
                header=frozenset(head),
            )
        )
    return found
