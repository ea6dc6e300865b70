"""The passages of a body: where they start and end, and how far an edit moves their bounds."""

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from relabel_assets.corpus.excerpts.passages import n_bytes, passages

LONG = "A sentence of some words here. " * 15  # 465 bytes: over half of the limit


def texts(body: str, max_bytes: int = 800) -> list[str]:
    return [body[passage.start : passage.end] for passage in passages(body, max_bytes)]


def test_short_paragraphs_are_joined_until_they_have_half_the_limit() -> None:
    body = "\n\n".join(["x" * 199] * 5)  # two have 400 bytes with the blank line between them
    assert [len(text) for text in texts(body)] == [400, 400, 199]
    assert [len(text) for text in texts(body, 802)] == [601, 400]


def test_a_paragraph_that_does_not_fit_starts_a_passage() -> None:
    body = f"{'a' * 300}\n\n{'b' * 499}\n\n{'c' * 10}"
    assert [text[0] for text in texts(body)] == ["a", "b", "c"]
    assert [text[0] for text in texts(body, 801)] == ["a", "c"]


@pytest.mark.parametrize(
    "heading", ["# Leave", "###### Leave", "Leave\n=====", "Leave\n-----", "Leave\n~~~~~"]
)
def test_a_heading_starts_a_passage_and_is_above_its_text(heading: str) -> None:
    found = passages(f"Before.\n\n{heading}\n\nAll.\n\n{LONG}\n\n{LONG}\n\nEnd.")
    name = heading.split("\n", maxsplit=1)[0]
    assert [passage.heading for passage in found] == ["", name, name, name]
    assert texts(f"Before.\n\n{heading}\n\nAfter.") == ["Before.", f"{heading}\n\nAfter."]


@pytest.mark.parametrize("line", ["#channel", "####### seven", "a | b\n--|--", "Leave\n--"])
def test_what_only_looks_like_a_heading_starts_no_passage(line: str) -> None:
    (passage,) = passages(f"Before.\n\n{line}\n\nAfter.")
    assert passage.heading == ""


def test_a_heading_in_markdown_needs_no_blank_line_before_it() -> None:
    assert texts("Before.\n## Leave\nAfter.") == ["Before.", "## Leave\nAfter."]


def test_a_hash_that_is_no_heading_does_not_split_a_paragraph() -> None:
    body = f"{'a' * 500}\n#channel {'b' * 250}"
    assert texts(body) == [body]


def test_headings_one_after_the_other_share_a_passage_and_the_last_one_counts() -> None:
    (passage,) = passages("# Handbook\n\n## Leave\n\nAll.")
    assert passage.heading == "## Leave"


def test_the_end_of_a_split_paragraph_ends_a_passage() -> None:
    body = f"{LONG * 2}\n\nShort."
    assert texts(body)[-1] == "Short."


@pytest.mark.parametrize("separator", ["\n", ". ", "\u3002", " "])
def test_a_long_paragraph_is_split_at_lines_then_sentences_then_spaces(separator: str) -> None:
    piece = "first " + "word " * 10 + "last"
    for text in texts(separator.join([piece] * 40)):
        words = text.strip(".\u3002").split()
        assert {words[0], words[-1]} <= {"first", "word", "last"}
        if separator != " ":
            assert (words[0], words[-1]) == ("first", "last")


def test_bounds_come_back_after_an_edit() -> None:
    """An edit moves the bounds up to the next heading or long paragraph, and none behind it."""
    draw = random.Random(5)
    parts = [
        " ".join(["word"] * draw.choice([5, 20, 60, 90])) + f" {number}." for number in range(80)
    ]
    before = texts("\n\n".join(parts))
    for place in range(0, 60, 7):
        after = texts("\n\n".join([*parts[:place], "A new paragraph.", *parts[place:]]))
        changed = [text for text in before if text not in after]
        assert len(changed) <= 4, place  # of 60 and more; a count of bytes would move all behind it


@given(st.text(max_size=3000), st.integers(20, 900))
def test_passages_are_the_body_without_some_blanks(body: str, max_bytes: int) -> None:
    found = passages(body, max_bytes)
    assert all(0 < n_bytes(text) <= max_bytes for text in texts(body, max_bytes))
    assert all(text == text.strip() for text in texts(body, max_bytes))
    assert [found[i].end <= found[i + 1].start for i in range(len(found) - 1)].count(False) == 0
    assert "".join("".join(texts(body, max_bytes)).split()) == "".join(body.split())


@pytest.mark.parametrize("unit", ["a", "w ", "a\n\n", "# ", "a\n===\n", "\u3002", "-\n", "\n \n"])
def test_the_time_of_any_text_is_linear(unit: str) -> None:
    """Its square would be minutes."""
    found = texts(unit * (200_000 // len(unit)))
    assert all(n_bytes(text) <= 800 for text in found)
