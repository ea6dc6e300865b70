"""Tables among the files of documents/: rows that are documents, tables that are one, and faults."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.table_documents import table_documents
from relabel_assets_tests.intake.tables.sheets import write_xlsx


def test_rows_with_the_columns_of_documents_are_documents_with_metadata() -> None:
    content = b"ID;Title;Text;Team\n1;Leave;Ask HR.;people\n;x;y;z\n2;;;z\n3;a;b\n"
    first, *others = table_documents("hr/pages.csv", content)
    assert isinstance(first, FileText)
    assert (first.inner_name, first.title, first.body) == ("1", "Leave", "Ask HR.")
    assert first.metadata == {"Team": "people"}
    assert [(part.inner_name, part.message) for part in others if isinstance(part, Unread)] == [
        ("line 3", "doc_id is missing or empty"),
        ("2", "body is missing or empty"),
        ("line 5", "it has 3 fields, and the first line 4"),
    ]


@pytest.mark.parametrize("others", [[], ["Old answer"], ["Title"]])
def test_a_row_of_questions_and_answers_is_a_document_with_the_question_as_its_title(
    tmp_path: Path, others: list[str]
) -> None:
    rows = [
        ["Id", "Question", "Answer", *others],
        ["7", "How do I get a badge?", "Ask Ana.", *others],
    ]
    content = write_xlsx(tmp_path / "t.xlsx", {"FAQ": rows}).read_bytes()
    (text,) = table_documents("faq.xlsx", content)
    assert isinstance(text, FileText)
    # A title under our own name goes first.
    title = others[0] if others == ["Title"] else "How do I get a badge?"
    assert (text.inner_name, text.title, text.body) == ("7", title.strip(), "Ask Ana.")


def test_any_other_table_is_one_document_of_all_its_sheets(tmp_path: Path) -> None:
    sheets = {"Prices": [["item", "price"], ["badge", 5]], "Notes": [["two\nlines"]]}
    content = write_xlsx(tmp_path / "t.xlsx", sheets).read_bytes()
    (text,) = table_documents("prices.xlsx", content)
    assert text == FileText("## Prices\nitem | price\nbadge | 5\n## Notes\ntwo lines")


def test_many_rows_that_are_one_document_are_a_note() -> None:
    (text,) = table_documents("issues.csv", b"key,summary\n" + b"P-1,Login fails\n" * 1_000)
    assert isinstance(text, FileText)
    assert text.notes == (
        "Its 1,001 lines are one document. Name columns doc_id and body if each row is a document.",
    )


def test_a_table_that_cannot_be_read_or_shown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SetAside, match="line 3: it has 1 fields"):
        list(table_documents("a.csv", b"item,price\nbadge,5\nkey\n"))
    with pytest.raises(SetAside, match="not CSV from line 2 on"):
        list(table_documents("a.csv", b'item,price\n"badge,5\n'))
    pl.DataFrame({"x": [1]}).write_parquet(tmp_path / "t.parquet")
    with pytest.raises(SetAside, match="it has no column doc_id"):
        list(table_documents("t.parquet", (tmp_path / "t.parquet").read_bytes()))
