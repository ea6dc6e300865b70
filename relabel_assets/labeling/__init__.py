"""Labeling a file of pairs with a student: `relabel label`.

What belongs here: names that the command needs at import. What does not: labeling (label_file.py).
"""

from enum import StrEnum

# The teacher_status of a row that nobody asked about, and whose answer the ledger has.
PAID_BEFORE = "paid_before"


class Engine(StrEnum):
    """Where students grade: in this process, or on a Ray cluster."""

    LOCAL = "local"
    RAY = "ray"
