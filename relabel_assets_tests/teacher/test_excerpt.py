"""Cutting a long document: what is kept, and that it fits."""

import pytest

from relabel_assets.teacher.excerpt import GAP, excerpt
from relabel_assets.teacher.requests import estimate_tokens

PARAGRAPHS = [f"Paragraph {number} is about subject{number}. " + "filler text here. " * 20 for number in range(30)]
BODY = "\n\n".join(PARAGRAPHS)


def test_what_fits_is_shown_whole() -> None:
    assert excerpt("  short body \n", "query", 50) == "short body"


@pytest.mark.parametrize("most", [100, 300, 1000])
def test_a_cut_document_fits_and_keeps_its_start_and_what_the_query_asks(most: int) -> None:
    shown = excerpt(BODY, "what about subject17?", most)
    assert estimate_tokens(shown) <= most
    assert shown.startswith("Paragraph 0 ")
    if most >= 300:
        assert "about subject17." in shown
    assert shown.endswith(GAP)
    assert shown == excerpt(BODY, "what about subject17?", most)


def test_passages_stay_in_the_documents_order() -> None:
    shown = excerpt(BODY, "subject25 subject3", 800)
    assert shown.index("subject3.") < shown.index("subject25.")


@pytest.mark.parametrize("body", ["x" * 20_000, "\u4e2d\u6587" * 5_000, "a\n" * 8_000, "\U0001f642" * 4_000])
def test_text_without_breaks_is_cut_all_the_same(body: str) -> None:
    assert 0 < estimate_tokens(excerpt(body, "query", 200)) <= 200
