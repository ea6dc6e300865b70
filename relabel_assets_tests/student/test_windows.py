"""Windows, header and body of a document."""

import pytest

from relabel_assets.intake.words import characters_of
from relabel_assets.student.windows import (
    BODY_CHARACTERS,
    body,
    header,
    unspaced_windows,
    windows,
)


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


@pytest.mark.parametrize(
    "text",
    [
        "员工可以在孩子出生后一年内申请育儿假。请提前一个月提交申请。" * 40,
        "従業員は 子の出生日から一年以内に 育児休業を取得できます。\n" * 40,
        "พนักงานสามารถลาคลอดบุตรได้สิบหกสัปดาห์โดยได้รับค่าจ้าง" * 40,
        "ဝန်ထမ်းများသည်ခွင့်ယူနိုင်သည်။" * 40,
    ],
)
def test_a_window_of_a_script_without_spaces_has_at_most_120_of_its_characters(text: str) -> None:
    texts = [window.split("\n")[1] for window in windows({"title": "T", "body": text})]
    assert "".join("".join(texts).split()) == "".join(text.split())
    n_characters = [len(characters_of(part)) for part in texts]
    # Punctuation is not counted among the 120, nor are spaces; no part is a small rest of another.
    assert max(n_characters) <= 150 and len(texts) <= sum(n_characters) / 60
    # A vowel or tone stays with its letter: the parts have the characters of the whole.
    assert sum(n_characters) >= len(characters_of(" ".join(text.split()))) - len(texts)
    assert unspaced_windows(text) == len(texts)


@pytest.mark.parametrize(
    "text",
    [
        "The office in 北京 is open, the one in 東京 is not. " * 20,
        "육아휴직은 자녀가 만 여덟 살이 될 때까지 신청할 수 있습니다. " * 30,
        "育児休業" * 30,
        "xx" * 5000,
    ],
)
def test_windows_of_other_texts_are_cut_at_spaces_only(text: str) -> None:
    words = text.split()
    parts = [" ".join(words[start : start + 80]) for start in range(0, len(words), 80)]
    assert windows({"body": text}) == [f"\n{part}" for part in parts]
    assert unspaced_windows(text) is None


def test_the_121st_character_begins_a_window_and_a_word_beside_it_is_whole() -> None:
    first, second = windows({"body": "休" * 119 + "業VPN業" + "休"})
    assert (first[1:], second[1:]) == ("休" * 119 + "業VPN", "業休")
