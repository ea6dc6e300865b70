"""Batches that waste no padding, and texts prepared while the model is at work.

What belongs here: in which order and how many at a time rows go through a model. What does not: the model.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

BATCH_TOKENS = 4096
_ON_GPU_TOKENS = 65_536
WIDTH_STEP = 16  # of a batch, in tokens: attention on a CPU takes up to twice as long at widths between
Given = TypeVar("Given")
Made = TypeVar("Made")


def device() -> torch.device:
    """Where models run: the first GPU, else the CPU."""
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def batch_tokens() -> int:
    return _ON_GPU_TOKENS if torch.cuda.is_available() else BATCH_TOKENS


def wide(longest: int, room: int) -> int:
    """How wide a batch is padded: to a whole number of steps, where the model has room for that."""
    padded = -(-longest // WIDTH_STEP) * WIDTH_STEP
    return padded if padded <= room else longest


def by_length(lengths: Sequence[int], tokens: int, *, shared: int = 0) -> Iterator[list[int]]:
    """Places of rows, shortest first, in runs whose padded size stays within `tokens`; `shared` tokens more a row."""
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        if batch and (len(batch) + 1) * (lengths[place] + shared) > tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def prepared(chunks: Sequence[Given], prepare: Callable[[Given], Made]) -> Iterator[Made]:
    """`prepare` of each chunk, the next one already under way in a thread: tokenizers work outside Python's lock."""
    with ThreadPoolExecutor(1) as ahead:
        waiting = ahead.submit(prepare, chunks[0]) if chunks else None
        for chunk in [*chunks[1:], None]:
            assert waiting is not None
            made = waiting.result()
            waiting = None if chunk is None else ahead.submit(prepare, chunk)
            yield made
