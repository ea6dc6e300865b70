"""Batches with little padding, and texts tokenized while the model computes.

What belongs here: the order and the number of rows that a model computes at once, and its device.
What does not: the model (encoder.py). Imported only where a model is needed: it loads torch.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_CPU_BATCH_TOKENS = 4096  # not measured: some 20 rows of 192 tokens, whose activations stay small
_GPU_BATCH_TOKENS = 65_536  # not measured: a GPU needs more rows at once to be busy
# In tokens. Measured: at widths between, torch's attention on a CPU takes up to twice as long.
WIDTH_STEP = 16
Chunk = TypeVar("Chunk")
Prepared = TypeVar("Prepared")


def device() -> torch.device:
    """The device that models run on: the first GPU, else the CPU.

    >>> device().type in ("cpu", "cuda")
    True
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def max_batch_tokens() -> int:
    """The most tokens of one batch on this machine, padding included.

    >>> max_batch_tokens() == (65_536 if torch.cuda.is_available() else 4096)
    True
    """
    return _GPU_BATCH_TOKENS if torch.cuda.is_available() else _CPU_BATCH_TOKENS


def padded_width(longest: int, max_width: int) -> int:
    """The width of a batch: `longest` rounded up to WIDTH_STEP, unless that exceeds `max_width`.

    >>> padded_width(17, 512), padded_width(32, 512), padded_width(509, 510)
    (32, 32, 509)
    """
    padded = -(-longest // WIDTH_STEP) * WIDTH_STEP
    return padded if padded <= max_width else longest


def batches_by_length(lengths: Sequence[int], max_tokens: int) -> Iterator[list[int]]:
    """Yield the indices of rows, shortest row first, in batches of at most `max_tokens` with padding.

    A batch has at least one row.

    >>> list(batches_by_length([5, 2, 9, 2], max_tokens=10))
    [[1, 3], [0], [2]]
    """
    batch: list[int] = []
    for row in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Rows come in order of length, so every other row of the batch is padded to this one.
        if batch and (len(batch) + 1) * lengths[row] > max_tokens:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def prefetched(chunks: Sequence[Chunk], prepare: Callable[[Chunk], Prepared]) -> Iterator[Prepared]:
    """Yield `prepare(chunk)` of each chunk, in order, while a thread prepares the next one.

    The thread saves time because tokenizers release Python's global lock.

    >>> list(prefetched(["a", "b"], str.upper))
    ['A', 'B']
    """
    with ThreadPoolExecutor(1) as executor:
        pending = executor.submit(prepare, chunks[0]) if chunks else None
        for chunk in [*chunks[1:], None]:
            if pending is None:
                return
            prepared = pending.result()
            pending = None if chunk is None else executor.submit(prepare, chunk)
            yield prepared
