"""Encoded documents: their token vectors and word pieces.

What belongs here: everything that is computed from one document alone. What does not: chunks and
the cache of documents (cache.py), and comparing a document with a query (features.py). Imported
only where a model is needed: it loads torch.

A word piece is a token of the encoder's own tokenizer, special tokens left out. This folder counts
and compares words as word pieces, so it needs no second tokenizer.
"""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any

import torch
from torch import Tensor, nn

from relabel_assets.student.runtime.encoder import Encoder
from relabel_assets.student.windows import body, header, windows


@dataclass(frozen=True)
class EncodedDocument:
    """The vectors and words of a document of N tokens in W windows.

    `token_vectors` (N, H) are unit vectors, window after window; the first `n_header_tokens` are
    the header's. `window_lengths` (W,) sum to N. `word_counts` counts each word piece of header and
    body, and `bigrams` are their neighbouring word pieces. `title_words` and `header_words` are the
    word pieces of title and header.
    """

    token_vectors: Tensor
    window_lengths: Sequence[int]
    n_header_tokens: int
    word_counts: Mapping[int, int]
    bigrams: frozenset[tuple[int, int]]
    title_words: frozenset[int]
    header_words: frozenset[int]

    @cached_property
    def n_words(self) -> int:
        """The length in word pieces."""
        return sum(self.word_counts.values())

    @cached_property
    def window_vectors(self) -> Tensor:
        """The unit mean vector of each window, (W, H)."""
        return unit_means(self.token_vectors.split(list(self.window_lengths)))


def unit_means(texts: Sequence[Tensor]) -> Tensor:
    """The unit mean vector of each text's token vectors (T, H), together (N, H); not of no text.

    >>> unit_means([torch.tensor([[3.0, 1.0], [3.0, -1.0]])]).tolist()
    [[1.0, 0.0]]
    """
    return nn.functional.normalize(torch.stack([vectors.mean(dim=0) for vectors in texts]), dim=-1)


def encode_documents(
    encoder: Encoder,
    documents: Sequence[Mapping[str, Any]],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> list[EncodedDocument]:
    """Encode each document, in the order given, all in memory at once (for many: cache.py).

    `progress` is called with the number of finished token rows, and of all.

    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> (document,) = encode_documents(encoder, [{"title": "Leave", "body": "Sixteen weeks of leave."}])
    >>> document.token_vectors.shape, document.n_header_tokens, document.n_words
    (torch.Size([6, 384]), 1, 6)
    >>> (leave,) = document.title_words
    >>> document.word_counts[leave]
    2
    """
    window_texts = [windows(document) for document in documents]
    vectors = iter(encoder.encode([text for texts in window_texts for text in texts], progress))
    header_ids = encoder.words([header(document) for document in documents])
    title_ids = encoder.words([str(document.get("title") or "") for document in documents])
    body_ids = encoder.words([body(document) for document in documents])
    encoded = []
    for texts, in_header, in_title, in_body in zip(
        window_texts, header_ids, title_ids, body_ids, strict=True
    ):
        parts = [next(vectors) for _ in texts]
        encoded.append(
            EncodedDocument(
                token_vectors=torch.cat(parts),
                window_lengths=[len(part) for part in parts],
                # A special token that is written out in a header, such as [SEP], has no vector.
                n_header_tokens=min(len(in_header), len(parts[0])),
                word_counts=Counter([*in_header, *in_body]),
                bigrams=frozenset(pairwise(in_body)) | frozenset(pairwise(in_header)),
                title_words=frozenset(in_title),
                header_words=frozenset(in_header),
            )
        )
    return encoded
