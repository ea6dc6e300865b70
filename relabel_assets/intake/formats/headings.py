"""The heading of a text in Markdown that is its title.

What belongs here: finding it, outside code. What does not: titles that are stated (stated_fields.py).
"""

import re

_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})(.*)")
_ATX = re.compile(r" {0,3}(#{1,6})[ \t]+(.*)")
_UNDERLINE = re.compile(r" {0,3}(=+|-{2,})[ \t]*")
_SEVERAL = "\n"  # stands for a paragraph of several lines
# What cannot be the text above an underline: another block, or a row of a table.
_BLOCK = re.compile(r" {0,3}(?:[>|]|[-*+][ \t]|\d+[.)][ \t]| {4}|\t)")


def first_heading(text: str) -> str | None:
    """The text of the first heading of level 1, else of a heading that begins `text`; None without one.

    Headings are lines `# ...`, and lines above === or ---. Code between fences holds none.

    >>> first_heading("```sh\\n# a comment\\n```\\nLeave\\n=====\\nAsk HR.")
    'Leave'
    >>> first_heading("## Leave ##\\nAsk HR."), first_heading("Intro.\\n\\n## Leave")
    ('Leave', None)
    """
    fence, above, beginning, first = "", "", None, None
    for number, raw in enumerate(text.split("\n")):
        line = raw.rstrip()
        opened = _FENCE.fullmatch(line)
        if fence:
            if opened and opened[1].startswith(fence) and not opened[2].strip():
                fence = ""
            continue
        is_rule = _UNDERLINE.fullmatch(line) is not None
        if first is None and line and not is_rule:
            first = number
        if opened and "`" not in opened[2]:
            fence, above = opened[1], ""
            continue
        heading, level, start = _heading(line, above, number)
        if heading and level == 1:
            return heading
        if heading and start == first:
            beginning = heading
        is_paragraph = line and not heading and not is_rule and not _BLOCK.match(line)
        # An underline heads the whole paragraph above it: one of several lines is no title.
        above = (_SEVERAL if above else line.strip()) if is_paragraph else ""
    return beginning


def _heading(line: str, above: str, number: int) -> tuple[str | None, int, int]:
    """The text, level and first line of the heading that `line` is, or underlines."""
    if atx := _ATX.fullmatch(line):
        text = atx[2].strip()
        before = text.rstrip("#")
        # CommonMark: the closing # stand alone. "C#" is a word.
        text = before.rstrip() if before != before.rstrip() or not before else text
        return text or None, len(atx[1]), number
    underline = _UNDERLINE.fullmatch(line)
    if underline and above not in ("", _SEVERAL):
        return above, 1 if underline[1].startswith("=") else 2, number - 1
    return None, 0, number
