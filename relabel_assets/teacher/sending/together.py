"""Sending questions together: one request for a bundle, and what follows for each of its questions.

What belongs here: reading the answers of a bundle, asking again for what is left, and halving a bundle
that the endpoint does not take. What does not: which questions are bundled (decisions/bundles.py), one
attempt (attempts.py) and the queue (live.py).

A bundle is halved, down to one question, where the endpoint rejects it, its content filter refuses it, its
prompt was cut, its reply is above the limit, or it is not answered in time. So a question that is at fault
costs itself. At worst, that takes twice as many requests as asking each question alone.
"""

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import accumulate

from relabel_assets.teacher.decision import Decision, Tries, decide
from relabel_assets.teacher.decisions.bundles import Asked
from relabel_assets.teacher.decisions.decision_requests import DecisionRequest, joined
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.ledger.lines import Line
from relabel_assets.teacher.ledger.shares import shares_of
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.requests import Outgoing, estimate_tokens
from relabel_assets.teacher.sending.attempts import (
    NotSent,
    SendingState,
    Sent,
    back_off,
    send_once,
)
from relabel_assets.teacher.sending.context import cut_reply
from relabel_assets.teacher.sending.limits import max_cost_usd

_HALVED = ("rejected", "refused", "unusable")  # actions of a verdict
# Words of a complaint about the length of the request, or about the number of its questions.
_LENGTH = re.compile(r"\btoo (?:long|large|big)|context|token|length|payload", re.IGNORECASE)
_NUMBER = re.compile(r"\bquestions?\b", re.IGNORECASE)


@dataclass
class _Question:
    """A question of a bundle, with its tries in this run."""

    index: int
    outgoing: Outgoing
    tries: Tries = field(default_factory=Tries)
    complaint: str = ""  # about the last bundle that it was in, if that was halved


_Group = list[_Question]


@dataclass
class _Limits:
    """What the endpoint takes in one request, as far as it is known."""

    max_questions: int | None = None
    max_tokens: int | None = None  # estimated

    def most(self, group: _Group) -> int:
        """How many of the first questions the endpoint takes. It may always be asked one."""
        n = min(len(group), self.max_questions or len(group))
        if self.max_tokens is None:
            return n
        return max(1, bisect_right(_tokens(group[:n]), self.max_tokens))

    def learn(self, group: _Group) -> None:
        """Note that `group` was taken, after a larger one was rejected with its complaint."""
        complaint = group[0].complaint
        if _LENGTH.search(complaint):
            self.max_tokens = _tokens(group)[-1]
        elif _NUMBER.search(complaint):
            self.max_questions = len(group)


def _tokens(group: _Group) -> list[int]:
    """Estimated tokens of a request with the first question of `group`, the first two, and so on."""
    request = group[0].outgoing.request
    assert isinstance(request, DecisionRequest)
    shared = estimate_tokens(request.input)
    own = (question.outgoing.prompt_tokens - shared for question in group)
    return list(accumulate(own, initial=shared))[1:]


