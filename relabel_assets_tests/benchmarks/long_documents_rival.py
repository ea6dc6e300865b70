"""The excerpt of version 0.1, a rival in long_documents.py: passages by a running count of bytes.

What belongs here: that rule. What does not: the product's (corpus/excerpts/).
"""

import math
import re
from collections import Counter
from functools import lru_cache

PASSAGE_BYTES = 800  # not measured: a paragraph or two, which can be understood alone; several fit
GAP = "[...]"
_SEPARATOR = "\n\n"
_WORD = re.compile(r"[^\W_]+")
# Kana, Han and Hangul: many words, with no space between them.
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# (where a text is split, what joins the pieces again), the most natural break first.
_BREAKS = (
    (re.compile(r"\n\s*\n"), "\n\n"),
    (re.compile(r"\n"), "\n"),
    (re.compile(r"(?<=[.!?。！？])\s*"), " "),
    (re.compile(r"\s+"), " "),
)


def excerpt_by_running_bytes(body: str, query: str, max_bytes: int) -> str:
    """`body` in at most `max_bytes`. Equal arguments give equal text."""
    body = body.strip()
    if _size(body) <= max_bytes:
        return body
    passages, words = _split(body, min(PASSAGE_BYTES, max_bytes // 2))
    kept, bytes_left = set[int](), max_bytes
    for position in _by_nearness(words, query):
        cost = _size(passages[position] + _SEPARATOR + GAP + _SEPARATOR)
        if cost <= bytes_left:
            kept.add(position)
            bytes_left -= cost
    return _with_gaps(passages, kept)


# A document is in the pairs of several queries, and splitting a book takes seconds.
@lru_cache(maxsize=4)
def _split(body: str, max_bytes: int) -> tuple[list[str], list[frozenset[str]]]:
    """The passages of `body`, and the words of each."""
    passages = _passages(body, max_bytes)
    return passages, [frozenset(_words(passage)) for passage in passages]


def _with_gaps(passages: list[str], kept: set[int]) -> str:
    """The kept passages as one text, with GAP for the others."""
    parts: list[str] = []
    for position in sorted(kept):
        if position > 0 and position - 1 not in kept:
            parts.append(GAP)
        parts.append(passages[position])
    if len(passages) - 1 not in kept:
        parts.append(GAP)
    return _SEPARATOR.join(parts)


def _by_nearness(words: list[frozenset[str]], query: str) -> list[int]:
    """The positions of the passages with these words: the first, then those with most of the query's."""
    query_words = frozenset(_words(query))
    shared = [query_words & words_of_passage for words_of_passage in words]
    n_passages_with = Counter(word for words in shared for word in words)

    def nearness(position: int) -> float:
        weights = (1 + len(words) / n_passages_with[word] for word in sorted(shared[position]))
        return sum(math.log(weight) for weight in weights)

    rest = sorted(range(1, len(words)), key=lambda position: (-nearness(position), position))
    return [0, *rest]


def _words(text: str) -> list[str]:
    """Lower-cased words without a plural s. Text without spaces gives pairs of characters."""
    words: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _UNSPACED.search(word):
            words.extend(word[start : start + 2] for start in range(max(1, len(word) - 1)))
        else:
            # Up to three letters, the s is part of the word: "gas", "bus".
            words.append(word[:-1] if len(word) > 3 and word.endswith("s") else word)
    return words


def _passages(text: str, max_bytes: int, level: int = 0) -> list[str]:
    """`text` in pieces of at most `max_bytes`, neighbours joined where they fit together."""
    if _size(text) <= max_bytes:
        return [text]
    if level == len(_BREAKS):
        length = max(1, max_bytes // 4)  # no character has more than four bytes
        return [text[start : start + length] for start in range(0, len(text), length)]
    separator, glue = _BREAKS[level]
    pieces: list[str] = []
    for part in separator.split(text):
        if not part.strip():
            continue
        if pieces and _size(pieces[-1] + glue + part) <= max_bytes:
            pieces[-1] += glue + part
        else:
            pieces.extend(_passages(part, max_bytes, level + 1))
    return pieces


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
