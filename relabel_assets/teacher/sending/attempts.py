"""One request, tried until it ends: with an answer that was read, or with a reason why there is none.

What belongs here: waiting for a turn, sending once, recording, and what follows from each verdict. What does not:
which requests there are and what the ledger has of them (resources/sending.py), the rules (core/verdict.py).
"""

import asyncio
import random
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from relabel_assets.corpus.config import TeacherConfig
from relabel_assets.errors import TeacherError
from relabel_assets.teacher.exchange import Exchange, ExchangeStatus, ParsedReply
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import (
    Line,
    RequestMetadata,
    now,
    request_line,
    response_line,
)
from relabel_assets.teacher.ledger.writer import LedgerWriter
from relabel_assets.teacher.prices import Price, read_usage
from relabel_assets.teacher.requests import Dialect, Request, estimate_prompt_tokens, request_key
from relabel_assets.teacher.sending.circuit import CircuitBreaker
from relabel_assets.teacher.sending.dialects import Dialects
from relabel_assets.teacher.sending.endpoint import Endpoint
from relabel_assets.teacher.sending.limits import RateLimiter
from relabel_assets.teacher.sending.retry_settings import RetrySettings
from relabel_assets.teacher.sending.spend import Budget
from relabel_assets.teacher.verdict import Verdict, judge

REREADS = 2  # more requests for a reply that cannot be read: a cut line mends itself, a stubborn model does not
_DENIALS = (
    3  # in a row, once the endpoint has answered: one odd 404 among answers is that request's own
)
TOKEN_SAFETY = 1.4  # money set aside for a prompt, over its estimated tokens: code and tables have more tokens a byte


