"""Batches with little padding, and texts tokenized while the model computes.

What belongs here: in which order and how many at a time rows go through a model, and where it runs.
What does not: the model. Imported only where a model is needed: it loads torch.
"""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

import torch

_CPU_BATCH_TOKENS = 4096
_GPU_BATCH_TOKENS = 65_536  # a GPU needs more rows at once to be busy
WIDTH_STEP = (
    16  # in tokens: at widths between, torch's attention on a CPU takes up to twice as long
)
Chunk = TypeVar("Chunk")
Prepared = TypeVar("Prepared")


def device() -> torch.device:
    """Where models run: the first GPU, else the CPU.

    >>> device().type in ("cpu", "cuda")
    True
    """
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def max_batch_tokens() -> int:
    """How many tokens, padding included, go through a model at once on this machine.

    >>> max_batch_tokens() == (65_536 if torch.cuda.is_available() else 4096)
    True
    """
    return _GPU_BATCH_TOKENS if torch.cuda.is_available() else _CPU_BATCH_TOKENS


def padded_width(longest: int, max_width: int) -> int:
    """The width of a batch: the next multiple of WIDTH_STEP, or `longest` where that is more than
    the model can take.

    >>> padded_width(17, 512), padded_width(32, 512), padded_width(509, 510)
    (32, 32, 509)
    """
    padded = -(-longest // WIDTH_STEP) * WIDTH_STEP
    return padded if padded <= max_width else longest


def batches_by_length(lengths: Sequence[int], max_tokens: int) -> Iterator[list[int]]:
    """The places of rows, shortest row first, in batches of at most `max_tokens` with padding; at
    least a row each.

    >>> list(batches_by_length([5, 2, 9, 2], max_tokens=10))
    [[1, 3], [0], [2]]
    """
    batch: list[int] = []
    for place in sorted(range(len(lengths)), key=lengths.__getitem__):
        # Rows come in order of length, so the new row is the longest: every other one is padded to
        # it.
        if batch and (len(batch) + 1) * lengths[place] > max_tokens:
            yield batch
            batch = []
        batch.append(place)
    if batch:
        yield batch


def prefetched(chunks: Sequence[Chunk], prepare: Callable[[Chunk], Prepared]) -> Iterator[Prepared]:
    """`prepare` of each chunk, in order; a thread prepares the next one meanwhile.

    It is worth a thread because tokenizers work outside Python's lock.

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
