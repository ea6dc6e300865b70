"""Cut prompts: the least number of tokens of a text, and its comparison with a usage."""

from typing import Any

import pytest

from relabel_assets.teacher.cut_prompts import fewest_tokens, tokens_read, why_cut


@pytest.mark.parametrize(
    ("text", "fewest"),
    [
        ("", 0),
        ("annual leave", 2),
        ("don't", 1),
        ("leave, 28 days.", 5),  # a mark before a space, and one at the end
        ("snake_case (call", 3),  # a mark before a letter may be in one token with it
        ("a2b", 3),
        ("one\n\n\ntwo", 3),
        ("x" * 240, 11),  # a long run has a token for each 24 letters, and its start
        ("7" * 120, 11),
        ("отпуск отпуск", 2),  # 2.8
        ("休暇の申請", 2),  # 2.5
        ("=" * 300, 1),
        ("wow! yes", 3),
        ("é\x80 " * 5, 5),
        # the first and the last character of each class, and their neighbours
        ("\u037f " * 5, 5),
        ("\u0380 " * 5, 7),
        ("\u06ff " * 5, 7),
        ("\u0700 " * 5, 5),
        ("\u2fff" * 4, 1),
        ("\u3000" * 4, 2),
        ("\ud7ff" * 4, 2),
        ("\ue000" * 4, 1),
    ],
)
def test_fewest_tokens(text: str, fewest: int) -> None:
    assert fewest_tokens(text) == fewest


def usage(**members: Any) -> dict[str, Any]:
    return {"usage": members}


@pytest.mark.parametrize(
    ("body", "n_read"),
    [
        (usage(prompt_tokens=256), 256),
        (usage(prompt_tokens=255), None),  # a constant of a server that does not count
        (usage(input_tokens=900), 900),
        (usage(prompt_tokens=900, prompt_tokens_details={"cached_tokens": 700}), 900),
        (usage(prompt_tokens=300, cache_read_input_tokens=1900), 2200),
        (usage(prompt_tokens=3, cache_creation_input_tokens=1900), 1903),
        (usage(prompt_tokens=900, cache_read_input_tokens=None), 900),
        (usage(prompt_tokens="900"), None),
        (usage(prompt_tokens=900.0), None),
        (usage(prompt_tokens=True), None),
        (usage(), None),
        ({"usage": None}, None),
        ({"usage": [900]}, None),
        ([], None),
    ],
)
def test_tokens_that_were_read_with_and_without_a_cache(body: Any, n_read: int | None) -> None:
    assert tokens_read(body) == n_read


def request(n_words: int) -> dict[str, Any]:
    system, user = {"role": "system", "content": "grade"}, {"content": "leave " * (n_words - 1)}
    return {"messages": [system, user]}


def test_fewer_tokens_than_words_are_a_cut() -> None:
    assert why_cut(request(3000), usage(prompt_tokens=3000)) is None
    assert why_cut(request(3000), usage(prompt_tokens=2999)) == (
        "the endpoint read 2,999 of at least 3,000 tokens of the prompt"
    )
    assert why_cut({"input": "leave " * 3000, "questions": []}, usage(input_tokens=2050))


def test_an_estimate_by_bytes_is_no_cut_where_numbers_have_more_tokens() -> None:
    body = {"messages": [{"content": "1,2;" * 2100}]}  # 8,400 tokens at least, 8,400 bytes
    assert why_cut(body, usage(prompt_tokens=8400 // 4)) is None
    assert why_cut(body, usage(prompt_tokens=2000)) is None
    assert why_cut(body, usage(prompt_tokens=1999))


def test_a_prompt_that_is_shorter_than_every_context_is_not_judged() -> None:
    assert why_cut(request(999), usage(prompt_tokens=500)) is None
    assert why_cut(request(1000), usage(prompt_tokens=500))


@pytest.mark.parametrize(
    ("n_tokens", "largest", "is_cut"),
    [
        (2048, 0, True),
        (2048, 2048, True),
        (2048, 2049, False),  # a longer prompt was read, so this is no context
        (2049, 0, False),
        (3072, 0, True),
        (7168, 0, True),
        (8192, 0, False),  # four times as many tokens as words: the prompt is not so long
    ],
)
def test_a_count_of_exactly_a_context_that_no_prompt_exceeded_is_a_cut(
    n_tokens: int, largest: int, is_cut: bool
) -> None:
    assert (why_cut(request(2000), usage(prompt_tokens=n_tokens), largest) is not None) == is_cut
