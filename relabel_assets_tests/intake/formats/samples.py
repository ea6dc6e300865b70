"""One good file of each format, made by the library that people make them with.

What belongs here: files that several tests and benchmarks read. What does not: files with faults
(benchmarks/hostile_makers.py).
"""

import io
import zipfile
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

SENTENCE = "Each parent has 240 days of leave, and may take them until the child is twelve."
PAGE = f"""<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Parental leave – Example Intranet</title>
<meta name="author" content="Ana Ek"><meta name="description" content="Who has how many days">
<meta property="article:published_time" content="2023-01-09T08:00:00Z">
<meta property="article:modified_time" content="2024-03-01T10:00:00Z">
<style>nav {{ color: red }}</style><script>var hotel = "limit";</script></head>
<body><header><a href="/">Example Intranet</a></header>
<nav><ul><li><a href="/hr">People</a></li><li><a href="/it">Computers</a></li></ul></nav>
<div class="cookie-banner">We use cookies. <button>Accept all</button></div>
<main><h1>Parental leave</h1>
<p>{SENTENCE}<br>Ask <b>HR</b> <span hidden>hotel limit</span>first.</p>
<h2>Who</h2>
<table><tr><th>Who</th><th>Days</th></tr><tr><td>Mother</td><td>240</td></tr>
<tr><td>Father | partner</td><td>240</td></tr></table>
<h2>How</h2>
<ol><li>Talk to your manager<ul><li>in person</li><li>early</li></ul></li><li>Send <code>HR-7</code></li></ol>
<blockquote><p>Leave is a right.</p></blockquote>
<pre>curl \\
  https://hr.example</pre>
<div style="display: none">secret keywords</div></main>
<footer><p>© Example Intranet</p></footer></body></html>
"""


def docx_file(*, title: str = "Parental leave", paragraphs: Sequence[str] = (SENTENCE,)) -> bytes:
    """A Word document with headings, lists, a table and properties."""
    from docx import Document

    document = Document()
    document.add_heading(title, 0)
    for paragraph in paragraphs:
        document.add_paragraph(paragraph)
    document.add_heading("Who", 1)
    table = document.add_table(rows=3, cols=2)
    cells_of_rows = [("Who", "Days"), ("Mother", "240"), ("Father | partner", "240")]
    for row, cells in zip(table.rows, cells_of_rows, strict=True):
        for cell, text in zip(row.cells, cells, strict=True):
            cell.text = text
    document.add_heading("How", 1)
    for text in ("Talk to your manager", "Send HR-7"):
        document.add_paragraph(text, style="List Number")
    document.add_paragraph("early", style="List Bullet")
    properties = document.core_properties
    properties.author, properties.subject = "Ana Ek", "Leave"
    properties.created = datetime(2023, 1, 9, 8, 0, tzinfo=UTC)
    properties.modified = datetime(2024, 3, 1, 10, 0, tzinfo=UTC)
    return _saved(document)


def pptx_file(*, slides: Sequence[tuple[str, str]] = (("Parental leave", SENTENCE),)) -> bytes:
    """A presentation: the given slides, one with a table and notes, and a hidden one."""
    from pptx import Presentation
    from pptx.util import Inches

    presentation = Presentation()
    for title, text in slides:
        slide = presentation.slides.add_slide(presentation.slide_layouts[1])
        slide.shapes.title.text, slide.placeholders[1].text = title, text
    slide = presentation.slides.add_slide(presentation.slide_layouts[5])
    slide.shapes.title.text = "Who"
    table = slide.shapes.add_table(2, 2, 0, 0, Inches(4), Inches(1)).table
    for n, text in enumerate(("Who", "Days", "Mother", "240")):
        table.cell(n // 2, n % 2).text = text
    slide.notes_slide.notes_text_frame.text = "Say that fathers have as many."
    hidden = presentation.slides.add_slide(presentation.slide_layouts[6])
    hidden.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "secret plans"
    hidden._element.set("show", "0")
    properties = presentation.core_properties
    properties.title, properties.author = "Leave for parents", "Ana Ek"
    properties.modified = datetime(2024, 3, 1, 10, 0, tzinfo=UTC)
    properties.created = datetime(2023, 1, 9, 8, 0, tzinfo=UTC)
    return _saved(presentation)


def pdf_file(
    pages: Sequence[Sequence[str]] = ((SENTENCE,),),
    *,
    title: str = "Parental leave",
    author: str = "Ana Ek",
    around: tuple[str, str] | None = None,
    outline: Mapping[int, str] | None = None,
    password: str | None = None,
) -> bytes:
    """A PDF with these lines on its pages. `around`: header and footer, with {n} for the page's number."""
    from reportlab.lib.pdfencrypt import StandardEncryption
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    encrypt = None if password is None else StandardEncryption(password, "owner", strength=128)
    canvas = Canvas(file, encrypt=encrypt, invariant=1)
    canvas.setTitle(title)
    canvas.setAuthor(author)
    for number, lines in enumerate(pages, start=1):
        if around:
            canvas.drawString(72, 810, around[0].format(n=number))
            canvas.drawString(72, 30, around[1].format(n=number))
        if outline and number in outline:
            canvas.bookmarkPage(f"p{number}")
            canvas.addOutlineEntry(outline[number], f"p{number}", level=0)
        for n, line in enumerate(lines):
            canvas.drawString(72, 780 - 14 * n, line)
        canvas.showPage()
    canvas.save()
    return file.getvalue()


def scan_file() -> bytes:
    """A PDF whose one page is a picture."""
    from PIL import Image
    from reportlab.lib.utils import ImageReader
    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file, invariant=1)
    canvas.drawImage(ImageReader(Image.new("L", (40, 40))), 72, 600)
    canvas.save()
    return file.getvalue()


def zip_file(members: Mapping[str, bytes], *, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A zip archive of `members` by their names."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(zipfile.ZipInfo(name), content, method)
    return file.getvalue()


def changed_zip(content: bytes, changes: Mapping[str, bytes]) -> bytes:
    """The archive `content`, such as a DOCX, with these members in place of its own."""
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    return zip_file(members | dict(changes))


def _saved(document) -> bytes:
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()
