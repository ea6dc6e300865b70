"""PDF files: their text, page by page, and what they state of themselves.

What belongs here: taking pages, properties and the outline from a PDF. What does not: lines and the words
that they cut (parsing/pdf_lines.py), and text in pictures, which needs OCR.
"""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from io import BytesIO
from typing import Any

from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.parsing import pdf_lines
from relabel_assets.intake.formats.parsing.blocks import heading, numbers, one_space
from relabel_assets.intake.formats.parsing.properties import (
    author_of,
    date_of,
    metadata_of,
    title_of,
)
from relabel_assets.intake.formats.parsing.signatures import kind_of, refuse_others
from relabel_assets.intake.input_limits import MAX_BODY_CHARACTERS, MAX_PDF_PAGES
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import storable
from relabel_assets.intake.visible_text import without_invisible

_MAX_OUTLINE, _MAX_OUTLINE_DEPTH = 500, 6
# U+FFFD and private characters: the fonts do not say which letters they draw.
_UNKNOWN = re.compile("[\ufffd\ue000-\uf8ff]")
_MANY_BREAKS = re.compile(r"\n{3,}")
_OCR = "Run OCR on it (ocrmypdf, for example)."
_TITLE_SIZE = 1.2  # times the size of most of the first page
_LONGEST_TITLE = 200


def read(name: str, content: bytes, on_page: Callable[[int], None]) -> Iterator[FileText]:
    """The one document of a PDF file. `on_page` is called with the number of each page that is read.

    Raises SetAside for a PDF without text, with a password, with too much text, and for a file that is none.
    """
    refuse_others(content, "a PDF", ".pdf")
    if kind_of(content) is None and b"%PDF-" not in content[:1024]:
        raise SetAside("it is not a PDF", "Export it again, or correct its ending.")
    reader = _opened(content)
    texts, unread = _page_texts(reader, on_page)
    text = "".join(texts)
    n_letters = sum(character.isalnum() for character in text)
    if unread and len(unread) == len(texts):
        raise SetAside("none of its pages can be read", "Export it again.")
    if not n_letters:
        raise SetAside("it has no text: its pages are pictures, as of a scan", _OCR)
    if len(_UNKNOWN.findall(text)) > n_letters:
        raise SetAside("its fonts do not say which letters they draw", _OCR)
    pages = pdf_lines.without_running_lines([pdf_lines.lines_of(text) for text in texts])
    outline = _outline(reader)
    body = "\n\n".join(_with_headings(pdf_lines.joined_words(pages), outline))
    yield FileText(
        nfc(without_invisible(storable(body))).strip(),
        notes=tuple(_notes(reader, texts, unread)),
        **_stated(reader, outline, len(texts)),
    )


def _opened(content: bytes) -> Any:
    """The PDF, decrypted where it needs no password. Raises SetAside where it needs one."""
    from pypdf import PdfReader
    from pypdf.errors import DependencyError

    reader = PdfReader(BytesIO(content))
    if reader.is_encrypted:
        try:
            is_open = reader.decrypt("")
        except (DependencyError, NotImplementedError) as error:
            raise SetAside(f"it is encrypted: {error}", "Save it without encryption.") from error
        if not is_open:
            raise SetAside("it is encrypted with a password", "Save it without a password.")
    return reader


def _page_texts(reader: Any, on_page: Callable[[int], None]) -> tuple[list[str], list[int]]:
    """The text of each page, and the numbers of those that cannot be read. Raises SetAside for too much."""
    if len(reader.pages) > MAX_PDF_PAGES:
        message = f"it has {len(reader.pages):,} pages; at most {MAX_PDF_PAGES:,} are read"
        raise SetAside(message, "Split it.")
    texts, unread, n_characters = [], [], 0
    for number, page in enumerate(reader.pages, start=1):
        try:
            text = page.extract_text()
        except (MemoryError, RecursionError):
            raise
        except Exception:
            text = ""
            unread.append(number)
        texts.append(text)
        n_characters += len(text)
        if n_characters > MAX_BODY_CHARACTERS:
            message = f"it has more than {MAX_BODY_CHARACTERS:,} characters by page {number:,}"
            raise SetAside(message, "Split it.")
        on_page(number)
    return texts, unread


