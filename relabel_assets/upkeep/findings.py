"""The result of one check of RELABEL_HOME, and of one that an error ends.

What belongs here: the value. What does not: the checks (doctor.py, warehouse_findings.py, space.py).
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from relabel_assets.errors import RelabelError
from relabel_assets.intake.one_input import INPUT_ERRORS, reason_of

_REMEDY = "Correct it, or move it away."


@dataclass(frozen=True)
class Finding:
    """The result of one check. `problem` is None if the subject is in order.

    `is_fixed`: the problem was repaired. `note` needs no action.
    """

    subject: str
    problem: str | None = None
    is_fixed: bool = False
    note: str = ""


def guarded(subject: str, check: Callable[[], Iterator[Finding]]) -> Iterator[Finding]:
    """The findings of `check`; one more for an error that ends it."""
    try:
        yield from check()
    except RelabelError as error:
        yield Finding(subject, str(error))
    except INPUT_ERRORS as error:
        yield Finding(subject, f"it cannot be read: {reason_of(error).rstrip('.')}. {_REMEDY}")
