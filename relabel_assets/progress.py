"""The type of progress callbacks, which long work calls after each piece.

What belongs here: the type, and a callback that does nothing. What does not: logging the progress
(graph/table_asset.py).
"""

from typing import Protocol


class Progress(Protocol):
    """`done` of `total` pieces of `step` are finished; `note` is a remark, such as a rate."""

    def __call__(self, step: str, done: int, total: int, note: str = "") -> None: ...


def silent(step: str, done: int, total: int, note: str = "") -> None:
    """Report nothing."""
