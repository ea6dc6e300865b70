"""A table as the reader returns it: its rows with their lines, and what was taken to read it.

What belongs here: that value. What does not: reading (reader.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from relabel_assets.intake.set_aside import SetAside

Row = dict[str, Any] | SetAside
NumberedRow = tuple[int, Row]


@dataclass(frozen=True)
class Table:
    """The rows of a table: each a dict by our names, or the reason why it cannot be used.

    A row comes with the number of its first line, or of its row in a format without lines. Iterating raises
    SetAside where the rest cannot be read. `taken` says in words what was decided to read it; it is empty
    where there was nothing to decide.
    """

    rows: Iterator[NumberedRow]
    taken: str = ""
