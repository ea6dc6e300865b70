"""The passages of a long body: spans that its own text bounds, not a count of bytes from its start.

What belongs here: splitting, and the heading above each passage. What does not: which passages a model
reads (excerpt.py).

A body is split at blank lines and before headings. A paragraph over the limit is split at line ends,
sentence ends, spaces or anywhere. Neighbours are joined until they have half the limit. A heading starts
a passage, and half the limit or the end of a split paragraph ends one. So an edit moves the bounds up to
the next of these places, and no bound behind it.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import chain
from typing import NamedTuple

PASSAGE_BYTES = 800  # not measured: a paragraph or two, which can be understood alone; several fit
_PARAGRAPH_BREAK = re.compile(r"\n\s*\n|\n(?=#{1,6}[ \t])")
# The pieces of a paragraph that is too long: lines, else sentences. A piece of less than 40 characters
# goes on to the next break, so that a million short lines are no million pieces.
_LINES = re.compile(r"[\s\S]{40,}?\n|[\s\S]+")
_SENTENCES = re.compile(r"[\s\S]{40,}?[.!?。！？]|[\s\S]+")
_UNDERLINE = "=-~^\"'*+#` \t\n"
_HEADING = re.compile(r"#{1,6}[ \t][^\n]*|[^\n]{1,300}(?=\n([=\-~^\"'*+#`])\1{2,}[ \t]*(?:\n|$))")


class Passage(NamedTuple):
    """The characters `start` to `end` of a body, without blanks around, and the heading above them."""

    start: int
    end: int
    heading: str


class _Piece(NamedTuple):
    """A piece of a body, which is joined with its neighbours unless it opens or closes a passage."""

    start: int
    end: int
    heading: str | None = None  # the heading that it starts with
    is_heading_alone: bool = False
    closes: bool = False


def passages(body: str, max_bytes: int = PASSAGE_BYTES) -> list[Passage]:
    """The passages of `body` in order, each of at most `max_bytes` (4 or more) in UTF-8.

    >>> body = "# Leave\\n\\nAll leave.\\n\\n## Sick leave\\n\\nBring a note."
    >>> [(body[passage.start : passage.end], passage.heading) for passage in passages(body, 60)]
    [('# Leave\\n\\nAll leave.', '# Leave'), ('## Sick leave\\n\\nBring a note.', '## Sick leave')]
    """
    found: list[Passage] = []
    start, end, heading = 0, 0, ""  # start == end: no passage is open
    has_text = False  # beside headings

    def close() -> None:
        nonlocal start
        if start < end:
            found.append(Passage(start, end, heading))
        start = end

    for piece in _paragraphs(body, max_bytes):
        opens = piece.heading is not None and has_text
        if opens or _size(body, start, piece.end) > max_bytes:
            close()
        if start == end:
            start, has_text = piece.start, False
        end, heading = piece.end, heading if piece.heading is None else piece.heading
        has_text = has_text or not piece.is_heading_alone
        if piece.closes or _size(body, start, end) >= max_bytes // 2:
            close()
    close()
    return found


def n_bytes(text: str) -> int:
    """The bytes of `text` in UTF-8, where a lone surrogate counts as one.

    >>> n_bytes("né"), n_bytes("\\ud800")
    (3, 1)
    """
    return len(text) if text.isascii() else len(text.encode("utf-8", "replace"))


def _size(body: str, start: int, end: int) -> int:
    """n_bytes of the span, at once where the body is ASCII: a text of words alone has many pieces."""
    return end - start if body.isascii() else n_bytes(body[start:end])


def _paragraphs(body: str, max_bytes: int) -> Iterator[_Piece]:
    """The paragraphs of `body`, those over `max_bytes` in pieces of which the last closes a passage."""
    for start, end in _between(_PARAGRAPH_BREAK, body):
        found = _HEADING.match(body, start, end)
        heading = found.group() if found else None
        is_alone = found is not None and not body[found.end() : end].strip(_UNDERLINE)
        if _size(body, start, end) <= max_bytes:
            yield _Piece(start, end, heading, is_alone)
            continue
        # Words up to the last space within the length, or the whole length where there is none. No
        # character has more than four bytes.
        length = max_bytes // 4
        words = re.compile(rf"\S[\s\S]{{0,{length - 1}}}(?=\s|$)|\S{{1,{length}}}")
        for piece_start, piece_end in _pieces(
            body, start, end, max_bytes, (_LINES, _SENTENCES, words)
        ):
            at_start = heading if piece_start == start else None
            yield _Piece(piece_start, piece_end, at_start, closes=piece_end == end)


def _pieces(
    body: str, start: int, end: int, max_bytes: int, patterns: Sequence[re.Pattern[str]]
) -> Iterator[tuple[int, int]]:
    """The matches of the first pattern in the span; one that is too long by the other patterns."""
    for found in patterns[0].finditer(body, start, end):
        piece_start, piece_end = _stripped(body, *found.span())
        if _size(body, piece_start, piece_end) > max_bytes:
            yield from _pieces(body, piece_start, piece_end, max_bytes, patterns[1:])
        elif piece_start < piece_end:
            yield piece_start, piece_end


def _between(separator: re.Pattern[str], body: str) -> Iterator[tuple[int, int]]:
    """The parts of `body` between separators, without blanks around; none that is blank."""
    start = 0
    for found in chain(separator.finditer(body), [None]):
        part_start, part_end = _stripped(body, start, found.start() if found else len(body))
        start = found.end() if found else start
        if part_start < part_end:
            yield part_start, part_end


def _stripped(body: str, start: int, end: int) -> tuple[int, int]:
    """The span without blanks around; an empty one if it is blank."""
    part = body[start:end]
    first = start + len(part) - len(part.lstrip())
    return first, max(first, start + len(part.rstrip()))
