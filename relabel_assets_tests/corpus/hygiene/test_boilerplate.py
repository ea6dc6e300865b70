"""Paragraphs that most documents repeat: the least number of documents, half of them, and a text without."""

import polars as pl

from relabel_assets.corpus.hygiene.boilerplate import Paragraphs, without_paragraphs

FOOTER = "All rights reserved."


def counted(bodies: list[str], a_frame: int = 1000) -> dict[str, int]:
    paragraphs = Paragraphs()
    rows = pl.DataFrame({"doc_id": [f"d{n}" for n in range(len(bodies))], "body": bodies})
    for frame in rows.iter_slices(a_frame):
        paragraphs.add(frame)
    return paragraphs.repeated()


def pages(n: int, n_with_footer: int) -> list[str]:
    return [f"Page {i}.\n\n{FOOTER if i < n_with_footer else 'No.' * i}" for i in range(n)]


def test_a_paragraph_of_over_half_of_the_documents_is_repeated() -> None:
    assert counted(pages(20, 11)) == {FOOTER: 11}
    assert counted(pages(20, 10)) == {}


def test_fewer_than_twenty_documents_repeat_nothing() -> None:
    assert counted(pages(19, 19)) == {}


def test_a_paragraph_counts_once_a_document_and_in_any_white_space() -> None:
    assert counted([f"All  rights\n reserved.\n \n{FOOTER}\n\nPage {n}" for n in range(20)]) == {
        FOOTER: 20
    }
    assert counted([f"{FOOTER}\n\n{FOOTER}"] * 10 + [f"Page {n}" for n in range(10)]) == {}


def test_frames_that_are_added_one_after_another_count_as_one() -> None:
    bodies = pages(60, 31)
    assert counted(bodies, a_frame=7) == counted(bodies) == {FOOTER: 31}


def test_a_text_without_paragraphs_keeps_the_others_and_is_never_empty() -> None:
    assert without_paragraphs(f"{FOOTER}\n\nLeave.\r\n\r\nAsk HR.", {FOOTER}) == "Leave.\n\nAsk HR."
    assert without_paragraphs(f"{FOOTER}\n\n \n", {FOOTER}) == f"{FOOTER}\n\n \n"
    assert without_paragraphs("Leave.\n\n\n\n  Ask.", {FOOTER}) == "Leave.\n\n\n\n  Ask."


def test_a_rule_is_no_paragraph() -> None:
    paragraphs = Paragraphs()
    bodies = [f"---\n\nPage {n}." for n in range(20)]
    paragraphs.add(pl.DataFrame({"doc_id": [str(n) for n in range(20)], "body": bodies}))
    assert paragraphs.repeated() == {}
