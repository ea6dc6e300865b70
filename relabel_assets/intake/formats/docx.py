"""Word documents: headings, lists and tables in their order, with footnotes.

What belongs here: the text of a document's part. What does not: styles and numbering
(parsing/docx_styles.py), and what the file states of itself (parsing/office.py).
"""

from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.headings import first_heading
from relabel_assets.intake.formats.parsing import blocks, office
from relabel_assets.intake.formats.parsing.docx_styles import CONTENTS, TITLE, Numbers, Styles, W
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import storable
from relabel_assets.intake.visible_text import without_invisible

_ALTERNATIVES = "{http://schemas.openxmlformats.org/markup-compatibility/2006}AlternateContent"
_MATHS = "{http://schemas.openxmlformats.org/officeDocument/2006/math}"
# Wrappers whose content is text. Not among them: w:del and w:moveFrom, which are tracked deletions.
_WRAPPER_NAMES = (
    "ins", "moveTo", "hyperlink", "smartTag", "fldSimple", "customXml", "sdt", "sdtContent", "dir", "bdo",
)  # fmt: skip
_WRAPPERS = tuple(f"{W}{name}" for name in _WRAPPER_NAMES)
_CHARACTERS = {f"{W}tab": " ", f"{W}br": "\n", f"{W}cr": "\n", f"{W}noBreakHyphen": "-"}
_NOTES = {f"{W}footnoteReference": "footnote", f"{W}endnoteReference": "endnote"}
_MACROS = (
    "application/vnd.ms-word.document.macroEnabled.main+xml",
    "application/vnd.openxmlformats-officedocument.wordprocessingml.template.main+xml",
)
_BLOCKS_BETWEEN_CALLS = 200


def read(name: str, content: bytes, on_page: Callable[[int], None]) -> Iterator[FileText]:
    """The one document of a DOCX or DOCM file. Macros are never run.

    Its title is the visible paragraph of the style Title, else the stated title, else the first heading.

    Raises SetAside for a document without text, and for a file that is none.
    """
    office.check_package(content, ".docx", "word/")
    text = _Text(_main_part(content), on_page)
    body = text.body()
    if not body:
        raise SetAside("it has no text", "Write some, or take it out.")
    stated = office.core_properties(content)
    title = text.title or stated["title"] or first_heading(body)
    yield FileText(body, notes=tuple(text.left_out), **{**stated, "title": title})


def _main_part(content: bytes) -> Any:
    from docx.opc.part import PartFactory
    from docx.package import Package
    from docx.parts.document import DocumentPart

    for kind in _MACROS:
        PartFactory.part_type_for[kind] = DocumentPart
    try:
        part = Package.open(BytesIO(content)).main_document_part
    except KeyError as error:
        message = "it lacks a part that Word documents have, or is in the Strict format"
        raise SetAside(message, 'Save it as "Word document (.docx)".') from error
    if not isinstance(part, DocumentPart):
        raise SetAside("it is no Word document", "Correct its ending, or save it again.")
    return part


