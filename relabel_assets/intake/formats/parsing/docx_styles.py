"""Styles and numbering of a Word document: which paragraphs are headings, items of lists, or hidden.

What belongs here: reading these two parts. What does not: the text (docx.py).
"""

import re
from collections.abc import Iterator
from typing import Any

W = "{http://schemas.openxmlformats.org/wordprocessingml/2006/main}"
VAL = f"{W}val"
_HEADING = re.compile(r"heading (\d)")
_OFF = ("0", "false", "off", "none")
_BODY_LEVEL = 9  # of the outline: text
_MOST_LEVELS = 9
TITLE, CONTENTS = "title", "toc"


class Styles:
    """The styles of a document, by their ids. `root`: its part of styles (lxml), None without one."""

    def __init__(self, root: Any) -> None:
        styles = [] if root is None else root.iter(f"{W}style")
        self._styles = {style.get(f"{W}styleId"): style for style in styles}

    def kind_of(self, paragraph: Any) -> str | int | None:
        """TITLE, CONTENTS, the level of a heading from 1, or None for text."""
        level = paragraph.find(f"{W}pPr/{W}outlineLvl")
        if level is not None:
            return self._level(level)
        for style in self._chain(_value(paragraph, f"{W}pPr/{W}pStyle")):
            # Built-in styles have their English names in every language of Word.
            name = (_value(style, f"{W}name") or "").lower()
            if name in (TITLE, "toc heading") or name.startswith("toc "):
                return TITLE if name == TITLE else CONTENTS
            if found := _HEADING.fullmatch(name):
                return int(found[1])
            if (level := style.find(f"{W}pPr/{W}outlineLvl")) is not None:
                return self._level(level)
        return None

    def is_hidden(self, run: Any, paragraph: Any) -> bool:
        """Whether Word does not show a run: its own property counts, else that of its styles."""
        for owner in (
            run,
            *self._chain(_value(run, f"{W}rPr/{W}rStyle")),
            *self._chain(_value(paragraph, f"{W}pPr/{W}pStyle")),
        ):
            vanish = owner.find(f"{W}rPr/{W}vanish")
            if vanish is not None:
                return is_on(vanish)
        return False

    def numbering_of(self, paragraph: Any) -> tuple[str, int] | None:
        """(the list's id, how many lists it is inside) of a paragraph; None for one in no list."""
        owners = (paragraph, *self._chain(_value(paragraph, f"{W}pPr/{W}pStyle")))
        for owner in owners:
            numbering = owner.find(f"{W}pPr/{W}numPr")
            if numbering is not None:
                number = _value(numbering, f"{W}numId")
                if number is None:
                    continue
                depth = _value(numbering, f"{W}ilvl") or "0"
                is_depth = depth.isdigit() and int(depth) < _MOST_LEVELS
                return None if number == "0" else (number, int(depth) if is_depth else 0)
        return None

    def _chain(self, style_id: str | None) -> Iterator[Any]:
        """A style and those that it is based on."""
        seen = set[str]()
        while style_id is not None and style_id in self._styles and style_id not in seen:
            seen.add(style_id)
            style = self._styles[style_id]
            yield style
            style_id = _value(style, f"{W}basedOn")

    @staticmethod
    def _level(element: Any) -> int | None:
        text = element.get(VAL) or ""
        return int(text) + 1 if text.isdigit() and int(text) < _BODY_LEVEL else None


class Numbers:
    """The markers of lists, counted in the order of the text. `root`: the part of numbering, or None."""

    def __init__(self, root: Any) -> None:
        self._formats: dict[tuple[str | None, str | None], str | None] = {}
        self._abstract: dict[str | None, str | None] = {}
        self._counts: dict[str | None, list[int]] = {}
        if root is None:
            return
        for abstract in root.iter(f"{W}abstractNum"):
            name = abstract.get(f"{W}abstractNumId")
            for level in abstract.iter(f"{W}lvl"):
                self._formats[name, level.get(f"{W}ilvl")] = _value(level, f"{W}numFmt")
        for number in root.iter(f"{W}num"):
            self._abstract[number.get(f"{W}numId")] = _value(number, f"{W}abstractNumId")

    def marker(self, list_id: str, depth: int) -> str:
        """The marker of the next item: "-", or its number with a point."""
        abstract = self._abstract.get(list_id)
        counts = self._counts.setdefault(list_id, [0] * _MOST_LEVELS)
        counts[depth] += 1
        counts[depth + 1 :] = [0] * (_MOST_LEVELS - depth - 1)
        kind = self._formats.get((abstract, str(depth)))
        return "-" if kind in (None, "bullet", "none") else f"{counts[depth]}."


def is_on(element: Any) -> bool:
    """Whether a property that is there is switched on."""
    return (element.get(VAL) or "1").lower() not in _OFF


def _value(element: Any, path: str) -> str | None:
    found = element.find(path)
    return None if found is None else found.get(VAL)
