"""How long work reports where it is: a function that is called with a step's name, what is done and what there is.

What belongs here: the type and its silent form. What does not: showing it (graph.py logs it, cli.py draws it).
"""

from typing import Protocol


class Progress(Protocol):
    def __call__(self, step: str, done: int, total: int, note: str = "") -> None: ...


def silent(step: str, done: int, total: int, note: str = "") -> None:
    """Say nothing."""
