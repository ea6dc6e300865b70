"""The result of one check of RELABEL_HOME.

What belongs here: the value. What does not: the checks (doctor.py, space.py).
"""

from dataclasses import dataclass


@dataclass(frozen=True)
class Finding:
    """The result of one check. `problem` is None if the subject is in order.

    `is_fixed`: the problem was repaired. `note` needs no action.
    """

    subject: str
    problem: str | None = None
    is_fixed: bool = False
    note: str = ""
