"""Documents that repeat others: what counts as the same text, and what as nearly the same."""

import random

import polars as pl

from relabel_assets.corpus.hygiene.duplicates import NEAR, Duplicates

WORDS = [f"{a}{b}" for a in "bcdfghklmnprst" for b in ("ak", "elo", "ira", "ob", "unde", "y")]


def page(seed: int, n_words: int = 300) -> list[str]:
    return random.Random(seed).choices(WORDS, k=n_words)


def added(*rows: tuple[str, str | None, str]) -> Duplicates:
    duplicates = Duplicates()
    duplicates.add(pl.DataFrame(rows, schema=["doc_id", "title", "body"], orient="row"))
    return duplicates


def test_the_same_text_is_the_same_title_and_body_in_nfc_whatever_the_white_space() -> None:
    rows = [
        ("a", "Café", "Open  at\n9."),
        ("b", "Cafe\u0301", "Open at 9.\n"),
        ("c", "Cafe", "Open at 9."),
        ("d", "Café", "open at 9."),
        ("e", "Café Open", "at 9."),
    ]
    duplicates = added(*rows)
    assert duplicates.of("abcde").to_list() == [None, "a", None, None, None]
    assert duplicates.n_same == 1


def test_the_first_by_doc_id_is_the_one_whatever_the_order_they_come_in() -> None:
    rows = [("b", None, "Leave."), ("c", None, "Leave."), ("a", None, "Leave.")]
    for order in (rows, rows[::-1]):
        duplicates = Duplicates()
        for row in order:
            duplicates.add(pl.DataFrame([row], schema=["doc_id", "title", "body"], orient="row"))
        assert duplicates.of("abc").to_list() == [None, "a", "a"]


def test_a_page_with_one_changed_word_is_a_near_duplicate_and_no_duplicate() -> None:
    words = page(1)
    rows = [
        ("changed", "T", " ".join([*words[:150], "changed", *words[151:]])),
        ("first", "T", " ".join(words)),
        ("other", "T", " ".join(page(2))),
    ]
    duplicates = added(*rows)
    assert duplicates.near() == [["changed", "first"]]
    assert duplicates.of(["changed", "first"]).null_count() == 2


def test_pages_that_share_less_than_nine_tenths_are_not_near() -> None:
    """70 of 300 words replaced at one place: 0.62 of the shingles of both."""
    words = page(1)
    rows = [("a", "", " ".join(words)), ("b", "", " ".join([*page(3, 70), *words[70:]]))]
    assert added(*rows).near() == []
    assert NEAR == 0.9


def test_a_script_without_spaces_is_compared_by_its_characters() -> None:
    text = "年次有給休暇の申請は三日前までに上長へ提出してください。承認後に人事部が残日数を更新します。"
    words = random.Random(1).sample(sorted({*text}), 20)
    rows = [
        ("a", None, text * 3),
        ("b", None, text * 3 + "以上"),
        ("c", None, "".join(words) * 3),
    ]
    assert added(*rows).near() == [["a", "b"]]


def test_short_texts_are_in_no_cluster_of_near_duplicates() -> None:
    rows = [("a", None, "Room 12 has seats for ten."), ("b", None, "Room 13 has seats for ten.")]
    assert added(*rows).near() == []
    assert added().near() == []


def test_a_duplicate_is_not_counted_again_as_a_near_one_and_clusters_join() -> None:
    words = page(1, 1000)
    rows = [(f"d{n}", None, " ".join([*words, f"end{n}"])) for n in range(5)]
    duplicates = added(*rows, ("d9", None, " ".join([*words, "end0"])))
    assert duplicates.of(["d9"]).to_list() == ["d0"]
    assert duplicates.near() == [["d0", "d1", "d2", "d3", "d4"]]