class BundleSender:
    """Sends the bundles of one run. It learns how large a bundle the endpoint takes.

    >>> exchanges = await BundleSender(state).send(bundle)  # doctest: +SKIP
    """

    def __init__(self, state: SendingState) -> None:
        self._state, self._context = state, state.context
        self._limits: dict[str, _Limits] = {}  # by model

    async def send(self, bundle: Sequence[Asked]) -> list[Exchange]:
        """Send `bundle` as often as needed and allowed; return how each question ended.

        Raises TeacherError if the endpoint denies access.
        """
        ended: list[Exchange] = []
        groups: list[_Group] = [[_Question(index, outgoing) for index, outgoing in bundle]]
        while groups:
            group = groups.pop()
            n = self._n_to_send(group)
            if n < len(group):
                groups.append(group[n:])
            groups += await self._attempt(group[:n], ended)
            if len(group) == 1 and _is_too_long(ended[-1]):
                groups = [self._shorter(group[0], rest, ended) for rest in groups]
                groups = [rest for rest in groups if rest]
        return ended

    def _shorter(self, rejected: _Question, group: _Group, ended: list[Exchange]) -> _Group:
        """The questions of `group` that are shorter than one that was rejected alone for its length.

        They have the same input. The others end for its reason.
        """
        n_tokens, reason = rejected.outgoing.prompt_tokens, ended[-1].reason
        is_shorter = [question.outgoing.prompt_tokens < n_tokens for question in group]
        longer = [
            question for question, is_kept in zip(group, is_shorter, strict=True) if not is_kept
        ]
        self._end(longer, ended, Decision("end", "failed", reason))
        return [question for question, is_kept in zip(group, is_shorter, strict=True) if is_kept]

    def _n_to_send(self, group: _Group) -> int:
        """How many of the first questions go into one request: what endpoint and budget hold."""
        n = self._limits.setdefault(group[0].outgoing.request.model, _Limits()).most(group)
        while n > 1 and not self._could_pay(group[:n]):
            n //= 2
        return n

    def _could_pay(self, group: _Group) -> bool:
        budget, prices = self._context.budget, self._context.prices
        if budget.limit_usd is None:
            return True
        bundle = _joined(group)
        return budget.could_hold(max_cost_usd(bundle, prices.get(bundle.request.model)))

    async def _attempt(self, group: _Group, ended: list[Exchange]) -> list[_Group]:
        """Send `group` once. Add the questions that ended; return the groups to send again."""
        context = self._context
        sent = await send_once(self._state, _joined(group))
        if isinstance(sent, NotSent):
            self._end(group, ended, Decision("end", sent.status, sent.reason))
            return []
        verdict = sent.verdict
        if verdict.action == "use":
            return self._read(group, sent, ended)
        if verdict.action in _HALVED and len(group) > 1:
            return _halves(group, verdict.reason or "")
        for question in group:
            question.tries = question.tries.plus(verdict)
        tries = max((question.tries for question in group), key=lambda tries: tries.n_unanswered)
        decision = decide(verdict, tries, context.config.max_retries)
        match decision.step:
            case "ask_again":
                return [group]
            case "back_off":
                await back_off(context, tries.n_unanswered, verdict)
                return _halves(group, "") if _is_late(sent) else [group]
            case "deny":
                self._state.refusals.deny(group[0].outgoing, verdict)
            case "stop":
                context.stop(f"the endpoint's quota or money is spent ({decision.reason})")
        self._state.refusals.count_rejection(group[0].outgoing, verdict)
        self._end(group, ended, decision, sent.line)
        return []

    def _read(self, group: _Group, sent: Sent, ended: list[Exchange]) -> list[_Group]:
        """End each question of `group` by its own answer; return the groups to ask again."""
        context, cut, shares = self._context, sent.line.metadata.cut, shares_of(sent.line)
        if cut and len(group) > 1:
            return _halves(group, f"context: {cut}")
        if not cut:
            self._limits[group[0].outgoing.request.model].learn(group)
        left, replies = _Group(), list[ParsedReply]()
        for question in group:
            outgoing, line = question.outgoing, shares[question.outgoing.key]
            assert line.response is not None
            parsed = cut_reply(cut) if cut else context.read_whole(line.response.body)
            replies.append(parsed)
            question.tries = question.tries.plus(sent.verdict, parsed)
            decision = decide(sent.verdict, question.tries, context.config.max_retries, parsed)
            if decision.step == "ask_again":
                left.append(question)
            else:
                status, reason = decision.status, decision.reason
                exchange = context.ended(question.index, outgoing, status, reason, line, parsed)
                ended.append(exchange)
        # It is one response, and usable if one of its answers is.
        best = min(replies, key=lambda parsed: parsed.status not in ("ok", "refused"))
        context.stop_if_all_are_cut(best)
        return [left] if left else []

    def _end(
        self, group: _Group, ended: list[Exchange], decision: Decision, line: Line | None = None
    ) -> None:
        """End every question of `group` without an answer."""
        shares = {} if line is None else shares_of(line)
        for question in group:
            outgoing = question.outgoing
            exchange = self._context.ended(
                question.index, outgoing, decision.status, decision.reason, shares.get(outgoing.key)
            )
            ended.append(exchange)


def _joined(group: _Group) -> Outgoing:
    return joined([question.outgoing for question in group])


def _halves(group: _Group, complaint: str) -> list[_Group]:
    """The halves of `group`, the first one last: it is sent first.

    >>> request = DecisionRequest("m", "a document", ({"levels": []},))
    >>> group = [_Question(index, Outgoing.of(request)) for index in range(3)]
    >>> [[question.index for question in half] for half in _halves(group, "too many questions")]
    [[2], [0, 1]]
    """
    for question in group:
        question.complaint = complaint
    middle = (len(group) + 1) // 2
    return [half for half in (group[middle:], group[:middle]) if half]


def _is_too_long(exchange: Exchange) -> bool:
    """Whether the endpoint rejected a question for its length."""
    response = exchange.line.response if exchange.line is not None else None
    is_rejected = response is not None and response.status_code in (400, 413, 422)
    return is_rejected and _LENGTH.search(exchange.reason or "") is not None


def _is_late(sent: Sent) -> bool:
    response = sent.line.response
    return response is not None and response.error_code == "timeout"
