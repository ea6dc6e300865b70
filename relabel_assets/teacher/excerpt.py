"""Cutting a document that is too long for a teacher, by a rule anyone can follow.

What belongs here: choosing passages. What does not: the title and the metadata, which are always shown
(core/grading.py), and the estimate of tokens (core/requests.py).

The rule. A body that fits is shown whole. Otherwise it is split into passages at blank lines (and, where a paragraph
is long, at line ends, sentence ends and finally anywhere), of at most PASSAGE_BYTES. The first passage is always kept.
The others are taken in the order of how many of the query's words they hold, each word weighted by how few passages
of this document hold it, earlier ones first among equals, as long as they fit. They are shown in the document's own
order, with a line [...] wherever something was left out.
"""

import math
import re
from collections import Counter

from relabel_assets.teacher.requests import BYTES_PER_TOKEN

PASSAGE_BYTES = 800
GAP = "[...]"
_WORD = re.compile(r"[^\W_]+")
_WIDE = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]")  # scripts without spaces between words
_BREAKS = (re.compile(r"\n\s*\n"), re.compile(r"\n"), re.compile(r"(?<=[.!?。！？])\s*"), re.compile(r"\s+"))


def excerpt(body: str, query: str, max_tokens: int) -> str:
    """`body` in at most `max_tokens` estimated tokens. The same arguments give the same text."""
    max_bytes = max_tokens * BYTES_PER_TOKEN
    body = body.strip()
    if _size(body) <= max_bytes:
        return body
    passages = list(_passages(body, min(PASSAGE_BYTES, max_bytes // 2)))
    kept, room = set[int](), max_bytes
    for position in _by_nearness(passages, query):
        cost = _size(passages[position]) + _size(GAP) + 4
        if cost <= room:
            kept.add(position)
            room -= cost
    shown: list[str] = []
    for position in sorted(kept):
        if position > 0 and position - 1 not in kept:
            shown.append(GAP)
        shown.append(passages[position])
    if len(passages) - 1 not in kept:
        shown.append(GAP)
    return "\n\n".join(shown)


def _by_nearness(passages: list[str], query: str) -> list[int]:
    asked = set(_words(query))
    found = [asked & set(_words(passage)) for passage in passages]
    n_holding = Counter(word for words in found for word in words)

    def nearness(position: int) -> float:
        return sum(math.log(1 + len(passages) / n_holding[word]) for word in sorted(found[position]))

    rest = sorted(range(1, len(passages)), key=lambda position: (-nearness(position), position))
    return [0, *rest]


def _words(text: str) -> list[str]:
    """Lower-cased words without a plural s; pairs of characters where words have no spaces between them."""
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
        n = max(1, max_bytes // 4)  # no character has more than four bytes
        return [text[start : start + n] for start in range(0, len(text), n)]
    glue = ("\n\n", "\n", " ", " ")[level]
    pieces: list[str] = []
    for part in _BREAKS[level].split(text):
        if not part.strip():
            continue
        if pieces and _size(pieces[-1]) + _size(glue) + _size(part) <= max_bytes:
            pieces[-1] += glue + part
        else:
            pieces.extend(_passages(part, max_bytes, level + 1))
    return pieces


def _size(text: str) -> int:
    return len(text.encode("utf-8", "replace"))
