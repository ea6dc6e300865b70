"""Progress callbacks: a function that long work calls with a step's name and how far it is.

What belongs here: the type, and a callback that does nothing. What does not: showing progress
(graph/ logs it).
"""

from typing import Protocol


class Progress(Protocol):
    """`done` of `total` pieces of `step` are finished; `note` is a remark, such as a rate."""

    def __call__(self, step: str, done: int, total: int, note: str = "") -> None: ...


def silent(step: str, done: int, total: int, note: str = "") -> None:
    """Report nothing: the default where nobody watches."""
