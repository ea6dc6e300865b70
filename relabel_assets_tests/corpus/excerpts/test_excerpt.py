"""Excerpts of long documents: the selected passages, what moves them, and the limit."""

import json
import random
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relabel_assets.corpus.excerpts.excerpt import GAP, excerpt, floor_log2
from relabel_assets.corpus.excerpts.passages import PASSAGE_BYTES, n_bytes

PARAGRAPHS = [
    f"Paragraph {number} is about subject{number}. " + "filler text here. " * 22
    for number in range(30)
]
BODY = "\n\n".join(PARAGRAPHS)


def shown(body: str, query: str, max_bytes: int) -> str:
    return excerpt(body, query, max_bytes).text


def paragraphs_of(text: str) -> list[int | None]:
    """The numbers of the paragraphs in an excerpt of BODY; None for a gap."""
    parts = text.split("\n\n")
    return [int(part.split()[1]) if part != GAP else None for part in parts]


def test_a_body_that_fits_is_unchanged_and_has_no_spans() -> None:
    whole = excerpt("  short body \n", "query", 200)
    assert (whole.text, whole.spans, whole.passages_json("  short body \n")) == (
        "short body",
        None,
        None,
    )


@pytest.mark.parametrize(("size", "is_whole"), [(200, True), (201, False)])
def test_a_body_of_exactly_the_limit_is_unchanged(size: int, is_whole: bool) -> None:
    body = "é" * 50 + "x" * (size - 100)  # bytes count, not characters
    assert (shown(body, "query", 200) == body) == is_whole


@pytest.mark.parametrize("most", [400, 1300, 4000])
def test_an_excerpt_fits_and_has_the_start_and_the_passage_of_the_query(most: int) -> None:
    text = shown(BODY, "what about subject17?", most)
    assert n_bytes(text) <= most
    assert text.startswith("Paragraph 0 ") and text.endswith(GAP)
    assert "about subject17." in text
    assert text == shown(BODY, "what about subject17?", most)


def test_passages_stay_in_the_documents_order() -> None:
    text = shown(BODY, "subject25 subject3", 3200)
    assert text.index("subject3.") < text.index("subject25.")


def test_a_gap_marks_every_omission_and_nothing_else() -> None:
    numbers = paragraphs_of(shown(BODY, "subject1 subject2 subject20", 3600))
    for before, after in pairwise(numbers):
        if before is not None and after is not None:
            assert after == before + 1
        else:
            assert (before, after) != (None, None)
    assert {0, 1, 2, 20} <= set(numbers)


def test_no_gap_at_the_end_where_the_end_is_shown() -> None:
    assert not shown(BODY, "subject29", 1300).endswith(GAP)


def test_the_passages_before_and_after_follow_and_no_more() -> None:
    assert paragraphs_of(shown(BODY, "subject20", 9000)) == [0, 1, None, 19, 20, 21, None]


def test_where_the_room_ends_the_neighbours_of_the_nearest_come_first() -> None:
    body = BODY.replace("subject20.", "subject20 and subject12.")  # 20 has both words, 12 has one
    assert paragraphs_of(shown(body, "subject20 subject12", 2300)) == [
        0,
        None,
        12,
        None,
        19,
        20,
        21,
        None,
    ]


def test_without_a_word_of_the_query_the_beginning_is_shown() -> None:
    assert paragraphs_of(shown(BODY, "unrelated", 2000)) == [0, 1, 2, 3, None]


def test_of_passages_that_are_equally_near_the_earlier_ones_are_shown() -> None:
    body = "\n\n".join(f"Part {n} has turbines. " + "Some filler. " * 30 for n in range(30))
    body = "\n\n".join([*[f"Other {n}. " + "Some filler. " * 30 for n in range(40)], body])
    text = shown(body, "turbine", 1900)
    assert [f"Part {n} " in text for n in (0, 1, 2, 3)] == [True, True, True, False]


def test_a_rare_word_counts_more_than_a_few_common_ones() -> None:
    words = [f"Common usual words here, part {n}. " + "filler " * 60 for n in range(8)]
    others = [f"Nothing to see, part {n}. " + "filler " * 60 for n in range(24)]
    rare = "Something about turbines. " + "filler " * 60
    text = shown("\n\n".join([*words, *others, rare]), "common usual turbines", 1440)
    assert "turbines" in text  # log2(33) is 5 in whole steps, against 2 + 2
    assert "part 1." in text and "part 2." not in text


def test_a_word_that_more_than_half_of_the_passages_have_counts_nothing() -> None:
    assert [floor_log2(10, n) for n in (1, 2, 3, 5, 6, 10)] == [3, 2, 1, 1, 0, 0]
    text = shown(BODY, "the filler text here of paragraph", 2000)
    assert paragraphs_of(text) == [0, 1, 2, 3, None]


def test_the_words_of_a_heading_count_for_each_passage_below_it() -> None:
    def section(name: str) -> str:
        parts = [f"Part {name}{n}. " + "Ask your lead, and wait for it. " * 13 for n in range(5)]
        return "\n\n".join([f"## Topic {name}", *parts])

    text = shown("\n\n".join(map(section, ("one", "two", "three", "four"))), "three", 2800)
    assert all(f"Part three{n}. " in text for n in range(5))  # neighbours alone would be two


