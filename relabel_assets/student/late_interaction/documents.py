"""Encoded documents: their token vectors and word pieces.

What belongs here: everything that is computed from one document alone. What does not: which
documents are encoded and which are kept (cache.py), and comparing them with a query (features.py).
Imported only where a model is needed: it loads torch.

A word piece is a token of the encoder's own tokenizer, special ones left out. Words are counted and
compared as word pieces everywhere in this folder, so that no second tokenizer is needed.
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
class EncodedDocument:
    """What features need of a document of N tokens in W windows.

    `token_vectors` (N, H) are unit vectors, window after window; the first `n_header_tokens` are
    the header's. `window_lengths` (W,) sum to N. `word_counts` counts each word piece of header and
    body, `bigrams` are neighbouring word pieces of either, `title_words` and `header_words` are the
    word pieces of these two.
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
        parts = self.token_vectors.split(list(self.window_lengths))
        return nn.functional.normalize(torch.stack([part.mean(dim=0) for part in parts]), dim=-1)


def encode_documents(
    encoder: Encoder, documents: Sequence[Mapping[str, Any]]
) -> list[EncodedDocument]:
    """Every document, encoded, in the order given. They are held in memory at once: see cache.py
    for many.

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
    texts = [windows(document) for document in documents]
    vectors = iter(encoder.encode([text for of_document in texts for text in of_document]))
    header_ids = encoder.words([header(document) for document in documents])
    title_ids = encoder.words([str(document.get("title") or "") for document in documents])
    body_ids = encoder.words([body(document) for document in documents])
    encoded = []
    for of_document, in_header, in_title, in_body in zip(
        texts, header_ids, title_ids, body_ids, strict=True
    ):
        parts = [next(vectors) for _ in of_document]
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