def _outline(reader: Any) -> list[tuple[int, str]]:
    """(level from 1, title) of each entry of the outline; none where it is damaged."""
    entries: list[tuple[int, str]] = []

    def add(items: list[Any], level: int) -> None:
        for item in items:
            if isinstance(item, list):
                add(item, level + 1)
            elif len(entries) < _MAX_OUTLINE and (title := one_space(storable(str(item.title)))):
                entries.append((min(level, _MAX_OUTLINE_DEPTH), title))

    try:
        add(reader.outline, 1)
    except Exception:  # a damaged outline costs itself: the pages are there
        return []
    return entries


def _with_headings(pages: pdf_lines.Pages, outline: list[tuple[int, str]]) -> Iterator[str]:
    """The text of each page. The first line that is the title of an entry of the outline is a heading."""
    levels = {title.lower(): level for level, title in reversed(outline)}
    for lines in pages:
        marked = []
        for line in lines:
            level = levels.pop(one_space(line).lower(), None)
            marked.append(f"\n{heading(level, line)}\n" if level else line)
        if text := _MANY_BREAKS.sub("\n\n", "\n".join(marked)).strip():
            yield text


def _stated(reader: Any, outline: list[tuple[int, str]], n_pages: int) -> dict[str, Any]:
    """title, author, updated_at and metadata, as fields of FileText."""
    information = _property(reader, "metadata")
    changed = date_of(_property(information, "modification_date"))
    created = date_of(_property(information, "creation_date"))
    metadata = {
        "subject": _property(information, "subject"),
        "keywords": _property(information, "keywords"),
        "created": created if changed else None,
        "pages": n_pages,
        "outline": [title for _, title in outline],
    }
    return {
        "title": title_of(_property(information, "title")) or _largest_text(reader),
        "author": author_of(_property(information, "author")),
        "updated_at": changed or created,
        "metadata": metadata_of(metadata),
    }


def _property(holder: Any, name: str) -> Any:
    """A property of a PDF; None where it is damaged: no document is lost over it."""
    try:
        return getattr(holder, name, None)
    except Exception:
        return None


def _largest_text(reader: Any) -> str | None:
    """The text in the largest letters of the first page, where they are larger than most; else None."""
    sizes: list[tuple[float, str]] = []

    def see(text: str, outer: Any, matrix: Any, font: Any, size: float) -> None:
        if text.strip():
            scale = abs(matrix[3] or matrix[1]) * abs(outer[3] or outer[1])
            sizes.append((round(size * scale, 1), text))

    try:
        reader.pages[0].extract_text(visitor_text=see)
    except Exception:
        return None
    n_characters: Counter[float] = Counter()
    for size, text in sizes:
        n_characters[size] += len(text)
    if not n_characters or max(n_characters) < _TITLE_SIZE * n_characters.most_common(1)[0][0]:
        return None
    text = one_space(" ".join(text for size, text in sizes if size == max(n_characters)))
    return title_of(text.translate(pdf_lines.LIGATURES)) if len(text) <= _LONGEST_TITLE else None


def _notes(reader: Any, texts: list[str], unread: list[int]) -> Iterator[str]:
    scans = [
        number
        for number, text in enumerate(texts, start=1)
        if not text.strip() and number not in unread and _has_picture(reader, number)
    ]
    if unread:
        yield f"Pages that cannot be read: {numbers(unread)}. Export it again."
    if scans:
        yield f"Pages that are pictures without text: {numbers(scans)}. {_OCR}"


def _has_picture(reader: Any, number: int) -> bool:
    try:
        drawn = reader.pages[number - 1]["/Resources"]["/XObject"]
        return any(drawn[name]["/Subtype"] == "/Image" for name in drawn)
    except Exception:  # a damaged page, or one that draws nothing
        return False
