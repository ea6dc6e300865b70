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
from relabel_assets.teacher.batch.files import API_LIMITS, FileLimits
from relabel_assets.teacher.exchange import Exchange, ExchangeStatus, Reading
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Circumstances, Line, now, request_line, response_line
from relabel_assets.teacher.ledger.writer import LedgerWriter
from relabel_assets.teacher.prices import Price, read_usage
from relabel_assets.teacher.requests import Dialect, Request, estimate_prompt_tokens, request_key
from relabel_assets.teacher.sending.circuit import Circuit
from relabel_assets.teacher.sending.dialects import Dialects
from relabel_assets.teacher.sending.endpoint import Endpoint
from relabel_assets.teacher.sending.limits import Pace
from relabel_assets.teacher.sending.spend import Purse
from relabel_assets.teacher.verdict import Verdict, judge

REREADS = 2  # more requests for a reply that cannot be read: a cut line mends itself, a stubborn model does not
_DENIALS = 3  # in a row, once the endpoint has answered: one odd 404 among answers is that request's own
TOKEN_SAFETY = 1.4  # money set aside for a prompt, over its estimated tokens: code and tables have more tokens a byte


@dataclass(frozen=True)
class Patience:
    """How long to wait before trying again or looking again, in seconds; and how much goes into one batch."""

    first_backoff_s: float = 0.5
    longest_backoff_s: float = 30.0
    longest_retry_after_s: float = 120.0
    probe_waits_s: tuple[float, ...] = (1.0, 2.0, 4.0, 8.0)
    first_poll_s: float = 5.0  # between looks at batches that are out, 1.5 times longer each time
    longest_poll_s: float = 120.0
    batch_limits: FileLimits = API_LIMITS


@dataclass
class Means:
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
    purse: Purse
    circuit: Circuit
    patience: Patience
    counts: Counter[str]
    notices: list[str]
    completion_tokens_mean: float = 60.0  # before the first answer
    denials: int = 0
    is_answered: bool = False
    stop_reason: str | None = None
    requests_pace: Pace = field(init=False)
    tokens_pace: Pace = field(init=False)

    def __post_init__(self) -> None:
        self.requests_pace = Pace(self.config.requests_per_minute)
        self.tokens_pace = Pace(self.config.tokens_per_minute)

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


async def try_until_it_ends(means: Means, index: int, request: Request, read: Callable[[Any], Reading]) -> Exchange:
    """Send `request` as often as it takes and is allowed. Raises TeacherError where the endpoint denies access."""
    retries = unreadable = 0
    while True:
        dialect = means.dialects.current(request.model)
        body = request.body(dialect)
        key = request_key(body)

        def ended(
            status: ExchangeStatus, reason: str | None, *, line: Line | None, reading: Reading | None = None
        ) -> Exchange:
            history = means.ledger.history(key)  # noqa: B023 (called in the same turn)
            return Exchange(index, request, key, status, reason, history.attempts, history.cost_usd, line, reading)  # noqa: B023

        sent = await _send(means, request, dialect, body, key)
        if isinstance(sent, _NotSent):
            return ended(sent.status, sent.reason, line=None)
        line, verdict = sent
        final: ExchangeStatus = "failed"
        reason = verdict.reason
        match verdict.action:
            case "use":
                reading = read(line.body)
                unreadable += reading.status == "unparseable"
                if reading.status != "unparseable" or unreadable > min(REREADS, means.config.max_retries):
                    return ended(reading.status, reading.reason, line=line, reading=reading)
                continue
            case "retry" if retries < means.config.max_retries:
                await _back_off(means, retries, verdict)
                retries += 1
                continue
            case "retry":
                reason = f"{verdict.reason} ({retries + 1} attempts)"
            case "rejected":
                notice = means.dialects.concede(request.model, dialect, verdict.reason or "", body)
                if notice is not None:
                    means.say(notice)
                    continue
            case "refused":
                final = "refused"
            case "denied":
                _deny(means, request, verdict)
            case "exhausted":
                means.stop(f"the endpoint's quota or money is spent ({verdict.reason})")
        return ended(final, reason, line=line)


