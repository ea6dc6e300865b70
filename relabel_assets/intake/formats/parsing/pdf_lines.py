"""Lines of a PDF's pages: without what repeats on its pages, and with the words that line ends cut.

What belongs here: what becomes of lines. What does not: taking them from a PDF (pdf.py).
"""

import re
from collections import Counter

from relabel_assets.intake.formats.parsing.blocks import one_space

Pages = list[list[str]]

_EDGE_LINES = 3  # of a page, at its top and at its bottom, where running headers and footers stand
# Left and right pages may have a header each, and first pages have none.
_LEAST_OF_PAGES, _FEWEST_PAGES = 0.4, 3
_DIGITS = re.compile(r"\d+")
_CUT = re.compile(r"([^\W\d_]+)[-\u00ad\u2010]$")
_GOES_ON = re.compile(r"[^\W\d_]+")
_WORDS = re.compile(r"[^\W\d_]+(?:-[^\W\d_]+)*")
LIGATURES = str.maketrans(
    {"ﬀ": "ff", "ﬁ": "fi", "ﬂ": "fl", "ﬃ": "ffi", "ﬄ": "ffl", "ﬅ": "st", "ﬆ": "st"}
)


def lines_of(text: str) -> list[str]:
    """The lines of a page that have text, without the ligatures of its fonts.

    >>> lines_of("The oﬃce \\n\\nis closed")
    ['The office', 'is closed']
    """
    lines = (line.rstrip() for line in text.translate(LIGATURES).split("\n"))
    return [line for line in lines if line.strip()]


def without_running_lines(pages: Pages) -> Pages:
    """The pages without the headers and footers of most of them.

    A running line is among the first or last three lines of at least two in five pages, and of three. Its
    numbers may differ.

    >>> pages = [[f"Handbook, page {n}", f"Text {word}."] for n, word in enumerate("abc")]
    >>> without_running_lines(pages)
    [['Text a.'], ['Text b.'], ['Text c.']]
    """
    counts = Counter(key for lines in pages for key in {_key(lines[n]) for n in _edges(lines)})
    least = max(_FEWEST_PAGES, _LEAST_OF_PAGES * len(pages))
    kept: Pages = []
    for lines in pages:
        running = {n for n in _edges(lines) if counts[_key(lines[n])] >= least}
        kept.append([line for n, line in enumerate(lines) if n not in running])
    return kept


def joined_words(pages: Pages) -> Pages:
    """The pages with each word on one line: the end of a line that cuts one takes the rest of it.

    A hyphen stays where the text has the word with it elsewhere, and never without.

    >>> joined_words([["The docu-", "ment of a self-", "service."], ["Use self-service."]])
    [['The document', 'of a self-service.'], ['Use self-service.']]
    """
    known = {word.lower() for lines in pages for line in lines for word in _WORDS.findall(line)}
    result: Pages = []
    waiting: tuple[list[str], str] | None = None  # the page and the beginning of a cut word
    for lines in pages:
        kept: list[str] = []
        for line in lines:
            text = line
            if waiting and (rest := _GOES_ON.match(text)) and rest[0][0].islower():
                page, start = waiting
                with_hyphen = f"{start}-{rest[0]}".lower()
                keeps = with_hyphen in known and f"{start}{rest[0]}".lower() not in known
                end = re.match(r"\S+", text)
                assert end
                page[-1] = page[-1][:-1] + ("-" if keeps else "") + end[0]
                text = text[end.end() :].lstrip()
            cut = _CUT.search(text)
            if text:
                kept.append(text)
            waiting = (kept, cut[1]) if cut and text else None
        result.append(kept)
    return result


def _edges(lines: list[str]) -> set[int]:
    n = len(lines)
    return {*range(min(_EDGE_LINES, n)), *range(max(0, n - _EDGE_LINES), n)}


def _key(line: str) -> str:
    return _DIGITS.sub("#", one_space(line)).lower()
