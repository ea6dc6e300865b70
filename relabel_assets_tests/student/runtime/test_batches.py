"""Batches by length, their padded width, and chunks prepared ahead."""

import threading
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relabel_assets.student.runtime.batches import batches_by_length, padded_width, prefetched


@pytest.mark.parametrize(
    ("longest", "width"), [(1, 16), (15, 16), (16, 16), (17, 32), (500, 512), (512, 512)]
)
def test_a_batch_is_padded_to_a_multiple_of_sixteen(longest: int, width: int) -> None:
    assert padded_width(longest, 512) == width


def test_a_batch_is_not_padded_beyond_the_models_maximum() -> None:
    assert padded_width(33, 39) == 33
    assert padded_width(39, 39) == 39
    assert padded_width(31, 39) == 32


def test_a_batch_ends_before_its_padded_size_exceeds_the_limit() -> None:
    # 3 rows of 4 make 12; a row of 5 would pad all four to 5, 20 tokens.
    assert list(batches_by_length([4, 5, 4, 4], 19)) == [[0, 2, 3], [1]]
    assert list(batches_by_length([4, 5, 4, 4], 20)) == [[0, 2, 3, 1]]


def test_a_row_longer_than_the_limit_is_a_batch_of_its_own() -> None:
    assert list(batches_by_length([3, 100], 10)) == [[0], [1]]
    assert list(batches_by_length([], 10)) == []


@settings(deadline=None)
@given(st.lists(st.integers(1, 50), max_size=60), st.integers(1, 200))
def test_every_row_is_in_one_batch_and_batches_fit(lengths: list[int], max_tokens: int) -> None:
    batches = list(batches_by_length(lengths, max_tokens))
    assert sorted(row for batch in batches for row in batch) == list(range(len(lengths)))
    for batch in batches:
        size = len(batch) * max(lengths[row] for row in batch)
        assert size <= max_tokens or len(batch) == 1


def test_the_next_chunk_is_prepared_while_the_caller_works_on_this_one() -> None:
    prepared: list[int] = []

    def prepare(chunk: int) -> int:
        prepared.append(chunk)
        return chunk * 10

    chunks = prefetched([1, 2, 3], prepare)
    assert next(chunks) == 10
    deadline = time.monotonic() + 5
    while len(prepared) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert prepared == [1, 2], "the next one, and no more than that"
    assert list(chunks) == [20, 30]


def test_an_empty_list_of_chunks_yields_nothing() -> None:
    assert list(prefetched([], str)) == []


def test_an_error_in_the_thread_reaches_the_caller() -> None:
    with pytest.raises(ZeroDivisionError):
        list(prefetched([1, 0], lambda chunk: 1 / chunk))
    assert all(not thread.name.startswith("ThreadPool") for thread in threading.enumerate())
