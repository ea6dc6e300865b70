"""Makers of hostile files: each takes a random generator and returns the ending of a file and its bytes.

What belongs here: the files. What does not: reading them (hostile_files.py).
"""

import io
import random
import zipfile
from collections.abc import Callable

from relabel_assets_tests.benchmarks.hostile_pdfs import (
    NO_PAGES,
    File,
    large_pdf,
    pdf_of,
    recursive_pdf,
)
from relabel_assets_tests.intake.formats import samples

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
DC = "http://purl.org/dc/elements/1.1/"
GOOD: dict[str, Callable[[], bytes]] = {
    ".html": samples.PAGE.encode,
    ".pdf": lambda: samples.pdf_file([[samples.SENTENCE] * 5] * 4, outline={1: "Leave"}),
    ".docx": samples.docx_file,
    ".pptx": samples.pptx_file,
    ".zip": lambda: samples.zip_file({"a/leave.md": b"# Leave\nAsk HR.", "b.html": samples.PAGE.encode()}),
    ".eml": lambda: b"From: ana@example.org\nSubject: Leave\nContent-Type: text/plain\n\nAsk HR.\n",
    ".mbox": lambda: b"From ana Mon Mar  4 10:00:00 2024\nFrom: ana@example.org\nSubject: Leave\n\nAsk HR.\n",
    ".md": lambda: b"---\ntitle: Leave\n---\n# Leave\nAsk HR.",
}  # fmt: skip


def truncated(draw: random.Random) -> File:
    suffix, content = _good(draw)
    return suffix, content[: draw.randrange(len(content))]


def bit_flipped(draw: random.Random) -> File:
    suffix, content = _good(draw)
    flipped = bytearray(content)
    for _ in range(draw.choice((1, 5, 50, 500))):
        flipped[draw.randrange(len(flipped))] ^= 1 << draw.randrange(8)
    return suffix, bytes(flipped)


def spliced(draw: random.Random) -> File:
    suffix, content = _good(draw)
    start, end = sorted(draw.randrange(len(content)) for _ in range(2))
    return suffix, content[:end] + content[start:] * draw.choice((1, 3))


def noise(draw: random.Random) -> File:
    return draw.choice(list(GOOD)), draw.randbytes(draw.choice((1, 10, 1000, 200_000)))


def nothing(draw: random.Random) -> File:
    return draw.choice(list(GOOD)), draw.choice((b"", b"\0" * 1000, b" \n" * 100, b"\xef\xbb\xbf"))


def wrong_ending(draw: random.Random) -> File:
    suffix, content = _good(draw)
    return draw.choice([other for other in GOOD if other != suffix]), content


def wrong_encoding(draw: random.Random) -> File:
    written = draw.choice(
        ("utf-16", "utf-16-le", "utf-32", "shift_jis", "cp1251", "cp037", "latin-1")
    )
    declared = draw.choice(("utf-8", "utf-7", "unicode_escape", "zlib", "x" * 99, "idna", "utf-16"))
    text = f'<html><meta charset="{declared}"><body><p>Отпуск 休暇 congé {"a" * 99}</body></html>'
    return draw.choice((".html", ".md", ".txt")), text.encode(written, "replace")


def zip_bomb(draw: random.Random) -> File:
    kind = draw.randrange(5)
    zeros = bytes(draw.choice((10, 60)) * 1_000_000)
    if kind == 0:
        return ".zip", samples.zip_file({"bomb.txt": zeros, "leave.md": b"# Leave\nAsk HR."})
    if kind == 1:
        inner = samples.zip_file({"bomb.txt": zeros})
        return ".zip", samples.zip_file({f"{n}.zip": inner for n in range(20)})
    if kind == 2:
        return ".zip", samples.zip_file({f"{n}.md": b"" for n in range(5_000)})
    if kind == 3:  # members that share their bytes
        content = samples.zip_file({f"{n:04}.txt": zeros[:1_000_000] for n in range(400)})
        return ".zip", content
    parts = {f"word/media/{n}.xml": zeros for n in range(12)}
    return ".docx", samples.changed_zip(samples.docx_file(), parts)


def lying_zip(draw: random.Random) -> File:
    """The sizes, methods, flags and offsets of the members are wrong."""
    content = bytearray(
        samples.zip_file({"leave.md": b"# Leave\nAsk HR." * 50, "b.md": b"# B\nText."})
    )
    place = content.index(b"PK\x01\x02")
    field, size = draw.choice(
        ((8, 2), (10, 2), (16, 4), (20, 4), (24, 4), (28, 2), (30, 2), (42, 4))
    )
    content[place + field : place + field + size] = draw.randbytes(size)
    return ".zip", bytes(content)


def escaping_zip(draw: random.Random) -> File:
    names = (
        "../../escaped.md", "/tmp/escaped.md", "C:\\escaped.md", "a/../../escaped.md", "a\\b.md", "a\nb.md",
        "../" * 50 + "escaped.md",
    )  # fmt: skip
    members = dict.fromkeys(draw.sample(names, 4), b"# Escaped\nAsk HR.")
    file = io.BytesIO(samples.zip_file(members | {"leave.md": b"# Leave\nAsk HR."}))
    with zipfile.ZipFile(file, "a") as archive:
        link = zipfile.ZipInfo("link.md")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return ".zip", file.getvalue()


