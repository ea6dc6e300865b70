"""The attempts of one request, until it has a usable answer or a reason why not.

What belongs here: waiting for a turn, sending once, recording, and acting on the decision. What
does not: the queue of requests (live.py), verdicts (verdict.py), decisions (decision.py), and what ends
a run whose requests are all refused (refusals.py).
"""

import asyncio
import random
from dataclasses import dataclass, field, replace

from relabel_assets.corpus.excerpts.excerpt import BYTES_PER_TOKEN
from relabel_assets.progress import duration
from relabel_assets.teacher.decision import Tries, decide
from relabel_assets.teacher.exchange import Exchange, ExchangeStatus
from relabel_assets.teacher.ledger.lines import Line, request_line, response_line
from relabel_assets.teacher.ledger.writer import LedgerWriter
from relabel_assets.teacher.requests import Outgoing
from relabel_assets.teacher.sending.context import SendingContext
from relabel_assets.teacher.sending.endpoint import Endpoint
from relabel_assets.teacher.sending.limits import CircuitBreaker, RateLimiter, max_cost_usd
from relabel_assets.teacher.sending.refusals import Refusals
from relabel_assets.teacher.verdict import Verdict, judge

# The least failures in a row that open the circuit breaker. Not measured: with few workers, a handful
# of failures may be chance. With many, it takes a failure of each request in flight.
_FEWEST_FAILURES = 10
# Completion tokens of a reply, for the rate limit: a grade and a sentence are about 60. Each reply then
# moves the mean by a twentieth. So it follows a model within some 20 replies, and one long reply does
# not halt sending.
_FIRST_COMPLETION_TOKENS = 60.0
_MEAN_UPDATE = 0.05


@dataclass
class SendingState:
    """The state of a live run. It belongs to one event loop."""

    context: SendingContext
    endpoint: Endpoint
    writer: LedgerWriter
    completion_tokens_mean: float = _FIRST_COMPLETION_TOKENS
    failure: str | None = None  # the last sign that the endpoint is down
    refusals: Refusals = field(init=False)
    circuit_breaker: CircuitBreaker = field(init=False)
    requests_limiter: RateLimiter = field(init=False)
    tokens_limiter: RateLimiter = field(init=False)

    def __post_init__(self) -> None:
        config = self.context.config
        self.refusals = Refusals(self.context, self.endpoint)
        self.circuit_breaker = CircuitBreaker(
            max(_FEWEST_FAILURES, config.max_concurrency), self.context.retry_settings.probe_waits_s
        )
        self.requests_limiter = RateLimiter(config.requests_per_minute)
        self.tokens_limiter = RateLimiter(config.tokens_per_minute)


@dataclass(frozen=True)
class NotSent:
    """The status and the reason of a request that was not sent.

    >>> NotSent("over_budget", "not sent: the budget does not hold another request").status
    'over_budget'
    """

    status: ExchangeStatus
    reason: str


@dataclass(frozen=True)
class Sent:
    """The response to a request that was sent, as the ledger has it, and the verdict on it."""

    line: Line
    verdict: Verdict


async def send_with_retries(state: SendingState, index: int, outgoing: Outgoing) -> Exchange:
    """Send `outgoing` as often as needed and allowed, and return how it ended.

    Raises TeacherError if the endpoint denies access.

    >>> exchange = await send_with_retries(state, 0, Outgoing.of(request))  # doctest: +SKIP
    """
    context, model = state.context, outgoing.request.model
    tries = Tries()
    while True:
        outgoing = outgoing.in_dialect(context.dialects.current(model))
        sent = await send_once(state, outgoing)
        if isinstance(sent, NotSent):
            return context.ended(index, outgoing, sent.status, sent.reason)
        line, verdict = sent.line, sent.verdict
        assert line.response is not None
        parsed = context.read_line(outgoing, line) if verdict.action == "use" else None
        if parsed is not None:
            context.stop_if_all_are_cut(parsed)
        tries = tries.plus(verdict, parsed)
        decision = decide(verdict, tries, context.config.max_retries, parsed)
        match decision.step:
            case "ask_again":
                continue
            case "back_off":
                await back_off(context, tries.n_unanswered, verdict)
                continue
            case "concede":
                if context.dialects.concede(outgoing, verdict, context.notices.say):
                    continue
            case "deny":
                state.refusals.deny(outgoing, verdict)
            case "stop":
                context.stop(f"the endpoint's quota or money is spent ({decision.reason})")
        state.refusals.count_rejection(outgoing, verdict)
        return context.ended(index, outgoing, decision.status, decision.reason, line, parsed)


