"""The texts that a browser gets: harmless characters, cut into pieces, the query's words marked.

What belongs here: turning a text of data into pieces of plain text. What does not: HTML. The page makes
text nodes of the pieces, so that no text is ever markup.
"""

import re
import unicodedata
from collections.abc import Iterator
from functools import cache, lru_cache

import tantivy

from relabel_assets.intake.text import printable

Segment = tuple[str, bool]  # text, and whether it is a word of the query

# Joiners reorder and hide nothing. Persian, Indian scripts and emoji need them.
_JOINERS = re.compile("([\u200c\u200d])")
_LINE_ENDS = re.compile("\r\n?|[\u0085\u2028\u2029]")
# Scripts without spaces between words: Thai, Lao, Khmer, Japanese, Chinese.
_UNSPACED = "\u0e00-\u0eff\u1780-\u17ff\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_RUN = re.compile(f"[{_UNSPACED}]+")
_WORD = re.compile(rf"(?:(?![{_UNSPACED}])[\w\u0300-\u036f])+")
_LONGEST_WORD = 64  # characters, as in the search index
# Words of questions, which occur anywhere. The analyzer has a list of articles and prepositions itself.
_QUESTION_WORDS = (
    *("how", "what", "when", "where", "which", "who", "whom", "whose", "why", "do", "does", "did"),
    *(
        "can",
        "could",
        "should",
        "would",
        "i",
        "me",
        "my",
        "we",
        "our",
        "you",
        "your",
        "am",
        "about",
    ),
)
_SPARE = 2_000  # characters of a piece that are given up to end it between two lines, or two words


def neutral(text: str) -> str:
    r"""`text` that cannot reorder or hide its neighbours: control characters are shown as escapes.

    >>> neutral("safe\u202etxt.exe")
    'safe\\u202etxt.exe'
    """
    parts = _JOINERS.split(_LINE_ENDS.sub("\n", text))
    return "".join(part if _JOINERS.fullmatch(part) else printable(part) for part in parts)


def marked(text: str, query: str) -> list[Segment]:
    """`text` in segments, neutral, those that are words of `query` in any form marked.

    Words are compared as BM25 does: lower case, without accents, stemmed as English. In scripts without
    spaces two characters of the query mark the same two.

    >>> marked("Travel expenses are paid.", "what is an expense?")
    [('Travel ', False), ('expenses', True), (' are paid.', False)]
    """
    segments: list[Segment] = []
    end_of_last = 0
    for start, end in _spans(text, query):
        if start > end_of_last:
            segments.append((neutral(text[end_of_last:start]), False))
        segments.append((neutral(text[start:end]), True))
        end_of_last = end
    if end_of_last < len(text):
        segments.append((neutral(text[end_of_last:]), False))
    return segments


def end_of_piece(text: str, start: int, n_characters: int) -> int:
    """Where a piece of about `n_characters` of `text` ends: after a line if it can, else after a word.

    >>> end_of_piece("one two three", 0, 6)
    4
    >>> end_of_piece("one", 0, 6)
    3
    """
    end = start + n_characters
    if end >= len(text):
        return len(text)
    least = max(start, end - _SPARE)
    for separator in "\n ":
        found = text.rfind(separator, least, end)
        if found >= 0:
            return found + 1
    return end


def _spans(text: str, query: str) -> Iterator[tuple[int, int]]:
    """(start, end) of the words of `query` in `text`, in order."""
    stems, pairs = _wanted(query)
    spans = []
    if stems:
        words = _WORD.finditer(text)
        spans = [word.span() for word in words if not stems.isdisjoint(_stems(word[0]))]
    if pairs:
        spans += _joined(match.span(1) for match in pairs.finditer(text))
        spans.sort()
    return iter(spans)


@lru_cache(maxsize=64)
def _wanted(query: str) -> tuple[frozenset[str], re.Pattern[str] | None]:
    """The stems of a query, and a pattern of its pairs of characters in scripts without spaces."""
    stems = frozenset(stem for word in _WORD.findall(query) for stem in _stems(word))
    runs = _RUN.findall(query)
    pairs = {run[i : i + 2] for run in runs for i in range(max(1, len(run) - 1))}
    pattern = "|".join(map(re.escape, sorted(pairs)))
    return stems, re.compile(f"(?=({pattern}))") if pattern else None


def _joined(spans: Iterator[tuple[int, int]]) -> list[tuple[int, int]]:
    """`spans` with those that overlap or touch made one."""
    joined: list[tuple[int, int]] = []
    for start, end in spans:
        if joined and start <= joined[-1][1]:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


@lru_cache(maxsize=100_000)
def _stems(word: str) -> tuple[str, ...]:
    """The stem of a word; none for a long one and for one that occurs anywhere."""
    if len(word) > _LONGEST_WORD:
        return ()
    return tuple(_analyzer().analyze(unicodedata.normalize("NFC", word)))


@cache
def _analyzer() -> tantivy.TextAnalyzer:
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.raw())
    for step in (
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stopword("english"),
        tantivy.Filter.custom_stopword(list(_QUESTION_WORDS)),
        tantivy.Filter.stemmer("english"),
    ):
        builder = builder.filter(step)
    return builder.build()