def test_the_first_passage_that_does_not_fit_is_the_last_one_that_is_tried() -> None:
    """A short passage further down would not stay, as soon as a longer one fits."""
    far = "Turbines. " + "filler " * 30  # it would fit
    near = ["Turbines and rotors. " + "filler " * 68 for _ in range(5)]
    others = [f"Nothing of it, part {n}. " + "filler " * 60 for n in range(30)]
    text = shown("\n\n".join([*others, *near, "# End", far]), "turbine rotor", 1800)
    assert text.count("rotors") == 2 and text.count("Turbines") == 2


def test_plurals_and_case_are_the_same_word() -> None:
    assert "Turbines." in shown(BODY.replace("subject17.", "Turbines."), "turbine", 1300)


def test_words_without_spaces_between_them_are_matched() -> None:
    parts = [
        "\u4f11\u6687" * 60,
        *["\u5929\u6c14" * 60 for _ in range(9)],
        "\u62a5\u9500\u5236\u5ea6" * 30,
    ]
    assert "\u62a5\u9500" in shown("\n\n".join(parts), "\u51fa\u5dee\u62a5\u9500", 1000)


def test_spans_are_the_text_that_is_shown() -> None:
    body = "\n \n" + BODY.replace("\n\n", "\n" * 20, 2)  # blanks of many lines are not shown
    found = excerpt(body, "subject1 subject2 subject20", 3600)
    assert found.spans is not None
    parts = [part for part in found.text.split("\n\n") if part != GAP]
    assert [body[start:end] for start, end in found.spans][:2] == parts[:2]
    assert paragraphs_of(found.text)[:3] == [0, 1, 2]  # no gap where only blanks are left out
    assert "\n\n".join(body[start:end] for start, end in found.spans) == "\n\n".join(parts)
    listed = json.loads(str(found.passages_json(body)))
    assert [tuple(item[:2]) for item in listed] == list(found.spans)
    assert all(len(item[2]) == 12 for item in listed)


# What an edit moves


def test_an_edit_elsewhere_moves_the_spans_and_nothing_else() -> None:
    before = excerpt(BODY, "subject20", 1300)
    edited = BODY.replace("about subject7. ", "about subject7 and some more things. ")
    after = excerpt(edited, "subject20", 1300)
    assert after.text == before.text
    assert before.spans is not None and after.spans is not None
    assert after.spans != before.spans
    hashes = [
        [item[2] for item in json.loads(str(e.passages_json(b)))]
        for e, b in ((before, BODY), (after, edited))
    ]
    assert hashes[0] == hashes[1]


def test_a_new_paragraph_elsewhere_changes_nothing_that_is_shown() -> None:
    edited = BODY.replace(PARAGRAPHS[9], f"{PARAGRAPHS[9]}\n\nA short new line.")
    assert shown(edited, "subject20 subject3", 2000) == shown(BODY, "subject20 subject3", 2000)


def test_a_nearer_passage_is_shown_in_place_of_another() -> None:
    edited = BODY.replace(PARAGRAPHS[9], PARAGRAPHS[9] + "subject20, subject3.")
    before, after = (shown(body, "subject20 subject3", 1300) for body in (BODY, edited))
    assert before != after and "subject20, subject3." in after


def test_counts_in_whole_steps_keep_a_distant_edit_from_moving_the_ranks() -> None:
    """With 24 to 31 passages, a word in 3 of them counts 3, and a word in 1 counts 4."""
    assert {floor_log2(n, 3) for n in range(24, 48)} == {3}
    assert {floor_log2(n, 1) for n in range(16, 32)} == {4}


# Any text


@pytest.mark.parametrize(
    "body", ["x" * 20_000, "\u4e2d\u6587" * 5_000, "a\n" * 8_000, "\U0001f642" * 4_000]
)
def test_text_without_breaks_is_cut(body: str) -> None:
    assert 0 < n_bytes(shown(body, "query", 800)) <= 800


@pytest.mark.parametrize("separator", ["\n\n", "\n \t\n", "\n", ". ", " "])
def test_a_body_is_split_at_its_most_natural_places(separator: str) -> None:
    body = separator.join(["word" * 20] * 100)
    for part in shown(body, "query", 2400).split(f"\n\n{GAP}\n\n"):
        assert part == GAP or part.startswith("word")


@given(st.text(max_size=4000), st.text(max_size=50), st.integers(60, 1600))
def test_an_excerpt_of_any_text_fits(body: str, query: str, most: int) -> None:
    found = excerpt(body, query, most)
    assert n_bytes(found.text) <= most
    for before, after in pairwise(found.spans or ()):
        assert before[1] <= after[0]


def test_a_body_of_the_longest_kind_is_read_once_for_all_its_queries() -> None:
    """Splitting 4 million characters takes a second or more, and looking words up no time."""
    draw = random.Random(1)
    lines = ["".join(draw.choices("abcdefg     \n", k=400)) for _ in range(2_500)]
    body = "\n\n".join(lines)
    texts = {excerpt(body, f"{a}{b}", 12_000).text for a in "abcdefg" for b in "abcdefg"}
    assert len(texts) > 10 and max(map(n_bytes, texts)) <= 12_000
    assert max(map(n_bytes, texts)) > 12_000 - PASSAGE_BYTES - 9
