"""Fillers: their number, and the words of each field that they add."""

import pytest

from relabel_assets.candidates.steps import FILLER, fillers, next_step


@pytest.mark.parametrize(
    ("count", "step"),
    [
        (0, 1),
        (1, 2),
        (110, 128),
        (127, 128),
        (128, 153),
        (152, 153),
        (153, 182),
        (1_000_000, 1_048_576),
    ],
)
def test_next_step_by_hand(count: int, step: int) -> None:
    assert next_step(count) == step


def test_fillers_raise_documents_and_words_to_the_next_step() -> None:
    n_words = {"title": 200, "body": 9_000, "metadata": 0}
    filled = list(fillers(110, n_words))
    assert 110 + len(filled) == 128
    words = {name: [fields[name].split() for fields in filled] for name in n_words}
    assert {word for of_field in words.values() for row in of_field for word in row} == {FILLER}
    n_filler_words = {name: sum(len(row) for row in of_field) for name, of_field in words.items()}
    assert 200 + n_filler_words["title"] == next_step(200)
    assert 9_000 + n_filler_words["body"] == next_step(9_000)


def test_a_field_that_is_empty_in_all_documents_stays_empty() -> None:
    assert {fields["metadata"] for fields in fillers(110, {"body": 9_000, "metadata": 0})} == {""}


def test_fillers_differ_by_at_most_one_word() -> None:
    lengths = {len(fields["body"].split()) for fields in fillers(110, {"body": 9_000})}
    assert max(lengths) - min(lengths) <= 1
