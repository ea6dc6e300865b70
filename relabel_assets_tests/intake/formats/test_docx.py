"""Which text of a Word document is read."""

import io
from typing import Any

import pytest
from docx import Document
from docx.oxml import parse_xml

from relabel_assets.intake.formats import docx
from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.set_aside import SetAside
from relabel_assets_tests.intake.formats import samples

W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
MC = 'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'


def read(document: Any) -> FileText:
    if not isinstance(document, bytes):
        file = io.BytesIO()
        document.save(file)
        document = file.getvalue()
    [text] = docx.read("a.docx", document, lambda n: None)
    return text


def body_of(*xml: str) -> str:
    """The text of a document with these elements in its body."""
    document = Document()
    for element in xml:
        place = (
            element.index(">")
            if not element[: element.index(">")].endswith("/")
            else element.index("/>")
        )
        document.element.body.insert(0, parse_xml(f"{element[:place]} {W} {MC}{element[place:]}"))
    return read(document).body


def run(text: str) -> str:
    return f"<w:r><w:t xml:space='preserve'>{text}</w:t></w:r>"


@pytest.mark.parametrize(
    ("content", "text"),
    [
        (f"{run('a ')}<w:ins>{run('b')}</w:ins>", "a b"),
        (f"{run('a')}<w:del><w:r><w:delText>b</w:delText></w:r></w:del>", "a"),
        (f"{run('a')}<w:moveFrom>{run('b')}</w:moveFrom><w:moveTo>{run('c')}</w:moveTo>", "ac"),
        (f"<w:hyperlink>{run('a')}</w:hyperlink>", "a"),
        (f"<w:sdt><w:sdtContent>{run('a')}</w:sdtContent></w:sdt>", "a"),
        (f"<w:fldSimple>{run('a')}</w:fldSimple>", "a"),
        (f"{run('a')}<w:r><w:instrText>PAGE</w:instrText></w:r>", "a"),
        (f"{run('a')}<w:r><w:rPr><w:vanish/></w:rPr><w:t>b</w:t></w:r>", "a"),
        ("<w:r><w:rPr><w:vanish w:val='0'/></w:rPr><w:t>b</w:t></w:r>", "b"),
        (
            "<w:r><w:t>a</w:t><w:tab/><w:t>b</w:t><w:br/><w:t>c</w:t><w:noBreakHyphen/></w:r>",
            "a b\nc-",
        ),
    ],
)
def test_runs(content: str, text: str) -> None:
    assert body_of(f"<w:p>{content}</w:p>") == text


def test_a_style_hides_its_runs() -> None:
    from docx.enum.style import WD_STYLE_TYPE

    document = Document()
    document.styles.add_style("Secret", WD_STYLE_TYPE.CHARACTER).font.hidden = True
    child = document.styles.add_style("Child", WD_STYLE_TYPE.CHARACTER)
    child.base_style = document.styles["Secret"]
    paragraph = document.add_paragraph("seen")
    paragraph.add_run(" hotel", style="Child")
    assert read(document).body == "seen"


def test_content_controls_and_text_boxes_are_read_once() -> None:
    box = f"<w:txbxContent><w:p>{run('in a box')}</w:p></w:txbxContent>"
    shapes = f"<mc:Choice>{box}</mc:Choice><mc:Fallback>{box}</mc:Fallback>"
    shape = f"<mc:AlternateContent>{shapes}</mc:AlternateContent>"
    assert body_of(f"<w:p>{run('a')}<w:r>{shape}</w:r></w:p>") == "a\n\nin a box"
    assert body_of(f"<w:sdt><w:sdtContent><w:p>{run('b')}</w:p></w:sdtContent></w:sdt>") == "b"


def test_cells_that_others_cover_are_empty_and_deleted_rows_are_left_out() -> None:
    def cell(text: str, properties: str = "") -> str:
        return f"<w:tc><w:tcPr>{properties}</w:tcPr><w:p>{run(text)}</w:p></w:tc>"

    wide = "<w:gridSpan w:val='2'/>"
    table = (
        f"<w:tbl><w:tr>{cell('a', wide)}{cell('b')}</w:tr>"
        f"<w:tr><w:trPr><w:del/></w:trPr>{cell('gone')}{cell('gone')}{cell('gone')}</w:tr>"
        f"<w:tr>{cell('c')}{cell('d')}{cell('e', '<w:vMerge/>')}</w:tr></w:tbl>"
    )
    assert body_of(table) == "| a |  | b |\n| --- | --- | --- |\n| c | d |  |"


def test_a_table_of_one_column_places_text_on_the_page() -> None:
    document = Document()
    document.add_table(1, 1).cell(0, 0).text = "Note this"
    assert read(document).body == "Note this"


def test_footnotes_stand_under_the_text_with_their_numbers() -> None:
    reference = "<w:r><w:footnoteReference w:id='7'/></w:r>"
    document = Document()
    document.element.body.insert(0, parse_xml(f"<w:p {W}>{run('Leave')}{reference}</w:p>"))
    from docx.opc.constants import RELATIONSHIP_TYPE
    from docx.opc.packuri import PackURI
    from docx.opc.part import Part

    notes = f"<w:footnotes {W}><w:footnote w:id='7'><w:p>{run('Since 2020')}</w:p></w:footnote></w:footnotes>"
    kind = "application/vnd.openxmlformats-officedocument.wordprocessingml.footnotes+xml"
    part = Part(PackURI("/word/footnotes.xml"), kind, notes.encode(), document.part.package)
    document.part.relate_to(part, RELATIONSHIP_TYPE.FOOTNOTES)
    assert read(document).body == "Leave[1]\n\n[1] Since 2020"


def test_the_visible_title_counts_before_the_stated_one() -> None:
    document = Document()
    document.core_properties.title = "Template of minutes"
    document.add_heading("Who", 1)
    assert read(document).title == "Template of minutes"
    document.add_heading("Parental leave", 0)
    text = read(document)
    assert text.title == "Parental leave"
    assert (
        text.body == "## Who\n\n# Parental leave"
    )  # below the title, a heading of level 1 is one of 2
    assert read(samples.docx_file(title="Leave")).author == "Ana Ek"


def test_dates_and_author_of_the_library_are_none() -> None:
    document = Document()
    document.add_paragraph("Leave")
    text = read(document)
    assert (text.author, text.updated_at, dict(text.metadata)) == (None, None, {})


def test_a_document_with_macros_is_read_and_other_archives_are_not() -> None:
    kinds = samples.docx_file()
    import zipfile

    with zipfile.ZipFile(io.BytesIO(kinds)) as archive:
        types = archive.read("[Content_Types].xml")
    main = b"application/vnd.openxmlformats-officedocument.wordprocessingml.document.main+xml"
    macro = b"application/vnd.ms-word.document.macroEnabled.main+xml"
    content = samples.changed_zip(kinds, {"[Content_Types].xml": types.replace(main, macro)})
    assert samples.SENTENCE in read(content).body
    with pytest.raises(SetAside, match=r"no \.docx file"):
        read(samples.pptx_file())
    with pytest.raises(SetAside, match="it has no text"):
        read(Document())


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    from relabel_assets.intake.formats.parsing import office

    monkeypatch.setattr(office, "MAX_OFFICE_UNPACKED_BYTES", 1_000_000)
    bomb = samples.changed_zip(samples.docx_file(), {"word/media/a.xml": bytes(2_000_000)})
    with pytest.raises(SetAside, match="unpacks to 2,"):
        read(bomb)
