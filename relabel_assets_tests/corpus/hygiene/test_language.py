"""The language of a document: sure, or none."""

import pytest

from relabel_assets.corpus.hygiene.language import language


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("Hur mycket semester har jag rätt till under mitt första år?", "sv"),
        ("Parents may take up to twelve weeks of paid leave.", "en"),
        ("年次有給休暇の申請方法について説明します。申請は三日前までに行ってください。", "ja"),
        ("นโยบายการลาพักร้อน พนักงานมีสิทธิ์ลาได้ปีละสิบห้าวัน", "th"),
        ("1 2 3 4 5 6 7 8 9 10 11 12", None),
        ("", None),
        ("VPN", None),
        ("def f(x): return x+1\nimport os, sys\nfor i in y: pass", None),
    ],
)
def test_the_language_of_a_text_is_named_where_it_is_sure(text: str, code: str | None) -> None:
    assert language(None, text) == code


def test_twenty_letters_are_enough_and_nineteen_are_not() -> None:
    twenty = "paid leaves for parents"
    assert sum(map(str.isalpha, twenty)) == 20
    assert language(None, twenty) == "en"
    assert language(None, twenty[:-1]) is None


def test_the_start_of_a_huge_text_decides() -> None:
    assert language("Policy", "Leave is paid for twelve weeks. " * 100 + "ü" * 3_000_000) == "en"


def test_the_title_is_read_too() -> None:
    assert language("How parents take their paid leave", "12.4") == "en"
