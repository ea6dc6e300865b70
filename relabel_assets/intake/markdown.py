"""Text from outside in Markdown: it is shown as it was written, and is no markup.

What belongs here: making text inert, and reading it back. What does not: tables and lists
(benchmark/plots.py, graph/catalog.py), and characters for a terminal (text.py).
"""

import re

from relabel_assets.intake.text import one_line

_ENTITIES = {"<": "&lt;", ">": "&gt;", "&": "&amp;"}
# What CommonMark, its tables, HTML, and addresses that become links read as markup inside a line. An
# underscore between letters or digits is none.
_INLINE = re.compile(
    r"[\\`*\[\]|~$<>&]|(?<=[\w.+-])@(?=[\w-]+\.)|(?<![^\W_])_|_(?![^\W_])|:(?=//)|(?<=www)\.",
    re.IGNORECASE,
)
# What begins a heading, a list or a rule.
_FIRST = re.compile(r"^(\d{0,9})([#+=]|-(?=[\s-]|$)|[.)](?=\s|$))")
_INERT = re.compile(r"\\([!-/:-@\[-`{-~])|&(lt|gt|amp);")


def inert(text: str) -> str:
    r"""One line of Markdown, in a table or not, that shows `text`: no image, link, HTML or emphasis.

    >>> inert("![x](http://evil.example/x.png) <b>")
    '!\\[x\\](http\\://evil.example/x.png) &lt;b&gt;'
    """
    line = _INLINE.sub(lambda match: _ENTITIES.get(match[0], f"\\{match[0]}"), one_line(text))
    return _FIRST.sub(r"\1\\\2", line)


def as_written(markdown: str) -> str:
    r"""The text that `inert` made this Markdown of, for a reader who sees no rendered Markdown.

    >>> as_written(inert("*a* <c>"))
    '*a* <c>'
    """
    return _INERT.sub(
        lambda match: match[1] or {"lt": "<", "gt": ">", "amp": "&"}[match[2]], markdown
    )