class _Text:
    """The text of a document's main part."""

    def __init__(self, part: Any, on_page: Callable[[int], None]) -> None:
        self._part, self._on_page, self._n_blocks = part, on_page, 0
        self._styles = Styles(self._related("styles"))
        self._numbers = Numbers(self._related("numbering"))
        self._notes: list[tuple[str, str]] = []  # (kind, id) in the order of their references
        self.title: str | None = None
        self.left_out: list[str] = []
        root = part.element
        kinds = (self._styles.kind_of(paragraph) for paragraph in root.iter(f"{W}p"))
        self._first_level = 2 if TITLE in kinds else 1

    def body(self) -> str:
        body = self._part.element.find(f"{W}body")
        parts = [] if body is None else list(self._blocks(body))
        parts += self._note_texts()
        return nfc(without_invisible(storable(blocks.joined(parts)))).strip()

    def _related(self, kind: str) -> Any:
        """The root of a part such as styles or footnotes; None without a usable one."""
        from docx.oxml.parser import parse_xml
        from lxml.etree import XMLSyntaxError

        base = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
        try:
            part = self._part.part_related_by(f"{base}/{kind}")
            # Styles and numbering are parsed already; footnotes are bytes.
            return part.element if hasattr(part, "element") else parse_xml(part.blob)
        except (KeyError, ValueError, XMLSyntaxError):
            return None

    def _blocks(self, parent: Any) -> Iterator[str]:
        """The blocks in a body, a cell, a text box or a footnote."""
        for child in parent:
            if child.tag == f"{W}p":
                self._n_blocks += 1
                if self._n_blocks % _BLOCKS_BETWEEN_CALLS == 0:
                    self._on_page(self._n_blocks)
                yield from self._paragraph(child)
            elif child.tag == f"{W}tbl":
                yield from self._table(child)
            elif child.tag == _ALTERNATIVES:
                yield from self._blocks(child[0] if len(child) else child)
            elif child.tag in _WRAPPERS:
                yield from self._blocks(child)
            elif child.tag == f"{W}altChunk":
                self.left_out.append(
                    "A document that is embedded in it is left out. Save all as one document."
                )

    def _paragraph(self, paragraph: Any) -> Iterator[str]:
        kind = self._styles.kind_of(paragraph)
        if kind == CONTENTS:
            return  # a table of contents: the headings are in the text
        boxes: list[Any] = []
        text = "".join(self._inline(paragraph, paragraph, boxes)).strip()
        lines = "\n".join(line for line in map(blocks.one_space, text.split("\n")) if line)
        numbering = self._styles.numbering_of(paragraph)
        if kind == TITLE:
            self.title = self.title or blocks.one_space(storable(text)) or None
            yield blocks.heading(1, text)
        elif isinstance(kind, int):
            yield blocks.heading(kind + self._first_level - 1, text)
        elif numbering and lines:
            list_id, depth = numbering
            yield blocks.item(depth, self._numbers.marker(list_id, depth), lines)
        else:
            yield lines
        for box in boxes:
            yield from self._blocks(box)

    def _inline(self, element: Any, paragraph: Any, boxes: list[Any]) -> Iterator[str]:
        """The text of the runs in `element`. Text boxes among them are added to `boxes`."""
        for child in element:
            if child.tag == f"{W}r":
                if not self._styles.is_hidden(child, paragraph):
                    yield from self._run(child, boxes)
            elif child.tag in _WRAPPERS:
                yield from self._inline(child, paragraph, boxes)
            elif child.tag == _ALTERNATIVES:
                yield from self._inline(child[0] if len(child) else child, paragraph, boxes)
            elif isinstance(child.tag, str) and child.tag.startswith(_MATHS):
                yield "".join(text.text or "" for text in child.iter(f"{_MATHS}t"))

    def _run(self, run: Any, boxes: list[Any]) -> Iterator[str]:
        for child in run:
            if child.tag == f"{W}t":
                yield child.text or ""
            elif child.tag in _CHARACTERS:
                yield _CHARACTERS[child.tag]
            elif child.tag in _NOTES:
                self._notes.append((_NOTES[child.tag], child.get(f"{W}id") or ""))
                yield f"[{len(self._notes)}]"
            else:
                # The second alternative of a drawing repeats the text of the first.
                drawing = child[0] if child.tag == _ALTERNATIVES and len(child) else child
                boxes += drawing.iter(f"{W}txbxContent")

    def _table(self, table: Any) -> Iterator[str]:
        rows = list(self._rows(table))
        n_columns = max((len(row) for row in rows), default=0)
        if n_columns == 1 or table.find(f".//{W}tbl") is not None:
            for row in rows:  # it places blocks on the page
                for cell in row:
                    yield from self._blocks(cell) if cell is not None else ()
            return
        yield blocks.table(
            ["" if cell is None else blocks.joined(self._blocks(cell)) for cell in row]
            for row in rows
        )

    def _rows(self, table: Any) -> Iterator[list[Any]]:
        """The cells of each row; None for one that another cell covers."""
        for row in _children(table, f"{W}tr"):
            if row.find(f"{W}trPr/{W}del") is not None:
                continue
            cells: list[Any] = []
            for cell in _children(row, f"{W}tc"):
                merge = cell.find(f"{W}tcPr/{W}vMerge")
                is_covered = merge is not None and merge.get(f"{W}val") != "restart"
                span = cell.find(f"{W}tcPr/{W}gridSpan")
                width = (span.get(f"{W}val") or "1") if span is not None else "1"
                n_more = int(width) - 1 if width.isdigit() and int(width) < 64 else 0
                cells += [None if is_covered else cell, *[None] * n_more]
            yield cells

    def _note_texts(self) -> Iterator[str]:
        """The footnotes and endnotes, each under the number of its reference."""
        by_id = {
            (kind, note.get(f"{W}id")): note
            for kind in _NOTES.values()
            if (root := self._related(f"{kind}s")) is not None
            for note in root.findall(f"{W}{kind}")
        }
        for number, reference in enumerate(list(self._notes), start=1):
            if (note := by_id.get(reference)) is not None:
                yield f"[{number}] {blocks.one_space(' '.join(self._blocks(note)))}"


def _children(element: Any, tag: str) -> Iterator[Any]:
    """The children of one kind, also those inside content controls and tracked insertions."""
    for child in element:
        if child.tag == tag:
            yield child
        elif child.tag in _WRAPPERS:
            yield from _children(child, tag)
