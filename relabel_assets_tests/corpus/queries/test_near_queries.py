"""Near duplicates are those of comparing every pair."""

import random

import pytest
from rapidfuzz import fuzz

from relabel_assets.corpus.queries import near_queries
from relabel_assets.corpus.queries.near_queries import NEAR_DUPLICATE, near_duplicates


def made(seed: int) -> list[str]:
    """Texts of few letters in several scripts, many of them one or two changes from another."""
    draw, texts = random.Random(seed), [""]
    for _ in range(300):
        text = "".join(draw.choices("abcdeäж育児休業😀   ", k=draw.randint(1, 40)))
        for _ in range(draw.randint(0, 3)):
            texts.append(text)
            place = draw.randrange(len(text))
            text = text[:place] + draw.choice(["", "a", "業", "ab"]) + text[place + 1 :] or "a"
    return sorted({*texts})


@pytest.mark.parametrize("block", [7, 200])
def test_no_pair_is_lost_by_lengths_and_blocks(block: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(near_queries, "_TEXTS_A_BLOCK", block)
    left, right = made(1), [*made(2), *made(1)[::3]]
    near = {(row, int(other)) for row, rows in near_duplicates(left, right) for other in rows}
    expected = {
        (row, other)
        for row, one in enumerate(left)
        for other, another in enumerate(right)
        if fuzz.ratio(one, another) >= NEAR_DUPLICATE
    }
    assert near == expected
    assert len(near) > len(right) / 3
