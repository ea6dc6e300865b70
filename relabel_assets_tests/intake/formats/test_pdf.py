"""What becomes of the pages of a PDF."""

import pytest

from relabel_assets.intake.formats import pdf
from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.parsing.pdf_lines import joined_words, without_running_lines
from relabel_assets.intake.set_aside import SetAside
from relabel_assets_tests.intake.formats import samples


def read(content: bytes) -> FileText:
    [text] = pdf.read("a.pdf", content, lambda n: None)
    return text


@pytest.mark.parametrize("title", ["Microsoft Word - leave.doc", "untitled", "leave_v3.indd", ""])
def test_a_title_that_a_program_wrote_is_none(title: str) -> None:
    text = read(samples.pdf_file(title=title, author="Administrator"))
    assert (text.title, text.author) == (None, None)


def test_large_letters_on_the_first_page_are_the_title_where_none_is_stated() -> None:
    import io

    from reportlab.pdfgen.canvas import Canvas

    file = io.BytesIO()
    canvas = Canvas(file)
    canvas.setFont("Helvetica", 24)
    canvas.drawString(72, 760, "Parental leave")
    canvas.setFont("Helvetica", 11)
    canvas.drawString(72, 700, samples.SENTENCE)
    canvas.save()
    assert read(file.getvalue()).title == "Parental leave"


def test_an_empty_password_is_tried_and_another_one_is_named() -> None:
    assert samples.SENTENCE in read(samples.pdf_file(password="")).body
    with pytest.raises(SetAside, match="encrypted with a password"):
        read(samples.pdf_file(password="secret"))


def test_a_scan_needs_ocr() -> None:
    with pytest.raises(SetAside, match="no text") as raised:
        read(samples.scan_file())
    assert "OCR" in raised.value.remedy


def test_scanned_pages_among_others_are_noted() -> None:
    from io import BytesIO

    from pypdf import PdfReader, PdfWriter

    writer = PdfWriter()
    for content in (samples.pdf_file(), samples.scan_file(), samples.pdf_file([[]])):
        writer.append(PdfReader(BytesIO(content)))
    file = BytesIO()
    writer.write(file)
    [note] = read(file.getvalue()).notes  # the empty third page is none
    assert note.startswith("Pages that are pictures without text: 2. Run OCR")


@pytest.mark.parametrize(
    "content", [b"", b"%PDF-1.7", b"Ask HR.", b"<html><p>Ask", b"%PDF-1.7\n" + bytes(9999)]
)
def test_what_is_no_pdf_is_set_aside(content: bytes) -> None:
    with pytest.raises(Exception) as raised:  # pypdf's own too
        read(content)
    assert str(raised.value)


def test_a_pdf_with_too_many_pages_or_characters_is_refused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    content = samples.pdf_file([["One."]] * 4)
    monkeypatch.setattr(pdf, "MAX_PDF_PAGES", 3)
    with pytest.raises(SetAside, match="4 pages; at most 3"):
        read(content)
    monkeypatch.setattr(pdf, "MAX_PDF_PAGES", 4)
    monkeypatch.setattr(pdf, "MAX_BODY_CHARACTERS", 10)
    with pytest.raises(SetAside, match="by page 3"):
        read(content)


def test_lines_are_running_on_two_in_five_pages_and_three_at_least() -> None:
    def pages(n_with_header: int, n: int) -> list[list[str]]:
        words = "abcdefghijklmnopqrst"
        return [
            [*(["Header 1"] if k < n_with_header else []), f"Text {words[k]}."] for k in range(n)
        ]

    assert without_running_lines(pages(2, 2)) == pages(2, 2)
    assert without_running_lines(pages(3, 3)) == [["Text a."], ["Text b."], ["Text c."]]
    assert without_running_lines(pages(3, 8)) == pages(3, 8)
    assert ["Header 1", "Text a."] not in without_running_lines(pages(4, 10))


def test_running_lines_are_at_the_edges_of_pages_alone() -> None:
    pages = [[f"{edge} {n}{letter}" for n in range(3) for edge in ("a",)] for letter in "xyz"]
    middle = [[*page, "Same line.", *page] for page in pages]
    assert all("Same line." in page for page in without_running_lines(middle))


@pytest.mark.parametrize(
    ("pages", "joined"),
    [
        ([["docu-", "ment one"]], [["document", "one"]]),
        ([["docu-"], ["ment one"]], [["document"], ["one"]]),
        ([["self-", "service", "self-service"]], [["self-service", "self-service"]]),
        ([["Anna-", "Lena"]], [["Anna-", "Lena"]]),  # a capital begins another word
        ([["2020-", "2024 it was"]], [["2020-", "2024 it was"]]),
        ([["docu\u00ad", "ment"]], [["document"]]),
        ([["a -", "b"]], [["a -", "b"]]),
    ],
)
def test_cut_words_are_joined(pages: list[list[str]], joined: list[list[str]]) -> None:
    assert joined_words(pages) == joined


def test_a_damaged_outline_costs_no_page() -> None:
    content = samples.pdf_file(outline={1: "Leave"}).replace(b"/Outlines", b"/Outlin_s")
    assert samples.SENTENCE in read(content).body
