"""The text of an HTML tree: headings, lists, tables and code as Markdown-like text.

What belongs here: how each element is written. It knows the elements of HTML, and those of trafilatura's
trees, which are few. What does not: which elements are read (html_tree.py, html.py).
"""

from collections.abc import Iterator
from typing import Any

from relabel_assets.intake.formats.parsing import blocks

# trafilatura's names of elements.
_HTML_NAMES = {
    "list": "ul",
    "item": "li",
    "row": "tr",
    "cell": "td",
    "quote": "blockquote",
    "lb": "br",
}
_INLINE_NAMES = """
    a abbr acronym b bdi bdo big cite code data del dfn em font i ins kbd label mark nobr q rp rt ruby s samp
    small span strike strong sub sup time tt u var wbr img picture hi ref graphic
    math semantics mrow mi mo mn mtext msup msub msubsup mfrac msqrt mroot mover munder mstyle mspace
"""
_INLINE = frozenset(_INLINE_NAMES.split())
_HEADINGS = {f"h{level}": level for level in range(1, 7)}
_BREAK = "\0"  # stands for <br>: no tree holds it


def text_of(element: Any) -> str:
    """The text of `element` and of all that is in it.

    >>> from lxml.html import fragment_fromstring
    >>> text_of(fragment_fromstring("<div><h2>Leave</h2><ul><li>paid<li>unpaid</ul></div>"))
    '## Leave\\n\\n- paid\\n- unpaid'
    """
    return blocks.joined(_blocks(element, depth=0))


def inline_text(element: Any) -> str:
    """The text of `element` in one line."""
    return blocks.one_space(_inline(element, is_code_marked=False).replace(_BREAK, " "))


def _name(element: Any) -> str:
    tag = element.tag if isinstance(element.tag, str) else ""
    tag = tag.rpartition("}")[2].lower()
    if tag == "head" and element.get("rend"):
        return str(element.get("rend"))
    if tag == "list" and element.get("rend") == "ol":
        return "ol"
    return _HTML_NAMES.get(tag, tag)


def _blocks(element: Any, depth: int) -> Iterator[str]:
    """The blocks in `element`: runs of text between blocks, and the blocks among its children."""
    run: list[str] = [element.text or ""]
    for child in element:
        name = _name(child)
        if name == "br":
            run.append(_BREAK)
        elif name in _INLINE and not _holds_block(child):
            run.append(_inline(child))
        else:
            yield _paragraph(run)
            yield from _block(child, name, depth)
            run = []
        run.append(child.tail or "")
    yield _paragraph(run)


def _block(element: Any, name: str, depth: int) -> Iterator[str]:
    if name in _HEADINGS:
        yield blocks.heading(_HEADINGS[name], inline_text(element))
    elif name in ("ul", "ol", "menu", "dir"):
        yield _list(element, name == "ol", depth)
    elif name == "table" and not _is_layout(element):
        yield from _table(element)
    elif name in ("pre", "listing", "xmp") or (
        name == "code" and "\n" in "".join(element.itertext())
    ):
        yield blocks.code(_verbatim(element))
    elif name == "blockquote":
        quoted = blocks.joined(_blocks(element, depth))
        yield "\n".join(f"> {line}".rstrip() for line in quoted.split("\n")) if quoted else ""
    elif name == "dd":
        yield blocks.item(depth, "-", blocks.joined(_blocks(element, depth)) or " ")
    else:
        yield from _blocks(element, depth)


def _list(element: Any, is_numbered: bool, depth: int) -> str:
    """The items of a list, each with the lists inside it below."""
    lines: list[str] = []
    number = _start(element)
    loose: list[str] = []
    for child in element:
        if _name(child) != "li":
            loose += _block(child, _name(child), depth)
            continue
        marker = f"{number}." if is_numbered else "-"
        number += 1
        text = blocks.joined(part for part in _blocks(child, 0) if part)
        if text:
            # Items need no empty lines between their parts.
            lines.append(blocks.item(depth, marker, text.replace("\n\n", "\n")))
    return blocks.joined(["\n".join(lines), *loose])


def _start(element: Any) -> int:
    text = element.get("start") or ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 6 else 1


def _table(element: Any) -> Iterator[str]:
    for child in element:
        if _name(child) == "caption":
            yield blocks.joined(_blocks(child, 0))
    rows = []
    for row in element.iter():
        if _name(row) == "tr":
            cells = [child for child in row if _name(child) in ("td", "th")]
            rows.append([blocks.joined(_blocks(cell, 0)) for cell in cells])
    yield blocks.table(rows)


def _is_layout(table: Any) -> bool:
    """Whether a table places blocks on the page: it holds a table, headings, or one column."""
    if (table.get("role") or "") in ("presentation", "none"):
        return True
    widest = 0
    for element in table.iter():
        name = _name(element)
        if element is not table and (name == "table" or name in _HEADINGS):
            return True
        if name == "tr":
            widest = max(widest, sum(1 for child in element if _name(child) in ("td", "th")))
    return widest <= 1


def _holds_block(element: Any) -> bool:
    """Whether an element of text holds blocks, as a link around a heading does."""
    return any(
        _name(inner) not in _INLINE and _name(inner) != "br" for inner in element.iterdescendants()
    )


def _inline(element: Any, is_code_marked: bool = True) -> str:
    """The text of an element inside a line."""
    text = "".join(_pieces(element))
    is_code = _name(element) in ("code", "kbd", "samp", "tt") or element.get("rend") == "#t"
    if is_code and is_code_marked and text.strip() and "`" not in text:
        return f"`{text.strip()}`"
    return text


def _pieces(element: Any) -> Iterator[str]:
    yield element.text or ""
    for child in element:
        name = _name(child)
        yield (
            _BREAK if name == "br" else _inline(child) if name in _INLINE else f" {_inline(child)} "
        )
        yield child.tail or ""


def _verbatim(element: Any) -> str:
    """The text of an element with its own line breaks."""
    parts = [element.text or ""]
    for child in element:
        parts += ["\n" if _name(child) == "br" else _verbatim(child), child.tail or ""]
    return "".join(parts)


def _paragraph(run: list[str]) -> str:
    """A run of text as lines: only <br> breaks one."""
    lines = map(blocks.one_space, "".join(run).split(_BREAK))
    return "\n".join(line for line in lines if line)
