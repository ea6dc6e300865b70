"""An excerpt of a document's body that is too long for a model: the passages nearest the query.

What belongs here: choosing passages. What does not: splitting a body (passages.py), the title and the
metadata, which are always shown, and the limits of teacher and student.

A body that fits is shown whole. Of a longer one, the first passage is kept. The others are ranked by the
query's words in them and in the heading above them. A word counts floor(log2(passages / passages with
it)): nothing if more than half of the passages have it. They are kept in that order, earlier ones first at
a tie, up to the first that does not fit. Where all that have a word of the query fit, the passages before
and after each follow, those of the nearest first. Without a word of the query in it, a body is shown from
its beginning. The excerpt has the passages in the document's order, with a line [...] for each gap.

So an edit changes an excerpt if it is in a passage that is shown, or if it changes which are nearest. The
whole steps of a word's count keep a distant edit from moving the ranks. Room that is left stays empty:
filling it with the neighbours of neighbours costs half of the grades that an edit keeps, and shows hardly
more of what a model finds nearest (docs/experiments.md).
"""

import hashlib
import json
from array import array
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from threading import Lock

from cachetools import LRUCache, cached

from relabel_assets.corpus.excerpts.passages import PASSAGE_BYTES, Passage, n_bytes, passages
from relabel_assets.intake.words import lower_words, separated

GAP = "[...]"
# Of UTF-8. It fits English prose. Code has a third more tokens; some languages have fewer.
BYTES_PER_TOKEN = 4
_SEPARATOR = "\n\n"
_GAP_BYTES = len(_SEPARATOR + GAP + _SEPARATOR)
# Not measured: with fewer, a short excerpt would have room for the first passage alone.
_PASSAGES_THAT_FIT = 3
# Four of the longest bodies, or 1,000 of 16 KB. Their words take some twice as many bytes.
_CACHED_CHARACTERS = 16_000_000


@dataclass(frozen=True)
class Excerpt:
    """The `text` of a body that a model reads, and the spans of the body in it.

    `spans` are (start, end) in characters of the body, in order, with other text between them. None: the
    whole body is shown.
    """

    text: str
    spans: tuple[tuple[int, int], ...] | None = None

    def passages_json(self, body: str) -> str | None:
        """The spans as JSON, [start, end, hash] each: 12 hex digits of the SHA-256 of its text.

        >>> excerpt("Ask HR. " * 40, "leave", 200).passages_json("Ask HR. " * 40)
        '[[0,143,"87b4e80ca4be"]]'
        """
        if self.spans is None:
            return None
        shown = [[start, end, _short_hash(body[start:end])] for start, end in self.spans]
        return json.dumps(shown, separators=(",", ":"))


def excerpt(body: str, query: str, max_bytes: int) -> Excerpt:
    """`body` in at most `max_bytes` of UTF-8 (60 or more). Equal arguments give equal excerpts.

    >>> body = "All about leave.\\n\\n" + "Other things.\\n\\n" * 9 + "Sick leave needs a note."
    >>> excerpt(body, "sick leave", 75).text
    'All about leave.\\n\\n[...]\\n\\nSick leave needs a note.'
    >>> excerpt(body, "sick leave", 75).spans
    ((0, 16), (153, 177))
    """
    stripped = body.strip()
    if n_bytes(stripped) <= max_bytes:
        return Excerpt(stripped)
    split = _split(body, min(PASSAGE_BYTES, max_bytes // _PASSAGES_THAT_FIT))
    kept = sorted(_kept(body, split, query, max_bytes))
    return _shown(body, [split.passages[position] for position in kept])


@dataclass(frozen=True)
class _SplitBody:
    """The passages of a body, and the positions of those that have a word, ascending."""

    passages: Sequence[Passage]
    positions: Mapping[str, array]
    n_characters: int


def _body_length(split: _SplitBody) -> int:
    return split.n_characters


# A document is in the pairs of several queries, and splitting a book takes seconds.
@cached(LRUCache(_CACHED_CHARACTERS, getsizeof=_body_length), lock=Lock())
def _split(body: str, max_bytes: int) -> _SplitBody:
    found = passages(body, max_bytes)
    positions: dict[str, array] = defaultdict(lambda: array("L"))
    for position, (start, end, heading) in enumerate(found):
        for word in {*_words(body[start:end]), *_words(heading)}:
            positions[word].append(position)
    return _SplitBody(found, dict(positions), len(body))


def _kept(body: str, split: _SplitBody, query: str, max_bytes: int) -> set[int]:
    """The positions of the passages that are shown."""
    kept = dict.fromkeys([0])
    bytes_left = max_bytes - _cost(body, split.passages[0])
    for position in _nearest_first(split, query):
        if position not in kept:
            cost = _cost(body, split.passages[position])
            if cost > bytes_left:
                return {*kept}
            kept[position] = None
            bytes_left -= cost
    nearest = [*list(kept)[1:], 0]
    # Without a word of the query, the beginning is shown: each passage is the neighbour of the last.
    nearest = nearest if len(nearest) > 1 else list(range(len(split.passages)))
    for position in nearest:
        for neighbour in (position + 1, position - 1):
            if neighbour in kept or not 0 <= neighbour < len(split.passages):
                continue
            cost = _cost(body, split.passages[neighbour])
            if cost > bytes_left:
                return {*kept}
            kept[neighbour] = None
            bytes_left -= cost
    return {*kept}


def _cost(body: str, passage: Passage) -> int:
    return n_bytes(body[passage.start : passage.end]) + _GAP_BYTES


def _nearest_first(split: _SplitBody, query: str) -> Iterator[int]:
    """The positions of the passages with a word of the query that counts, the nearest first."""
    nearness: dict[int, int] = defaultdict(int)
    for word in frozenset(_words(query)):
        positions = split.positions.get(word, ())
        weight = floor_log2(len(split.passages), len(positions))
        if weight > 0:
            for position in positions:
                nearness[position] += weight
    return iter(sorted(nearness, key=lambda position: (-nearness[position], position)))


def floor_log2(n: int, n_with: int) -> int:
    """floor(log2(n / n_with)), where n_with is at most n; 0 without any.

    >>> [floor_log2(100, n) for n in (0, 1, 49, 50, 51, 100)]
    [0, 6, 1, 1, 0, 0]
    """
    return (n // n_with).bit_length() - 1 if n_with else 0


def _shown(body: str, kept: Sequence[Passage]) -> Excerpt:
    """The kept passages as one text, with GAP for the others; neighbours as they are in the body."""
    spans: list[tuple[int, int]] = []
    texts: list[str] = []
    for start, end, _ in kept:
        between = body[spans[-1][1] : start] if spans else ""
        is_next = bool(spans) and not between.strip()
        if is_next and n_bytes(between) <= _GAP_BYTES:
            spans[-1] = (spans[-1][0], end)
            texts[-1] = body[slice(*spans[-1])]
            continue
        if spans and not is_next:
            texts.append(GAP)
        spans.append((start, end))
        texts.append(body[start:end])
    if body[spans[-1][1] :].strip():
        texts.append(GAP)
    return Excerpt(_SEPARATOR.join(texts), tuple(spans))


def _words(text: str) -> list[str]:
    """Lower-cased words without a plural s. Text without spaces gives pairs of characters."""
    spaced, words = separated(text)
    # Up to three letters, the s is part of the word: "gas", "bus".
    return words + [
        word[:-1] if len(word) > 3 and word.endswith("s") else word for word in lower_words(spaced)
    ]


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:12]
