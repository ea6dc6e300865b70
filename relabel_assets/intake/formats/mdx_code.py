"""The code of an MDX page that no reader sees: its imports, exports and comments.

What belongs here: taking them out. What does not: elements, which stay as they were written, and what HTML
hides (intake/visible_text.py).
"""

import re

from relabel_assets.intake.visible_text import CODE

_BEGINS = re.compile(
    r"^(?:(?P<import>import\s)|export\s+(?:const|let|var|function|async|class|default|\{|\*))"
    r"|\{\s{0,9}(?P<comment>/\*)",
    re.M,
)
# Lines end in braces alone, so that a page of imports costs no more than its length.
_IMPORT = re.compile(
    r"import[ \t]+(?:[\w$*, \t]*+(?:\{[\w$, \t\n]{0,2000}\}[ \t]*from|(?<=from)|(?<=from[ \t]))[ \t]*)?"
    r"(?P<quote>['\"])[^'\"\n]*+(?P=quote)[ \t]*;?[ \t]*(?:\n|\Z)"
)
_END_OF_COMMENT = re.compile(r"\*/\s{0,9}\}?")
_BRACKET_OR_BLANK_LINE = re.compile(r"(?P<open>[(\[{])|(?P<close>[)\]}])|\n[ \t]*(?=\n|\Z)|\Z")
_LONGEST_EXPORT = 20_000  # characters


def without_mdx_code(text: str) -> str:
    """`text` without the imports, exports and comments of MDX. Code blocks are shown, so they stay.

    A line that begins with "import" and is no JavaScript stays. An export ends at an empty line outside
    brackets; one that does not end stays. A comment that is not closed hides to the end.

    >>> without_mdx_code("import Tabs from '@theme/Tabs';\\n\\n# Leave\\n{/* draft */}Ask HR.")
    '\\n# Leave\\nAsk HR.'
    >>> without_mdx_code("import duty is 5 % from May")
    'import duty is 5 % from May'
    """
    code = [match.span() for match in CODE.finditer(text)]
    parts, kept_to, position, n_code = list[str](), 0, 0, 0
    exports_end = True
    while start := _BEGINS.search(text, position):
        while n_code < len(code) and code[n_code][1] <= start.start():
            n_code += 1
        if n_code < len(code) and code[n_code][0] <= start.start():
            position = code[n_code][1]
            continue
        position = start.end()
        is_export = not (start["import"] or start["comment"])
        if is_export and not exports_end:
            continue
        end = _end(text, start)
        if (
            is_export and end is None
        ):  # no second search: a page of these would cost the square of it
            exports_end = False
        if end is not None:
            parts.append(text[kept_to : start.start()])
            kept_to = position = end
    return "".join([*parts, text[kept_to:]])


def _end(text: str, start: re.Match[str]) -> int | None:
    """Where the code that begins at `start` ends; None where it is no code."""
    if start["comment"]:
        closed = _END_OF_COMMENT.search(text, start.end())
        return closed.end() if closed else len(text)
    if start["import"]:
        statement = _IMPORT.match(text, start.start())
        return statement.end() if statement else None
    depth, limit = 0, min(len(text), start.start() + _LONGEST_EXPORT)
    for found in _BRACKET_OR_BLANK_LINE.finditer(text, start.start(), limit):
        depth += bool(found["open"]) - bool(found["close"])
        if not found[0].strip() and depth <= 0 and (found[0] or limit == len(text)):
            return found.start()
    return None
