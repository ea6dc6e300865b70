"""Which text of a presentation is read."""

import io
from typing import Any

import pytest
from pptx import Presentation
from pptx.oxml import parse_xml
from pptx.util import Inches

from relabel_assets.intake.formats import pptx
from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.set_aside import SetAside
from relabel_assets_tests.intake.formats import samples

NAMES = (
    'xmlns:a="http://schemas.openxmlformats.org/drawingml/2006/main" '
    'xmlns:p="http://schemas.openxmlformats.org/presentationml/2006/main" '
    'xmlns:mc="http://schemas.openxmlformats.org/markup-compatibility/2006"'
)


def read(presentation: Any) -> FileText:
    file = io.BytesIO()
    presentation.save(file)
    [text] = pptx.read("a.pptx", file.getvalue(), lambda n: None)
    return text


def slide_of(presentation: Any, layout: int = 6) -> Any:
    return presentation.slides.add_slide(presentation.slide_layouts[layout])


def test_a_slide_without_a_title_is_headed_by_its_number_and_an_empty_one_is_left_out() -> None:
    presentation = Presentation()
    slide_of(presentation)
    slide_of(presentation).shapes.add_textbox(0, 0, 9, 9).text_frame.text = "Ask HR."
    text = read(presentation)
    assert (text.body, text.title) == ("## Slide 2\n\nAsk HR.", None)


def test_hidden_slides_are_left_out_with_a_note_and_no_slide_alone_is_named() -> None:
    text = next(pptx.read("a.pptx", samples.pptx_file(), lambda n: None))
    assert "secret" not in text.body
    assert text.notes == ("Hidden slides are left out: 3. Show those that count.",)
    presentation = Presentation()
    slide = slide_of(presentation)
    slide.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "secret"
    slide._element.set("show", "0")
    with pytest.raises(SetAside, match="no slide that is shown has text"):
        read(presentation)


def test_groups_are_read_and_hidden_shapes_and_footers_are_not() -> None:
    presentation = Presentation()
    slide = slide_of(presentation, 5)
    slide.shapes.title.text = "Leave"
    slide.shapes.add_group_shape().shapes.add_textbox(0, 0, 9, 9).text_frame.text = "in a group"
    hidden = slide.shapes.add_textbox(0, 0, 9, 9)
    hidden.text_frame.text = "hidden"
    hidden._element.nvSpPr.cNvPr.set("hidden", "1")
    footer = slide.shapes.add_textbox(0, 0, 9, 9)
    footer.text_frame.text = "footer"
    footer._element.nvSpPr.nvPr.append(parse_xml(f'<p:ph {NAMES} type="ftr"/>'))
    assert read(presentation).body == "## Leave\n\nin a group"


def test_the_first_alternative_of_a_shape_is_read_alone() -> None:
    presentation = Presentation()
    slide = slide_of(presentation)
    shape = "<p:sp><p:nvSpPr><p:cNvPr id='9' name='x'/><p:cNvSpPr/><p:nvPr/></p:nvSpPr><p:txBody><a:p><a:r><a:t>{}</a:t></a:r></a:p></p:txBody></p:sp>"  # fmt: skip # noqa: E501
    choices = f"<mc:Choice>{shape.format('new')}</mc:Choice><mc:Fallback>{shape.format('old')}</mc:Fallback>"
    xml = f"<mc:AlternateContent {NAMES}>{choices}</mc:AlternateContent>"
    slide.shapes._spTree.append(parse_xml(xml))
    assert read(presentation).body == "## Slide 1\n\nnew"


def test_lists_keep_their_levels_and_text_boxes_are_paragraphs() -> None:
    presentation = Presentation()
    slide = slide_of(presentation, 1)
    slide.shapes.title.text = "Leave"
    slide.placeholders[1].text = "Ask HR\nearly"
    slide.placeholders[1].text_frame.paragraphs[1].level = 1
    slide.shapes.add_textbox(0, 0, 9, 9).text_frame.text = "one\ntwo"
    assert read(presentation).body == "## Leave\n\n- Ask HR\n  - early\n\none\ntwo"


def test_texts_of_smart_art_are_read() -> None:
    from pptx.opc.package import Part
    from pptx.opc.packuri import PackURI

    presentation = Presentation()
    slide = slide_of(presentation, 5)
    slide.shapes.title.text = "Leave"
    diagram = "http://schemas.openxmlformats.org/drawingml/2006/diagram"
    relation = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    words = "<d:t><a:p><a:r><a:t>Ask</a:t></a:r></a:p></d:t>"
    data = f'<d:dataModel xmlns:d="{diagram}" {NAMES}>{words}</d:dataModel>'
    name = PackURI("/ppt/diagrams/data1.xml")
    part = Part(name, "application/xml", presentation.part.package, data.encode())
    reference = slide.part.relate_to(part, f"{relation}/diagramData")
    frame = slide.shapes.add_table(1, 1, 0, 0, Inches(1), Inches(1))._element
    graphic = frame.graphic.graphicData
    graphic.clear()
    graphic.append(
        parse_xml(f'<d:relIds xmlns:d="{diagram}" xmlns:r="{relation}" r:dm="{reference}"/>')
    )
    assert read(presentation).body == "## Leave\n\n- Ask"


def test_the_stated_title_counts_before_that_of_the_first_slide() -> None:
    presentation = Presentation()
    slide_of(presentation, 5).shapes.title.text = "Leave"
    text = read(presentation)
    assert (text.title, text.author, text.updated_at) == (
        "Leave",
        None,
        None,
    )  # its template's are none
    presentation.core_properties.title = "Leave for parents"
    assert read(presentation).title == "Leave for parents"
