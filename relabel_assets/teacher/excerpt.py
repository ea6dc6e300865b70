"""Cutting a document that is too long for a teacher, by a rule anyone can follow.

What belongs here: choosing passages. What does not: the title and the metadata, which are always
shown (document_text.py), and the estimate of tokens (requests.py).

The rule. A body that fits is shown whole. Otherwise it is split into passages at blank lines (and,
where a paragraph is long, at line ends, sentence ends and finally anywhere), of at most
PASSAGE_BYTES. The first passage is always kept. The others are taken in the order of how many of
the query's words they hold, each word weighted by how few passages of this document hold it,
earlier ones first among equals, as long as they fit. They are shown in the document's own order,
with a line [...] wherever something was left out.
"""

import math
import re
from collections import Counter

from relabel_assets.teacher.requests import BYTES_PER_TOKEN

PASSAGE_BYTES = 800  # a paragraph or two: enough to be understood by itself, and several fit in
GAP = "[...]"
_SEPARATOR = "\n\n"
_WORD = re.compile(r"[^\W_]+")
# Kana, Han and Hangul: words without spaces between them.
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")
# Where a text is split and how the pieces are joined again, the most natural place first.
_BREAKS = (
    (re.compile(r"\n\s*\n"), "\n\n"),
    (re.compile(r"\n"), "\n"),
    (re.compile(r"(?<=[.!?。！？])\s*"), " "),
    (re.compile(r"\s+"), " "),
)


def excerpt(body: str, query: str, max_tokens: int) -> str:
    """`body` in at most `max_tokens` estimated tokens. The same arguments give the same text.

    >>> body = "All about leave.\\n\\n" + "Other things. " * 9 + "\\n\\nSick leave needs a note."
    >>> excerpt(body, "sick leave", max_tokens=25)
    'All about leave.\\n\\n[...]\\n\\nSick leave needs a note.'
    """
    max_bytes = max_tokens * BYTES_PER_TOKEN
    body = body.strip()
    if _size(body) <= max_bytes:
        return body
    passages = _passages(body, min(PASSAGE_BYTES, max_bytes // 2))
    kept, bytes_left = set[int](), max_bytes
    for position in _by_nearness(passages, query):
        cost = _size(passages[position] + _SEPARATOR + GAP + _SEPARATOR)
        if cost <= bytes_left:
            kept.add(position)
            bytes_left -= cost
    return _with_gaps(passages, kept)


def _with_gaps(passages: list[str], kept: set[int]) -> str:
    parts: list[str] = []
    for position in sorted(kept):
        if position > 0 and position - 1 not in kept:
            parts.append(GAP)
        parts.append(passages[position])
    if len(passages) - 1 not in kept:
        parts.append(GAP)
    return _SEPARATOR.join(parts)


def _by_nearness(passages: list[str], query: str) -> list[int]:
    """The positions of `passages`: the first one, then those that share most with `query`."""
    query_words = set(_words(query))
    shared = [query_words & set(_words(passage)) for passage in passages]
    n_passages_with = Counter(word for words in shared for word in words)

    def nearness(position: int) -> float:
        weights = (1 + len(passages) / n_passages_with[word] for word in sorted(shared[position]))
        return sum(math.log(weight) for weight in weights)

    rest = sorted(range(1, len(passages)), key=lambda position: (-nearness(position), position))
    return [0, *rest]


def _words(text: str) -> list[str]:
    """Lower-cased words without a plural s; pairs of characters where words have no spaces between
    them."""
    words: list[str] = []
    for word in _WORD.findall(text.lower()):
        if _WIDE.search(word):
            words.extend(word[start : start + 2] for start in range(max(1, len(word) - 1)))
        else:
            words.append(word[:-1] if len(word) > 3 and word.endswith("s") else word)
    return words


def _passages(text: str, max_bytes: int, level: int = 0) -> list[str]:
    """`text` in pieces of at most `max_bytes`, neighbours joined where they fit together."""
    if _size(text) <= max_bytes:
        return [text]
    if level == len(_BREAKS):
        length = max(1, max_bytes // 4)  # no character has more than four bytes
        return [text[start : start + length] for start in range(0, len(text), length)]
    place, glue = _BREAKS[level]
    pieces: list[str] = []
    for part in place.split(text):
        if not part.strip():
            continue
        if pieces and _size(pieces[-1] + glue + part) <= max_bytes:
            pieces[-1] += glue + part
        else:
            pieces.extend(_passages(part, max_bytes, level + 1))
    return pieces


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
