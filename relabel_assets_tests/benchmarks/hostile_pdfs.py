"""Makers of hostile PDFs: objects that hold themselves, and numbers without a bound.

What belongs here: the files. What does not: other formats (hostile_makers.py), reading (hostile_files.py).
"""

import random
import zlib

File = tuple[str, bytes]
NO_PAGES = "<< /Type /Pages /Kids [] /Count 0 >>"
_CATALOG = "<< /Type /Catalog /Pages 2 0 R >>"
_WITH_OUTLINE = "<< /Type /Catalog /Pages 2 0 R /Outlines 6 0 R >>"
_PAGES = "<< /Type /Pages /Kids [3 0 R] /Count 1 >>"
_CYCLE = "<< /Type /Pages /Kids [2 0 R] /Parent 2 0 R >>"
_PAGE = "<< /Type /Page /Parent 2 0 R /Contents 4 0 R /Resources << %s >> >>"
_FORM = "/Type /XObject /Subtype /Form /Resources << /XObject << /F 5 0 R >> >> "
_ENTRY = "<< /Title (x) /Next 7 0 R /First 7 0 R /Parent 6 0 R >>"
_FONT = "<< /Type /Font /Subtype /Type0 /BaseFont /X /ToUnicode 6 0 R /Encoding /Identity-H >>"
_RANGES = b"1 beginbfrange\n<00000000> <ffffffff> <0041>\nendbfrange\n" * 3
_TEXT = b"BT /F 12 Tf (leave) Tj ET\n"


def recursive_pdf(draw: random.Random) -> File:
    """Objects that hold themselves: page trees, forms, outlines, tables of objects."""
    page = _PAGE % "/XObject << /F 5 0 R >>"
    drawing, form = _stream(b"/F Do"), _stream(b"/F Do", _FORM)
    kinds: tuple[list[str | bytes], ...] = (
        [_CATALOG, "<< /Type /Pages /Kids [2 0 R 2 0 R] /Count 2 >>"],
        [_CATALOG, "<< /Type /Pages /Kids [3 0 R] /Count 9 >>", _CYCLE],
        [_CATALOG, _PAGES, page, drawing, form],
        [_WITH_OUTLINE, _PAGES, page, drawing, form, "<< /First 7 0 R /Last 7 0 R >>", _ENTRY],
        ["2 0 R", "3 0 R", "1 0 R"],
    )
    return ".pdf", pdf_of(draw.choice(kinds))


def large_pdf(draw: random.Random) -> File:
    """Counts, streams, ranges of characters and numbers of pages without a bound."""
    page = _PAGE % "/Font << /F 5 0 R >>"
    many = f"<< /Type /Pages /Kids [{'3 0 R ' * 90_000}] /Count 90000 >>"
    text, none = _stream(_TEXT), _stream(b"")
    kinds: tuple[list[str | bytes], ...] = (
        [_CATALOG, "<< /Type /Pages /Kids [3 0 R] /Count 999999999 >>", page, text, _FONT, none],
        [_CATALOG, many, page, text, _FONT, none],
        [_CATALOG, _PAGES, page, text, _FONT, _stream(_RANGES)],
        [_CATALOG, _PAGES, page, _stream(_TEXT * 1_000_000), _FONT, none],
        [_CATALOG, _PAGES, page, _stream(bytes(300_000_000)), _FONT, none],
        [_CATALOG, _PAGES, page, _stream(b"q " * 5_000_000 + _TEXT), _FONT, none],
    )
    return ".pdf", pdf_of(draw.choice(kinds))


def _stream(content: bytes, entries: str = "") -> bytes:
    packed = zlib.compress(content)
    head = f"<< {entries}/Length {len(packed)} /Filter /FlateDecode >>\nstream\n"
    return head.encode() + packed + b"\nendstream"


def pdf_of(objects: list[str | bytes]) -> bytes:
    """A PDF of these objects, numbered from 1; the first is the catalog."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, value in enumerate(objects, start=1):
        places.append(len(out))
        content = value.encode() if isinstance(value, str) else value
        out += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    start = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    out += b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF" % (
        len(objects) + 1,
        start,
    )
    return bytes(out)