async def _send(
    means: Means, request: Request, dialect: Dialect, body: dict[str, Any], key: str
) -> tuple[Line, Verdict] | _NotSent:
    """Wait for every turn, then send once."""
    is_probe = await means.circuit.enter()
    is_success: bool | None = None
    try:
        if means.circuit.is_down:
            means.stop(f"the endpoint {means.endpoint_name} is down")
        if means.stop_reason is not None:
            return _NotSent("failed", f"not sent: {means.stop_reason}")
        tokens = estimate_prompt_tokens(body)
        price = means.prices.get(request.model)
        most_usd = 0.0
        if price is not None:
            most_usd = (tokens * TOKEN_SAFETY * price.input + request.max_completion_tokens * price.output) / 1_000_000
        if not await means.purse.reserve(most_usd):
            return _NotSent("over_budget", "not sent: the budget does not hold another request")
        cost_usd: float | None = None
        try:
            announced = tokens + means.completion_tokens_mean
            await means.requests_pace.wait(1)
            await means.tokens_pace.wait(announced)
            if means.stop_reason is not None:
                return _NotSent("failed", f"not sent: {means.stop_reason}")
            line, verdict = await _exchange(means, request, dialect, body, key)
            cost_usd = line.about.cost_usd
            if line.about.prompt_tokens is not None and line.about.completion_tokens is not None:
                means.completion_tokens_mean += 0.05 * (line.about.completion_tokens - means.completion_tokens_mean)
                means.tokens_pace.correct(line.about.prompt_tokens + line.about.completion_tokens - announced)
        finally:
            await means.purse.settle(most_usd, cost_usd)
        is_success = False if verdict.is_down else True if verdict.action == "use" else None
        return line, verdict
    finally:
        means.circuit.leave(is_probe, is_success)


async def _exchange(
    means: Means, request: Request, dialect: Dialect, body: dict[str, Any], key: str
) -> tuple[Line, Verdict]:
    """Send once, record, judge. The response is on the disk when this returns."""
    about = Circumstances(means.corpus, means.purpose, request.model, means.endpoint_name, dialect.name, now())
    means.writer.put(request_line(key, body, about))
    means.counts["sent"] += 1
    response = await means.endpoint.post(body)
    usage, price = read_usage(response.body), means.prices.get(request.model)
    about = replace(about, at=now(), latency_s=response.latency_s)
    if usage is not None:
        about = replace(
            about,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=price.cost_usd(usage) if price is not None else None,
        )
    line = Line(
        "response",
        key,
        about,
        status_code=response.status_code,
        error_code=response.error_code,
        error_message=response.error_message,
        request_id=response.headers.get("x-request-id"),
        body=response.body,
    )
    await means.writer.commit(response_line(line))
    if price is None:
        means.say(f"the price of {request.model} at {means.endpoint_name} is unknown: cost_usd is NULL")
    verdict = judge(response.status_code, response.body, error=response.error_message, headers=response.headers)
    if verdict.action == "use":
        means.dialects.answered(request.model, dialect)
        means.is_answered, means.denials = True, 0
    return line, verdict


def _deny(means: Means, request: Request, verdict: Verdict) -> None:
    means.denials += 1
    if not means.is_answered or means.denials >= _DENIALS:
        raise TeacherError(
            f"the endpoint {means.endpoint_name} denies access to {request.model!r}: {verdict.reason}. Check "
            "OPENAI_API_KEY, teacher.base_url (most servers want /v1 at its end) and teacher.model. Nothing more "
            "was sent; what was answered so far is in the ledger and will not be asked again."
        )


async def _back_off(means: Means, retries: int, verdict: Verdict) -> None:
    patience, asked_s = means.patience, verdict.retry_after_s
    longest_s = min(patience.longest_backoff_s, patience.first_backoff_s * 2**retries)
    if asked_s is not None and asked_s > patience.longest_retry_after_s:
        means.stop(f"the endpoint asks to wait {asked_s:.0f} s")
    elif asked_s is not None:
        await asyncio.sleep(asked_s + random.uniform(0, 0.1) * longest_s)
    else:
        await asyncio.sleep(random.uniform(0.5, 1.0) * longest_s)
