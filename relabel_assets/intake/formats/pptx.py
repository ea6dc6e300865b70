"""PowerPoint presentations: each slide under its title, with tables, diagrams and notes.

What belongs here: the text of slides. What does not: what the file states of itself (parsing/office.py).
Hidden slides are left out, because an audience does not see them, and a note names them.
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.parsing import blocks, office
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import storable
from relabel_assets.intake.visible_text import without_invisible

_A = "{http://schemas.openxmlformats.org/drawingml/2006/main}"
_P = "{http://schemas.openxmlformats.org/presentationml/2006/main}"
_R = "{http://schemas.openxmlformats.org/officeDocument/2006/relationships}"
_DIAGRAM = "{http://schemas.openxmlformats.org/drawingml/2006/diagram}"
_MATHS = "{http://schemas.openxmlformats.org/officeDocument/2006/math}t"
_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_TITLES = ("title", "ctrTitle")
# Placeholders that the slide master fills: on every slide the same.
_REPEATED = ("ftr", "hdr", "dt", "sldNum", "sldImg")
# Placeholders of lists; text boxes are paragraphs.
_LISTS = ("body", "obj", "half", "qtr")


def read(name: str, content: bytes, on_page: Callable[[int], None]) -> Iterator[FileText]:
    """The one document of a PPTX or PPTM file: a heading for each slide, and its text below.

    Its title is the stated title, else that of the first slide.

    Raises SetAside for a presentation without text, and for a file that is none.
    """
    from pptx import Presentation

    office.check_package(content, ".pptx", "ppt/")
    try:
        presentation = Presentation(BytesIO(content))
    except KeyError as error:
        message = "it lacks a part that presentations have, or is in the Strict format"
        raise SetAside(message, 'Save it as "PowerPoint presentation (.pptx)".') from error
    parts: list[str] = []
    hidden: list[int] = []
    first_title = None
    for number, slide in enumerate(presentation.slides, start=1):
        on_page(number)
        if slide.element.get("show") in ("0", "false"):
            hidden.append(number)
            continue
        title, texts = _slide(slide)
        first_title = first_title or title
        if title or texts:
            parts += [blocks.heading(2, title or f"Slide {number}"), *texts]
    body = nfc(without_invisible(storable(blocks.joined(parts)))).strip()
    if not body:
        raise SetAside("no slide that is shown has text", "Write some, or take it out.")
    stated = office.core_properties(content)
    notes = (
        [f"Hidden slides are left out: {blocks.numbers(hidden)}. Show those that count."]
        if hidden
        else []
    )
    metadata = {**stated["metadata"], "slides": len(presentation.slides)}
    title = stated["title"] or (storable(first_title) if first_title else None)
    yield FileText(body, notes=tuple(notes), **{**stated, "title": title, "metadata": metadata})


def _slide(slide: Any) -> tuple[str | None, list[str]]:
    """The title of a slide, and its other texts, the notes of its speaker last."""
    titles: list[str] = []
    texts = list(_shapes(slide.element.find(f"{_P}cSld/{_P}spTree"), slide.part, titles))
    if slide.has_notes_slide:
        notes = slide.notes_slide.notes_text_frame
        text = "" if notes is None else "\n".join(_lines(notes._txBody))
        texts += [f"Notes: {text}"] if text else []
    return blocks.one_space(" ".join(titles)) or None, [text for text in texts if text]


def _shapes(tree: Any, part: Any, titles: list[str]) -> Iterator[str]:
    """The texts of shapes in the order of the slide. Those of titles are added to `titles`."""
    for shape in () if tree is None else tree:
        if shape.tag == _ALTERNATIVES:
            # The second alternative repeats the first for older programs.
            yield from _shapes(shape[0] if len(shape) else None, part, titles)
        elif _is_hidden(shape):
            continue
        elif shape.tag == f"{_P}grpSp":
            yield from _shapes(shape, part, titles)
        elif shape.tag == f"{_P}graphicFrame":
            yield from _frame(shape, part)
        elif shape.tag == f"{_P}sp":
            kind = _placeholder(shape)
            text = shape.find(f"{_P}txBody")
            if text is None or kind in _REPEATED:
                continue
            if kind in _TITLES:
                titles += _lines(text)
            else:
                yield _paragraphs(text, is_list=kind in _LISTS)


def _frame(frame: Any, part: Any) -> Iterator[str]:
    """The text of a table or a diagram. A chart has numbers, which are left out."""
    for table in frame.iter(f"{_A}tbl"):
        yield blocks.table(
            ["\n".join(_lines(cell)) for cell in row.iter(f"{_A}tc")]
            for row in table.iter(f"{_A}tr")
        )
    for reference in frame.iter(f"{_DIAGRAM}relIds"):
        yield from _diagram(part, reference.get(f"{_R}dm"))


def _diagram(part: Any, reference: str | None) -> Iterator[str]:
    """The texts of SmartArt, whose words are in a part of their own; none where it is damaged."""
    from lxml import etree

    try:
        content = part.related_part(reference).blob
        parser = etree.XMLParser(resolve_entities=False, no_network=True)
        root = etree.fromstring(content, parser)
    except (KeyError, ValueError, TypeError, AttributeError, etree.XMLSyntaxError):
        return
    for text in root.iter(f"{_DIAGRAM}t"):
        for line in _lines(text):
            yield blocks.item(0, "-", line)


def _paragraphs(text: Any, *, is_list: bool) -> str:
    lines = []
    for paragraph in text.iter(f"{_A}p"):
        line = _line(paragraph)
        properties = paragraph.find(f"{_A}pPr")
        level = (properties.get("lvl") or "0") if properties is not None else "0"
        is_item = is_list and (properties is None or properties.find(f"{_A}buNone") is None)
        depth = int(level) if level.isdigit() and int(level) < 9 else 0
        if line:
            lines.append(blocks.item(depth, "-", line) if is_item else line)
    return "\n".join(lines)


def _lines(text: Any) -> list[str]:
    """The paragraphs below `text` that have text."""
    return [line for paragraph in text.iter(f"{_A}p") if (line := _line(paragraph))]


def _line(paragraph: Any) -> str:
    pieces = []
    for element in paragraph.iter(f"{_A}t", f"{_A}br", f"{_A}tab", _MATHS):
        pieces.append(" " if element.tag in (f"{_A}br", f"{_A}tab") else element.text or "")
    return blocks.one_space("".join(pieces))


def _placeholder(shape: Any) -> str | None:
    """The kind of a placeholder; None for another shape."""
    placeholder = shape.find(f"{_P}nvSpPr/{_P}nvPr/{_P}ph")
    return None if placeholder is None else placeholder.get("type", "obj")


def _is_hidden(shape: Any) -> bool:
    if not isinstance(shape.tag, str):
        return True  # a comment of XML
    return any(
        properties.get("hidden") in ("1", "true")
        for holder in shape
        if isinstance(holder.tag, str) and holder.tag.startswith(f"{_P}nv")
        for properties in holder.findall(f"{_P}cNvPr")
    )
