"""The decision after a response: end the request, send it again, or stop the run.

What belongs here: that decision, on plain values. What does not: the verdict on an HTTP status
(verdict.py), and acting on the decision (sending/attempts.py, batch/rounds.py).
"""

from dataclasses import dataclass, replace
from typing import Literal

from relabel_assets.teacher.exchange import ExchangeStatus
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.verdict import Verdict

# How often a request is sent again after a reply that cannot be parsed. Not measured: a garbled reply is
# mostly fine the second time, because few servers repeat themselves at temperature 0 with a seed. A
# model that missed the schema three times rarely fits it later, and every reply costs money.
MAX_UNREADABLE_RETRIES = 2

Step = Literal["end", "ask_again", "back_off", "concede", "deny", "stop"]
_STEPS: dict[str, Step] = {
    "refused": "end",
    "rejected": "concede",
    "denied": "deny",
    "unreachable": "deny",
    "exhausted": "stop",
    "unusable": "end",
    "malformed": "concede",
}
_STATUSES: dict[str, ExchangeStatus] = {
    "refused": "refused",
    "unusable": "unparseable",
    "malformed": "unparseable",
}


@dataclass(frozen=True)
class Tries:
    """How often one request failed in this run. Each count has a limit of its own."""

    n_unanswered: int = 0  # no response, or the endpoint was busy or down
    n_unreadable: int = 0  # a reply that could not be parsed, by us or by the endpoint
    fault: str | None = None  # of the last reply that could not be parsed
    is_same_fault: bool = False  # as that of the reply before it: this server repeats itself

    def plus(self, verdict: Verdict, parsed: ParsedReply | None = None) -> "Tries":
        """The tries after one more response."""
        if verdict.action == "retry":
            return replace(self, n_unanswered=self.n_unanswered + 1)
        if parsed is not None and parsed.status == "unparseable":
            is_same = parsed.reason == self.fault
            n_unreadable = self.n_unreadable + 1
            return Tries(self.n_unanswered, n_unreadable, parsed.reason, is_same)
        if verdict.action == "malformed":  # its reason does not quote the reply
            return replace(self, n_unreadable=self.n_unreadable + 1)
        return self


@dataclass(frozen=True)
class Decision:
    """What to do with a request after a response. `step` is one of

    end        end it with `status` and `reason`
    ask_again  send it again at once: the endpoint works, but the reply could not be parsed
    back_off   send it again after a wait
    concede    send it again in a weaker dialect; without one, end it with `status` and `reason`.
               After malformed replies, that is a weaker response format
    deny       end it: the endpoint denies access. Live sending stops if nothing was answered yet
    stop       end it and send nothing more: the account has no money or quota left
    """

    step: Step
    status: ExchangeStatus = "failed"
    reason: str | None = None


def decide(
    verdict: Verdict, tries: Tries, max_retries: int, parsed: ParsedReply | None = None
) -> Decision:
    """The decision after a response with `verdict`. `tries` includes it; `parsed` is its reply.

    >>> decide(Verdict("retry", "HTTP 429"), Tries(n_unanswered=1), max_retries=4).step
    'back_off'
    >>> decide(Verdict("retry", "HTTP 429"), Tries(n_unanswered=5), max_retries=4)
    Decision(step='end', status='failed', reason='HTTP 429 (5 attempts)')
    """
    has_unreadable_left = tries.n_unreadable <= min(MAX_UNREADABLE_RETRIES, max_retries)
    if verdict.action == "use":
        assert parsed is not None
        # A reply that was cut would be cut again, and one that came twice would come a third time.
        is_hopeless = parsed.is_cut or tries.is_same_fault
        is_again = parsed.status == "unparseable" and has_unreadable_left and not is_hopeless
        return Decision("ask_again" if is_again else "end", parsed.status, parsed.reason)
    if verdict.action == "malformed" and has_unreadable_left:
        return Decision("ask_again", reason=verdict.reason)
    if verdict.action == "retry":
        if tries.n_unanswered <= max_retries:
            return Decision("back_off", reason=verdict.reason)
        return Decision("end", reason=f"{verdict.reason} ({tries.n_unanswered} attempts)")
    return Decision(_STEPS[verdict.action], _STATUSES.get(verdict.action, "failed"), verdict.reason)
