"""A document as the text of a prompt."""

import pytest

from relabel_assets.teacher.document_text import LONGEST_LINE, document_values, one_line
from relabel_assets_tests.teacher.documents import DOCUMENT


def test_a_document_has_title_metadata_and_body() -> None:
    values = document_values(DOCUMENT, 3000, query="leave")
    assert values["title"] == "Parental leave policy"
    assert values["metadata"] == "author: Ana Ruiz\npath: hr/leave.md\nupdated_at: 2026-01-31"
    assert values["body"] == DOCUMENT["body"]


def test_absent_fields_have_a_placeholder() -> None:
    values = document_values({"body": " text "}, 3000, query="q")
    assert values == {"title": "(no title)", "metadata": "(none)", "body": "text"}


def test_a_long_body_is_cut_by_the_query_and_without_one_by_the_title() -> None:
    paragraphs = [f"Part {n} is about subject{n}. " + "filler " * 60 for n in range(30)]
    document = {"title": "All of subject9", "body": "\n\n".join(paragraphs)}
    assert "subject21." in document_values(document, 400, query="subject21")["body"]
    by_title = document_values(document, 400)["body"]
    assert "subject9." in by_title and "subject21." not in by_title


def test_a_long_title_is_one_truncated_line() -> None:
    values = document_values({"title": "a\n b\t" + "c" * 300, "body": "", "author": "d" * 301}, 50)
    assert values["title"] == "a b " + "c" * 296 + " [...]"
    assert values["metadata"] == f"author: {'d' * 300} [...]"


@pytest.mark.parametrize("n", [LONGEST_LINE - 1, LONGEST_LINE])
def test_a_line_that_fits_is_not_cut(n: int) -> None:
    assert one_line("x" * n) == "x" * n
