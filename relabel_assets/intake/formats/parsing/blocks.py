"""Blocks of a document as Markdown-like text: headings, lists, tables, code.

What belongs here: how each block is written. What does not: finding blocks (the readers of formats).
Characters are not escaped: people and models read the text, and no browser renders it.
"""

import re
from collections.abc import Iterable, Sequence

_SPACES = re.compile(r"\s+")
_MAX_HEADING = 6
_NUMBERS_NAMED = 10  # in a note
_TICKS = re.compile(r"`+")


def one_space(text: str) -> str:
    """`text` in one line, with single spaces.

    >>> one_space(" paid \\n  leave ")
    'paid leave'
    """
    return _SPACES.sub(" ", text).strip()


def heading(level: int, text: str) -> str:
    """A heading of level 1 to 6; the empty text without text.

    >>> heading(2, "Paid\\nleave")
    '## Paid leave'
    """
    text = one_space(text)
    return f"{'#' * max(1, min(_MAX_HEADING, level))} {text}" if text else ""


def item(depth: int, marker: str, text: str) -> str:
    """An item of a list, `depth` lists inside others. Its further lines are indented.

    >>> item(1, "-", "Ask HR.\\nThen wait.")
    '  - Ask HR.\\n    Then wait.'
    """
    indent = "  " * depth
    first, *others = text.strip().split("\n")
    lines = [f"{indent}{marker} {first}"]
    lines += [f"{indent}{' ' * (len(marker) + 1)}{line}".rstrip() for line in others]
    return "\n".join(lines)


def table(rows: Iterable[Sequence[str]]) -> str:
    """Rows of cells with bars between them; the first is the head. Empty rows are left out.

    >>> print(table([["Days", "Who"], ["30", "all"]]))
    | Days | Who |
    | --- | --- |
    | 30 | all |
    """
    cells = [[one_space(cell).replace("|", "\\|") for cell in row] for row in rows]
    cells = [row for row in cells if any(row)]
    if not cells:
        return ""
    width = max(len(row) for row in cells)
    lines = [f"| {' | '.join([*row, *[''] * (width - len(row))])} |" for row in cells]
    return "\n".join([lines[0], "|" + " --- |" * width, *lines[1:]])


def code(text: str) -> str:
    """A block of code between fences that are longer than any inside it.

    >>> print(code("relabel run\\n"))
    ```
    relabel run
    ```
    """
    text = text.strip("\n").rstrip()
    longest = max((len(ticks) for ticks in _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}\n{text}\n{fence}" if text.strip() else ""


def numbers(positions: Sequence[int]) -> str:
    """The numbers of pages or slides for a note: the first ten, and how many others there are.

    >>> numbers([2, 5]), numbers(range(1, 13))
    ('2, 5', '1, 2, 3, 4, 5, 6, 7, 8, 9, 10 and 2 others')
    """
    n_others = len(positions) - _NUMBERS_NAMED
    more = f" and {n_others} others" if n_others > 0 else ""
    return ", ".join(map(str, positions[:_NUMBERS_NAMED])) + more


def joined(blocks: Iterable[str]) -> str:
    """The blocks that have text, with an empty line between two; none between two items of lists.

    >>> joined(["# Leave", "", "- paid", "- unpaid", "Ask HR."])
    '# Leave\\n\\n- paid\\n- unpaid\\n\\nAsk HR.'
    """
    parts: list[str] = []
    was_item = False
    for raw in blocks:
        block = raw.strip("\n").rstrip()
        if not block.strip():
            continue
        is_item = _ITEM.match(block) is not None
        if parts:
            parts.append("\n" if is_item and was_item else "\n\n")
        parts.append(block)
        was_item = is_item
    return "".join(parts)


_ITEM = re.compile(r" *(?:-|\d+\.) ")
