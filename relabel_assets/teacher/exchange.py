"""An exchange with the teacher: how a request ended, and its parsed reply.

What belongs here: the values that sending returns to its caller. What does not: sending (sender.py)
and parsing (replies.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from relabel_assets.teacher.ledger.lines import Line
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.requests import TeacherRequest

ExchangeStatus = Literal["ok", "refused", "unparseable", "failed", "over_budget"]


@dataclass(frozen=True)
class Exchange:
    """How a request ended. `line` is its response in the ledger, `parsed` its reply.

    `attempts` and `cost_usd` count all requests ever sent under `key`, also if the ledger answers.
    """

    index: int  # position in the caller's requests
    request: TeacherRequest
    key: str
    status: ExchangeStatus
    reason: str | None
    attempts: int
    cost_usd: float | None
    line: Line | None = None
    parsed: ParsedReply | None = None
    is_replayed: bool = False  # answered from the ledger


Read = Callable[[Any], ParsedReply]  # parses the body of a 2xx response
OnExchange = Callable[[Exchange], None]  # called once for every request, when it ends
