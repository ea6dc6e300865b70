"""The text of a document that a reader sees: without what HTML, Markdown or Unicode hides.

What belongs here: finding and removing hidden text. What does not: turning HTML into text (tags that
hide nothing stay as they were written).

A page can carry a query where search engines read it and people do not: in a comment, in an element
with `display: none`, in characters without width. Neither teacher nor student may grade by it.
"""

import html
import re
from collections.abc import Iterable, Iterator

# Without width: zero-width space, word joiner, byte order mark, soft hyphen, bidi controls, tag characters
# and the variation selectors that no font uses. Joiners (U+200C, U+200D) stay: Persian and emoji need them.
_INVISIBLE = re.compile(
    "[\u00ad\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"
    "\U000e0000-\U000e007f\U000e0100-\U000e01ef]"
)
# `[//]: # (a comment)`: a Markdown link that leads nowhere is not shown.
_MARKDOWN_COMMENT = re.compile(
    r"^ {0,3}\[[^\]\n]{1,200}\]:[ \t]*(?:#|<>)[ \t]*(?:[(\"'].*)?$", re.M
)
# A fence that is not closed runs to the end, as in CommonMark. Possessive quantifiers (`++`), because a
# text of backticks would cost the square of its length.
CODE = re.compile(
    r"^ {0,3}(?P<fence>`{3,}+|~{3,}+)[^\n]*+\n(?:.*?^ {0,3}(?P=fence)|.*)"
    r"|(?<!`)(?P<ticks>`++)[^`\n]++(?P=ticks)(?!`)",
    re.M | re.S,
)
_START = re.compile(r"<!--|<(?P<close>/?)(?P<name>[A-Za-z][A-Za-z0-9-]*)")
# At most this many characters are read as the attributes of one tag, so that a text of open quotes costs
# no more than its length.
_MAX_TAG_CHARACTERS = 1000
_ATTRIBUTES = re.compile(r"""(?:[^<>"']|"[^"]*"|'[^']*')*+>""")
NEVER_SHOWN = frozenset({"script", "style", "template", "head", "noscript"})
# They have no content.
_VOID = frozenset(
    ("area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "source", "wbr")
)
_QUOTED = re.compile(r""""[^"]*"|'[^']*'""")
_HIDDEN_ATTRIBUTE = re.compile(r"(?:^|\s)hidden(?=[\s=/>]|$)", re.I)
_STYLE = re.compile(r"""(?:^|\s)style\s*=\s*("[^"]*"|'[^']*'|[^\s>]+)""", re.I)
_ZERO = r"0*\.?0*(?:[a-z%]+)?\s*(?:!important\s*)?(?:;|$)"
_HIDING_STYLE = re.compile(
    r"(?:^|[;\s])(?:display\s*:\s*none|visibility\s*:\s*(?:hidden|collapse)"
    rf"|(?:opacity|font-size)\s*:\s*{_ZERO}"
    r"|(?:left|top|text-indent)\s*:\s*-\d{3,})",
    re.I,
)


def visible_text(text: str) -> str:
    """`text` without hidden text. Code of Markdown is shown as it is written, so it stays.

    Removed are HTML comments, scripts, elements with `hidden` or a style that hides them, Markdown
    comments, and characters without width. What hides and is not closed hides to the end, as in a
    browser.

    >>> visible_text("Leave<!-- keywords: travel --> is <b>paid</b>. <p hidden>travel</p>")
    'Leave is <b>paid</b>. '
    >>> visible_text("Write `<!-- a comment -->` so.")
    'Write `<!-- a comment -->` so.'
    """
    text = without_invisible(text)
    if "]:" in text:
        text = _without(text, (match.span() for match in _MARKDOWN_COMMENT.finditer(text)))
    return _without(text, _hidden_spans(text)) if "<" in text else text


def without_invisible(text: str) -> str:
    """`text` without the characters that have no width, but with joiners.

    >>> without_invisible("pa\u200bid")
    'paid'
    """
    return _INVISIBLE.sub("", text)


def is_hiding_style(style: str) -> bool:
    """Whether the value of a `style` attribute hides its element.

    >>> is_hiding_style("color: red; display: none"), is_hiding_style("font-size: 12px")
    (True, False)
    """
    return _HIDING_STYLE.search(style) is not None


def _hidden_spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield (start, end) of each hidden part of `text`, in order and apart from each other."""
    code = [match.span() for match in CODE.finditer(text)]
    next_code, position = 0, 0
    while start := _START.search(text, position):
        while next_code < len(code) and code[next_code][1] <= start.start():
            next_code += 1
        if next_code < len(code) and code[next_code][0] <= start.start():
            position = code[next_code][1]
            continue
        if start["name"] is None:
            end = text.find("-->", start.end())
            position = len(text) if end < 0 else end + len("-->")
            yield start.start(), position
            continue
        tag = _ATTRIBUTES.match(text, start.end(), start.end() + _MAX_TAG_CHARACTERS)
        position = tag.end() if tag else start.end()
        if tag and not start["close"] and _hides(start["name"].lower(), tag[0][:-1]):
            position = _end_of_element(text, start["name"].lower(), position)
            yield start.start(), position


def _hides(name: str, attributes: str) -> bool:
    """Whether a tag hides its element."""
    if name in NEVER_SHOWN or _HIDDEN_ATTRIBUTE.search(_QUOTED.sub("", attributes)):
        return True
    style = _STYLE.search(attributes)
    return bool(style and is_hiding_style(html.unescape(style[1].strip("\"'"))))


def _end_of_element(text: str, name: str, position: int) -> int:
    """The end of the element `name` whose start tag ends at `position`; of `text` if it is not closed."""
    if name in _VOID:
        return position
    depth = 1
    tags = re.compile(rf"<(/?){re.escape(name)}(?![\w-])[^<>]*+>", re.I)
    for tag in tags.finditer(text, position):
        depth += -1 if tag[1] else 1
        if not depth:
            return tag.end()
    return len(text)


def _without(text: str, spans: Iterable[tuple[int, int]]) -> str:
    """`text` without `spans`."""
    parts, end_of_last = [], 0
    for start, end in spans:
        parts.append(text[end_of_last:start])
        end_of_last = end
    return "".join([*parts, text[end_of_last:]])