@dataclass
class SendingState:
    """What a run sends with. Everything here belongs to one event loop."""

    config: TeacherConfig
    corpus: str
    purpose: str
    endpoint_name: str
    endpoint: Endpoint
    ledger: Ledger
    writer: LedgerWriter
    dialects: Dialects
    prices: Mapping[str, Price | None]
    budget: Budget
    circuit_breaker: CircuitBreaker
    retry_settings: RetrySettings
    counts: Counter[str]
    notices: list[str]
    completion_tokens_mean: float = 60.0  # before the first answer
    denials: int = 0
    is_answered: bool = False
    stop_reason: str | None = None
    requests_limiter: RateLimiter = field(init=False)
    tokens_limiter: RateLimiter = field(init=False)

    def __post_init__(self) -> None:
        self.requests_limiter = RateLimiter(self.config.requests_per_minute)
        self.tokens_limiter = RateLimiter(self.config.tokens_per_minute)

    def say(self, notice: str) -> None:
        """Tell people something, once."""
        if notice and notice not in self.notices:
            self.notices.append(notice)

    def stop(self, reason: str) -> None:
        """Send nothing more; what is left ends as failed, with this reason."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self.say(f"stopped early: {reason}. Running again goes on from here.")


@dataclass(frozen=True)
class _NotSent:
    status: ExchangeStatus
    reason: str


async def send_with_retries(
    state: SendingState, index: int, request: Request, read: Callable[[Any], ParsedReply]
) -> Exchange:
    """Send `request` as often as it takes and is allowed. Raises TeacherError where the endpoint denies access."""
    retries = unreadable = 0
    while True:
        dialect = state.dialects.current(request.model)
        body = request.body(dialect)
        key = request_key(body)

        def ended(
            status: ExchangeStatus,
            reason: str | None,
            *,
            line: Line | None,
            reading: ParsedReply | None = None,
        ) -> Exchange:
            history = state.ledger.history(key)  # noqa: B023 (called in the same turn)
            return Exchange(
                index,
                request,
                key,  # noqa: B023
                status,
                reason,
                history.attempts,
                history.cost_usd,
                line,
                reading,
            )

        sent = await _send(state, request, dialect, body, key)
        if isinstance(sent, _NotSent):
            return ended(sent.status, sent.reason, line=None)
        line, verdict = sent
        final: ExchangeStatus = "failed"
        reason = verdict.reason
        match verdict.action:
            case "use":
                reading = read(line.body)
                unreadable += reading.status == "unparseable"
                if reading.status != "unparseable" or unreadable > min(
                    REREADS, state.config.max_retries
                ):
                    return ended(reading.status, reading.reason, line=line, reading=reading)
                continue
            case "retry" if retries < state.config.max_retries:
                await _back_off(state, retries, verdict)
                retries += 1
                continue
            case "retry":
                reason = f"{verdict.reason} ({retries + 1} attempts)"
            case "rejected":
                notice = state.dialects.concede(request.model, dialect, verdict.reason or "", body)
                if notice is not None:
                    state.say(notice)
                    continue
            case "refused":
                final = "refused"
            case "denied":
                _deny(state, request, verdict)
            case "exhausted":
                state.stop(f"the endpoint's quota or money is spent ({verdict.reason})")
        return ended(final, reason, line=line)


async def _send(
    state: SendingState, request: Request, dialect: Dialect, body: dict[str, Any], key: str
) -> tuple[Line, Verdict] | _NotSent:
    """Wait for every turn, then send once."""
    is_probe = await state.circuit_breaker.enter()
    is_success: bool | None = None
    try:
        if state.circuit_breaker.is_down:
            state.stop(f"the endpoint {state.endpoint_name} is down")
        if state.stop_reason is not None:
            return _NotSent("failed", f"not sent: {state.stop_reason}")
        tokens = estimate_prompt_tokens(body)
        price = state.prices.get(request.model)
        most_usd = 0.0
        if price is not None:
            most_usd = (
                tokens * TOKEN_SAFETY * price.input + request.max_completion_tokens * price.output
            ) / 1_000_000
        if not await state.budget.reserve(most_usd):
            return _NotSent("over_budget", "not sent: the budget does not hold another request")
        cost_usd: float | None = None
        try:
            announced = tokens + state.completion_tokens_mean
            await state.requests_limiter.wait(1)
            await state.tokens_limiter.wait(announced)
            if state.stop_reason is not None:
                return _NotSent("failed", f"not sent: {state.stop_reason}")
            line, verdict = await _exchange(state, request, dialect, body, key)
            cost_usd = line.metadata.cost_usd
            if (
                line.metadata.prompt_tokens is not None
                and line.metadata.completion_tokens is not None
            ):
                state.completion_tokens_mean += 0.05 * (
                    line.metadata.completion_tokens - state.completion_tokens_mean
                )
                state.tokens_limiter.correct(
                    line.metadata.prompt_tokens + line.metadata.completion_tokens - announced
                )
        finally:
            await state.budget.settle(most_usd, cost_usd)
        is_success = False if verdict.is_down else True if verdict.action == "use" else None
        return line, verdict
    finally:
        state.circuit_breaker.leave(is_probe, is_success)


async def _exchange(
    state: SendingState, request: Request, dialect: Dialect, body: dict[str, Any], key: str
) -> tuple[Line, Verdict]:
    """Send once, record, judge. The response is on the disk when this returns."""
    metadata = RequestMetadata(
        state.corpus, state.purpose, request.model, state.endpoint_name, dialect.name, now()
    )
    state.writer.put(request_line(key, body, metadata))
    state.counts["sent"] += 1
    response = await state.endpoint.post(body)
    usage, price = read_usage(response.body), state.prices.get(request.model)
    metadata = replace(metadata, at=now(), latency_s=response.latency_s)
    if usage is not None:
        metadata = replace(
            metadata,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=price.cost_usd(usage) if price is not None else None,
        )
    line = Line(
        "response",
        key,
        metadata,
        status_code=response.status_code,
        error_code=response.error_code,
        error_message=response.error_message,
        request_id=response.headers.get("x-request-id"),
        body=response.body,
    )
    await state.writer.commit(response_line(line))
    if price is None:
        state.say(
            f"the price of {request.model} at {state.endpoint_name} is unknown: cost_usd is NULL"
        )
    verdict = judge(
        response.status_code, response.body, error=response.error_message, headers=response.headers
    )
    if verdict.action == "use":
        state.dialects.answered(request.model, dialect)
        state.is_answered, state.denials = True, 0
    return line, verdict


def _deny(state: SendingState, request: Request, verdict: Verdict) -> None:
    state.denials += 1
    if not state.is_answered or state.denials >= _DENIALS:
        raise TeacherError(
            f"the endpoint {state.endpoint_name} denies access to {request.model!r}: {verdict.reason}. Check "
            "OPENAI_API_KEY, teacher.base_url (most servers want /v1 at its end) and teacher.model. Nothing more "
            "was sent; what was answered so far is in the ledger and will not be asked again."
        )


async def _back_off(state: SendingState, retries: int, verdict: Verdict) -> None:
    retry_settings, asked_s = state.retry_settings, verdict.retry_after_s
    longest_s = min(retry_settings.longest_backoff_s, retry_settings.first_backoff_s * 2**retries)
    if asked_s is not None and asked_s > retry_settings.longest_retry_after_s:
        state.stop(f"the endpoint asks to wait {asked_s:.0f} s")
    elif asked_s is not None:
        await asyncio.sleep(asked_s + random.uniform(0, 0.1) * longest_s)
    else:
        await asyncio.sleep(random.uniform(0.5, 1.0) * longest_s)
