"""Texts that a browser gets: marked words, harmless characters, pieces."""

import re

import pytest

from relabel_assets.review.page.shown_text import end_of_piece, marked, neutral


def words(text: str, query: str) -> list[str]:
    return [segment for segment, is_marked in marked(text, query) if is_marked]


def test_words_are_marked_in_every_form_and_common_words_are_not() -> None:
    text = "How the policies on travelling, TRAVEL and café costs work: policy 7."
    assert words(text, "how does the policy on travel to a cafe work") == [
        "policies",
        "travelling",
        "TRAVEL",
        "café",
        "work",
        "policy",
    ]


def test_segments_joined_are_the_text() -> None:
    text = "a  travel\n\n<travel>&amp; travel’s\u200dx 旅費を\t"
    assert "".join(segment for segment, _ in marked(text, "travel 旅費")) == text


@pytest.mark.parametrize(
    ("query", "expected"), [("出張旅費 申請", ["出張旅費", "申請"]), ("旅", ["旅"]), ("休暇", [])]
)
def test_scripts_without_spaces_are_marked_by_pairs_of_characters(
    query: str, expected: list[str]
) -> None:
    assert words("出張旅費の申請方法", query) == expected


def test_a_query_is_no_pattern() -> None:
    assert words("a.b (c* [d", "(c* [d ...") == ["c", "d"]


def test_characters_that_reorder_or_hide_are_shown_and_joiners_stay() -> None:
    persian, family = "می\u200cخواهم", "👩\u200d👧"
    assert neutral(persian + family) == persian + family
    for character in "\u202e\u2066\u2069\u200b\u200f\ufeff\x00\x1b\x7f\x9f\ud800":
        assert re.fullmatch(r"a\\(x..|u....)b", neutral(f"a{character}b"))
    assert neutral("a\r\nb\rc\u2028d") == "a\nb\nc\nd"


def test_a_piece_ends_after_a_line_or_a_word() -> None:
    assert end_of_piece("one\ntwo three", 0, 9) == 4
    assert end_of_piece("x" * 50, 10, 20) == 30
    assert end_of_piece("one\ntwo", 4, 100) == 7