async def send_once(state: SendingState, outgoing: Outgoing) -> Sent | NotSent:
    """Send once, when circuit breaker, budget and rate limits allow it. The response is in the ledger.

    >>> sent = await send_once(state, Outgoing.of(request))  # doctest: +SKIP
    """
    breaker, context = state.circuit_breaker, state.context
    is_probe = await breaker.enter()
    is_success: bool | None = None
    try:
        if breaker.is_down:
            address = state.endpoint.address(outgoing.request.url)
            context.stop(f"the endpoint {address} is down ({state.failure})")
        sent = await _send_within_limits(state, outgoing)
        if isinstance(sent, Sent) and sent.verdict.is_down:
            is_success, state.failure = False, sent.verdict.reason
        elif isinstance(sent, Sent) and sent.verdict.action == "use":
            is_success = True
        return sent
    finally:
        breaker.leave(is_probe, is_success)


async def _send_within_limits(state: SendingState, outgoing: Outgoing) -> Sent | NotSent:
    """Send once, within the budget and the rate limits."""
    context, budget = state.context, state.context.budget
    if context.stop_reason is not None:
        return NotSent("failed", f"not sent: {context.stop_reason}")
    reserved_usd = max_cost_usd(outgoing, context.prices.get(outgoing.request.model))
    if not await budget.reserve(reserved_usd):
        return NotSent("over_budget", "not sent: the budget does not hold another request")
    cost_usd: float | None = None
    try:
        announced_tokens = outgoing.prompt_tokens + state.completion_tokens_mean
        await state.requests_limiter.wait(1)
        await state.tokens_limiter.wait(announced_tokens)
        if context.stop_reason is not None:  # by another request, while this one waited
            return NotSent("failed", f"not sent: {context.stop_reason}")
        sent = await _exchange(state, outgoing)
        cost_usd = sent.line.metadata.cost_usd
        _count_tokens(state, sent.line, outgoing, announced_tokens)
        return sent
    finally:
        await budget.settle(reserved_usd, cost_usd)


def _count_tokens(
    state: SendingState, line: Line, outgoing: Outgoing, announced_tokens: float
) -> None:
    """Replace the announced tokens by those that the endpoint counted, and update the mean.

    Counts that cannot be are not believed: one of a billion would halt sending for hours.
    """
    prompt, completion = line.metadata.prompt_tokens, line.metadata.completion_tokens
    if prompt is None or completion is None:
        return
    prompt = min(prompt, BYTES_PER_TOKEN * outgoing.prompt_tokens)  # a token has a byte at least
    completion = min(completion, outgoing.request.max_completion_tokens)
    state.completion_tokens_mean += _MEAN_UPDATE * (completion - state.completion_tokens_mean)
    state.tokens_limiter.correct(prompt + completion - announced_tokens)


async def _exchange(state: SendingState, outgoing: Outgoing) -> Sent:
    """Send once, record, judge. The response is on the disk before this returns."""
    context, request = state.context, outgoing.request
    metadata = context.metadata(outgoing)
    state.writer.put(request_line(outgoing.key, outgoing.body, metadata, request.url))
    context.counts["sent"] += 1
    state.refusals.note_sent(outgoing)
    received = await state.endpoint.post(outgoing.body)
    response, price = received.response, context.prices.get(request.model)
    metadata = metadata.of_response(response.body, price, received.latency_s)
    metadata = replace(metadata, cut=context.why_cut(outgoing, response.body) or "")
    line = Line(outgoing.key, metadata, response)
    await state.writer.commit(response_line(line.key, response, line.metadata))
    if price is None:
        context.notices.say(
            f"the price of {request.model} at {context.endpoint_name} is unknown: cost_usd is NULL"
        )
    verdict = judge(
        response.status_code,
        response.body,
        error=response.error_message,
        error_code=response.error_code,
        headers=received.headers,
    )
    if verdict.action == "use":
        context.dialects.mark_answered(request.model, outgoing.dialect)
        state.refusals.note_answer()
    elif response.is_answer and isinstance(response.body, str):
        state.refusals.count_page(outgoing, verdict)
    return Sent(line, verdict)


async def back_off(context: SendingContext, n_unanswered: int, verdict: Verdict) -> None:
    """Wait before the next attempt: as long as the endpoint asks, else twice as long each time.

    Jitter keeps requests that failed together from being sent together again.

    >>> await back_off(context, 1, Verdict("retry", "HTTP 429"))  # doctest: +SKIP
    """
    settings, asked_s = context.retry_settings, verdict.retry_after_s
    doubled_s = settings.first_backoff_s * 2 ** (n_unanswered - 1)
    longest_s = min(settings.longest_backoff_s, doubled_s)
    if asked_s is not None and asked_s > settings.longest_retry_after_s:
        context.stop(f"the endpoint asks to wait {duration(asked_s)} ({verdict.reason})")
    elif asked_s is not None:
        await asyncio.sleep(asked_s + random.uniform(0, 0.1) * longest_s)
    else:
        await asyncio.sleep(random.uniform(0.5, 1.0) * longest_s)
