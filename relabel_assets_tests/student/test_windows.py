"""Windows, header and body of a document."""

import pytest

from relabel_assets.student.windows import BODY_CHARACTERS, body, header, windows


@pytest.mark.parametrize(
    ("n_words", "n_windows"), [(0, 1), (1, 1), (80, 1), (81, 2), (160, 2), (161, 3)]
)
def test_a_window_has_at_most_80_words_and_a_document_at_least_a_window(
    n_words: int, n_windows: int
) -> None:
    words = [f"w{n}" for n in range(n_words)]
    texts = windows({"title": "T", "body": " ".join(words)})
    assert len(texts) == n_windows
    assert [word for text in texts for word in text.split("\n")[1].split()] == words


def test_every_window_is_under_the_header() -> None:
    texts = windows(
        {"title": "T", "body": "word " * 200, "author": None, "updated_at": "2026-01-01"}
    )
    assert [text.split("\n")[0] for text in texts] == ["T | 2026-01-01"] * 3
    assert windows({"title": "only", "body": ""}) == windows({"title": "only"}) == ["only\n"]


def test_a_header_has_title_author_path_type_and_date_in_this_order() -> None:
    document = {
        "updated_at": "5",
        "doc_type": "4",
        "path": "3",
        "author": "2",
        "title": "1",
        "body": "no",
    }
    assert header(document) == "1 | 2 | 3 | 4 | 5"
    assert header({}) == ""


def test_a_header_is_cut_at_300_characters_and_a_body_at_200_000() -> None:
    assert header({"title": "x" * 300}) == "x" * 300
    assert header({"title": "x" * 301}) == "x" * 300
    assert BODY_CHARACTERS == 200_000
    assert len(body({"body": "x" * 200_000})) == len(body({"body": "x" * 200_001})) == 200_000