def encrypted(draw: random.Random) -> File:
    kind = draw.randrange(4)
    if kind == 0:
        return ".pdf", samples.pdf_file(password="secret")
    if kind == 1:
        return ".pdf", samples.pdf_file(password="")
    if kind == 2:
        return draw.choice(
            (".docx", ".pptx")
        ), b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + draw.randbytes(5000)
    content = bytearray(samples.zip_file({"leave.md": b"# Leave\nAsk HR."}))
    for magic, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(magic) + offset] |= 1
    return ".zip", bytes(content)


def entities(draw: random.Random) -> File:
    """Entities that multiply, and those that name a file; as parts of Office files and as a page."""
    levels = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 20}">' for n in range(1, 12))
    doctypes = (
        f'<!DOCTYPE d [<!ENTITY e0 "bomb ">{levels}]>',
        '<!DOCTYPE d [<!ENTITY e11 SYSTEM "file:///proc/self/environ">]>',
        '<!DOCTYPE d [<!ENTITY % e SYSTEM "http://127.0.0.1:9/x.dtd">%e;]>',
    )
    doctype = draw.choice(doctypes)
    document = _word(
        "<w:p><w:r><w:t>Leave &e11;</w:t></w:r></w:p>", f'<?xml version="1.0"?>{doctype}'
    )
    kind = draw.randrange(3)
    if kind == 0:
        return ".docx", samples.changed_zip(
            samples.docx_file(), {"word/document.xml": document.encode()}
        )
    if kind == 1:
        core = f'<?xml version="1.0"?>{doctype}<c xmlns:dc="http://purl.org/dc/elements/1.1/"><dc:title>&e11;</dc:title></c>'
        return ".pptx", samples.changed_zip(
            samples.pptx_file(), {"docProps/core.xml": core.encode()}
        )
    return (
        ".xhtml",
        f'<?xml version="1.0"?>{doctype}<html><body><p>Leave &e11;</p></body></html>'.encode(),
    )


def deep(draw: random.Random) -> File:
    n = draw.choice((300, 3_000, 100_000))
    kind = draw.randrange(6)
    if kind == 0:
        tag = draw.choice(("div", "b", "table><tr><td", "ul><li", "blockquote", "svg"))
        return ".html", (f"<{tag}>" * n + "Leave").encode()
    if kind == 1:
        return ".md", (draw.choice(("> ", "- ", "  ", "[", "**")) * n + "Leave").encode()
    if kind == 2:
        return ".pdf", pdf_of(
            [f"<< /Type /Catalog /Pages 2 0 R /X {'[' * n}{']' * n} >>", NO_PAGES]
        )
    if kind == 3:
        body = (
            "<w:tbl><w:tr><w:tc>" * min(n, 3000)
            + "<w:p/>"
            + "</w:tc></w:tr></w:tbl>" * min(n, 3000)
        )
        document = _word(body)
        return ".docx", samples.changed_zip(
            samples.docx_file(), {"word/document.xml": document.encode()}
        )
    if kind == 4:
        parts = "".join(
            f"--b{k}\nContent-Type: multipart/mixed; boundary=b{k + 1}\n\n"
            for k in range(min(n, 3000))
        )
        return ".eml", f"Subject: x\nContent-Type: multipart/mixed; boundary=b0\n\n{parts}".encode()
    return ".html", ("<p " + "a='" * n + ">Leave" + "<!--" * n + "</p>").encode()


def wide(draw: random.Random) -> File:
    n = draw.choice((1_000, 200_000))
    kind = draw.randrange(5)
    if kind == 0:
        return ".html", ("<table>" + "<tr>" + "<td colspan=999999999>x" * n).encode()
    if kind == 1:
        return ".html", (
            f"<title>{'leave ' * n}</title>" + "<meta name=author content=x>" * n + "<p>Leave"
        ).encode()
    if kind == 2:
        return ".html", ("<p>leave " * n + "<a href=x>e</a>" * n).encode()
    if kind == 3:
        return ".mbox", b"From a Mon Mar  4 10:00:00 2024\nSubject: x\n\nText.\n" * (n // 20)
    cell = '<w:tc><w:tcPr><w:gridSpan w:val="999999999"/></w:tcPr><w:p><w:r><w:t>x</w:t></w:r></w:p></w:tc>'
    document = _word(f"<w:tbl><w:tr>{cell * (n // 10)}</w:tr></w:tbl>")
    return ".docx", samples.changed_zip(
        samples.docx_file(), {"word/document.xml": document.encode()}
    )


MAKERS: tuple[Callable[[random.Random], File], ...] = (
    truncated, bit_flipped, spliced, noise, nothing, wrong_ending, wrong_encoding, zip_bomb, lying_zip,
    escaping_zip, encrypted, entities, deep, wide, recursive_pdf, large_pdf,
)  # fmt: skip


def _good(draw: random.Random) -> File:
    suffix = draw.choice(list(GOOD))
    return suffix, GOOD[suffix]()


def _word(body: str, head: str = "") -> str:
    """The main part of a Word document."""
    return f'{head}<w:document xmlns:w="{WORD}"><w:body>{body}</w:body></w:document>'
