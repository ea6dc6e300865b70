"""How a request to a teacher ended, and what the caller made of the answer.

What belongs here: the values that the sending engine hands to whoever asked. What does not: sending
(resources/sending.py) and any particular reading (core/replies.py, core/synthesis.py).
"""

from dataclasses import dataclass
from typing import Any, Literal

from relabel_assets.teacher.ledger.lines import Line
from relabel_assets.teacher.requests import Request

ExchangeStatus = Literal["ok", "refused", "unparseable", "failed", "over_budget"]


@dataclass(frozen=True)
class ParsedReply:
    """What a caller's `read` makes of an answer's body. `value` is the caller's own, and is only there if ok."""

    status: Literal["ok", "refused", "unparseable"]
    reason: str | None = None
    value: Any = None


@dataclass(frozen=True)
class Exchange:
    """How a request ended. `line` is the response behind it, `parsed` what was read; None where nothing answered.

    `attempts` and `cost_usd` are of all requests ever sent under `key`, so that they stay what they are when the
    ledger answers.
    """

    index: int  # place of the request among those that were given
    request: Request
    key: str
    status: ExchangeStatus
    reason: str | None
    attempts: int
    cost_usd: float | None
    line: Line | None = None
    parsed: ParsedReply | None = None
    is_replayed: bool = False  # answered from the ledger
