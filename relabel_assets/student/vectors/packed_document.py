"""An encoded document as bytes: its quantized token vectors and its words.

What belongs here: the key of a document's text, and the bytes of what is computed from it. What does
not: computing it (late_interaction/documents.py), and keeping bytes (store.py). Imported only where a
model is needed: it loads torch.

Words are beside the vectors, which take thirty times their room: so a document of the store is not
tokenized either. A change of this layout changes LAYOUT.
"""

import hashlib
import json
import struct
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.vectors.quantization import dequantized, quantized
from relabel_assets.student.windows import body, header, windows

LAYOUT = 1  # counts up when the same document would have other bytes
_SIZES = struct.Struct("<8I")


def document_key(document: Mapping[str, Any]) -> bytes:
    """The SHA-256 of the texts of a document that are tokenized: windows, header, title and body.

    A column that changes none of these texts does not change the key.

    >>> document = {"title": "Leave", "body": "Sixteen weeks.", "author": "Ana", "grade": 3}
    >>> document_key(document) == document_key(document | {"grade": 0})
    True
    >>> document_key(document) == document_key(document | {"author": "Bo"})
    False
    """
    title = str(document.get("title") or "")
    texts = [*windows(document), header(document), title, body(document)]
    # JSON, because joined texts could be those of another document. Surrogates are escaped.
    return hashlib.sha256(json.dumps(texts).encode()).digest()


def packed(document: EncodedDocument) -> bytes:
    """The bytes of `document`, from which `unpacked` makes it again with quantized vectors.

    >>> east, none = torch.tensor([[1.0, 0.0]]), frozenset()
    >>> document = EncodedDocument(east, [1], 0, {7: 2}, frozenset([(7, 7)]), none, none)
    >>> len(packed(document))
    58
    """
    values, scales = quantized(document.token_vectors.numpy())
    words = sorted(document.word_counts)
    arrays = [
        _integers(document.window_lengths),
        _integers(sorted(document.title_words)),
        _integers(sorted(document.header_words)),
        _integers(words),
        _integers([document.word_counts[word] for word in words]),
        _integers([word for pair in sorted(document.bigrams) for word in pair]),
    ]
    sizes = _SIZES.pack(
        *values.shape,
        len(document.window_lengths),
        document.n_header_tokens,
        len(document.title_words),
        len(document.header_words),
        len(words),
        len(document.bigrams),
    )
    parts = [array.tobytes() for array in arrays]
    return b"".join([sizes, *parts, scales.astype("<f4").tobytes(), values.tobytes()])


def unpacked(content: bytes) -> EncodedDocument:
    """The document of `packed`.

    >>> east, none = torch.tensor([[1.0, 0.0]]), frozenset()
    >>> document = EncodedDocument(east, [1], 0, {7: 2}, frozenset([(7, 7)]), none, none)
    >>> unpacked(packed(document)).word_counts, unpacked(packed(document)).token_vectors.tolist()
    ({7: 2}, [[1.0, 0.0]])
    """
    n_tokens, width, n_windows, n_header_tokens, n_title, n_header, n_words, n_bigrams = (
        _SIZES.unpack_from(content)
    )
    lengths = (n_windows, n_title, n_header, n_words, n_words, 2 * n_bigrams)
    ends = np.cumsum(lengths).tolist()
    integers = np.frombuffer(content, "<u4", ends[-1], _SIZES.size).tolist()
    parts = [integers[end - length : end] for end, length in zip(ends, lengths, strict=True)]
    window_lengths, title, of_header, words, counts, bigrams = parts
    start = _SIZES.size + 4 * ends[-1]
    scales = np.frombuffer(content, "<f4", n_tokens, start)
    values = np.frombuffer(content, np.int8, n_tokens * width, start + 4 * n_tokens)
    return EncodedDocument(
        token_vectors=torch.from_numpy(dequantized(values.reshape(n_tokens, width), scales)),
        window_lengths=window_lengths,
        n_header_tokens=n_header_tokens,
        word_counts=dict(zip(words, counts, strict=True)),
        bigrams=frozenset(zip(bigrams[::2], bigrams[1::2], strict=True)),
        title_words=frozenset(title),
        header_words=frozenset(of_header),
    )


def _integers(numbers: Sequence[int]) -> NDArray[np.uint32]:
    return np.array(numbers, dtype="<u4")
