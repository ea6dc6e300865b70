"""Excerpts of long documents: the selected passages, and the token limit."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relabel_assets.teacher.excerpt import GAP, PASSAGE_BYTES, excerpt
from relabel_assets.teacher.requests import estimate_tokens

PARAGRAPHS = [
    f"Paragraph {number} is about subject{number}. " + "filler text here. " * 20
    for number in range(30)
]
BODY = "\n\n".join(PARAGRAPHS)


def test_a_body_that_fits_is_unchanged() -> None:
    assert excerpt("  short body \n", "query", 50) == "short body"


@pytest.mark.parametrize("most", [100, 300, 1000])
def test_an_excerpt_fits_and_has_the_start_and_the_passage_of_the_query(most: int) -> None:
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


@pytest.mark.parametrize(
    "body", ["x" * 20_000, "\u4e2d\u6587" * 5_000, "a\n" * 8_000, "\U0001f642" * 4_000]
)
def test_text_without_breaks_is_cut(body: str) -> None:
    assert 0 < estimate_tokens(excerpt(body, "query", 200)) <= 200


@pytest.mark.parametrize(("n_bytes", "is_whole"), [(200, True), (201, False)])
def test_a_body_of_exactly_the_limit_is_unchanged(n_bytes: int, is_whole: bool) -> None:
    body = "x" * n_bytes
    assert (excerpt(body, "query", 50) == body) == is_whole


def test_a_gap_marks_every_omission_and_nothing_else() -> None:
    parts = excerpt(BODY, "subject1 subject2 subject20", 900).split("\n\n")
    numbers = [int(part.split()[1]) if part != GAP else None for part in parts]
    for before, after in pairwise(numbers):
        if before is not None and after is not None:
            assert after == before + 1
        else:
            assert (before, after) != (None, None)
    assert {0, 1, 2, 20} <= set(numbers)


def test_no_gap_at_the_end_where_the_end_is_shown() -> None:
    assert not excerpt(BODY, "subject29", 300).endswith(GAP)


def test_a_rare_word_counts_more_than_several_common_ones() -> None:
    common = [f"Common usual words here, part {n}. " + "filler " * 60 for n in range(20)]
    rare = "Something about turbines. " + "filler " * 60
    shown = excerpt("\n\n".join([*common, rare]), "common usual turbines", 250)
    assert "turbines" in shown


def test_without_a_word_of_the_query_the_beginning_is_shown() -> None:
    shown = excerpt(BODY, "unrelated", 500)
    assert [f"subject{n}." in shown for n in (0, 1, 2, 20)] == [True, True, True, False]


def test_plurals_and_case_are_the_same_word() -> None:
    shown = excerpt(BODY.replace("subject17.", "Turbines."), "turbine", 300)
    assert "Turbines." in shown


def test_words_without_spaces_between_them_are_matched() -> None:
    parts = [
        "\u4f11\u6687" * 60,
        *["\u5929\u6c14" * 60 for _ in range(9)],
        "\u62a5\u9500\u5236\u5ea6" * 30,
    ]
    shown = excerpt("\n\n".join(parts), "\u51fa\u5dee\u62a5\u9500", 250)
    assert "\u62a5\u9500" in shown


@pytest.mark.parametrize("separator", ["\n\n", "\n \t\n", "\n", ". ", " "])
def test_a_body_is_split_at_its_most_natural_places(separator: str) -> None:
    body = separator.join(["word" * 20] * 100)
    for part in excerpt(body, "query", 300).split("\n\n"):
        assert part == GAP or part.startswith("word")
        assert len(part.encode()) <= PASSAGE_BYTES


@given(st.text(max_size=4000), st.text(max_size=50), st.integers(50, 400))
def test_an_excerpt_of_any_text_fits(body: str, query: str, most: int) -> None:
    assert estimate_tokens(excerpt(body, query, most)) <= most
