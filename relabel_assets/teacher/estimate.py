"""What asking a teacher will take, before anything is sent: requests, tokens, dollars and minutes.

What belongs here: the arithmetic, on counts and on what earlier replies showed. What does not: which requests there are
(core/grading.py) and reading the ledger (resources/ledger_report.py). There is no tokenizer: tokens are UTF-8 bytes over
a number of bytes a token, seen in the ledger where it can be, assumed where it cannot. Retries are not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from relabel_assets.corpus.config import TeacherConfig
from relabel_assets.teacher.prices import Price, Usage
from relabel_assets.teacher.requests import BYTES_PER_TOKEN

ASSUMED_COMPLETION_TOKENS = 60.0
ASSUMED_LATENCY_S = 2.0
ENOUGH_SEEN = 5  # replies: fewer say little about the next one


@dataclass(frozen=True)
class Seen:
    """What replies of one model in the ledger showed. `token_ratio`: billed prompt tokens over those that
    core/requests.py estimates from bytes."""

    n_replies: int
    token_ratio: float
    completion_tokens: float
    latency_s: float

    @property
    def bytes_per_token(self) -> float:
        return BYTES_PER_TOKEN / self.token_ratio


@dataclass(frozen=True)
class Load:
    """The requests to one model. `prompt_tokens` are of those to send, estimated from their bytes."""

    model: str
    n_requests: int = 0
    n_answered: int = 0
    prompt_tokens: float = 0.0
    most_completion_tokens: int = 0  # of those to send, by max_completion_tokens

    @property
    def n_to_send(self) -> int:
        return self.n_requests - self.n_answered

    def plus(self, *, is_answered: bool, prompt_tokens: int = 0, most_completion_tokens: int = 0) -> "Load":
        """With one more request."""
        if is_answered:
            return replace(self, n_requests=self.n_requests + 1, n_answered=self.n_answered + 1)
        return replace(
            self,
            n_requests=self.n_requests + 1,
            prompt_tokens=self.prompt_tokens + prompt_tokens,
            most_completion_tokens=self.most_completion_tokens + most_completion_tokens,
        )

    def scaled(self, n_requests: int) -> "Load":
        """As if its mean request were sent `n_requests` times: for pairs that are not chosen yet."""
        share = n_requests / max(1, self.n_requests)
        return Load(
            self.model, n_requests, 0, self.prompt_tokens * share, round(self.most_completion_tokens * share)
        )  # fmt: skip


@dataclass(frozen=True)
class Part:
    """The figures of one model. Dollars are None where the price is unknown; `is_seen` says where tokens come from."""

    load: Load
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    most_usd: float | None
    latency_s: float
    bytes_per_token: float
    n_replies_seen: int

    @property
    def is_seen(self) -> bool:
        return self.n_replies_seen >= ENOUGH_SEEN


@dataclass(frozen=True)
class Estimate:
    """All models together. `minutes` is None in batch mode, where the endpoint decides; `slowest` says what sets it."""

    parts: tuple[Part, ...]
    minutes: float | None
    slowest: str

    @property
    def n_requests(self) -> int:
        return sum(part.load.n_requests for part in self.parts)

    @property
    def n_answered(self) -> int:
        return sum(part.load.n_answered for part in self.parts)

    @property
    def n_to_send(self) -> int:
        return sum(part.load.n_to_send for part in self.parts)

    @property
    def prompt_tokens(self) -> int:
        return sum(part.prompt_tokens for part in self.parts)

    @property
    def completion_tokens(self) -> int:
        return sum(part.completion_tokens for part in self.parts)

    @property
    def cost_usd(self) -> float | None:
        return _total([part.cost_usd for part in self.parts])

    @property
    def most_usd(self) -> float | None:
        """If every reply were as long as max_completion_tokens allows."""
        return _total([part.most_usd for part in self.parts])

    @property
    def unpriced(self) -> list[str]:
        """Models to be asked whose price is unknown."""
        return [part.load.model for part in self.parts if part.cost_usd is None]


def estimate(
    loads: Sequence[Load],
    seen: Mapping[str, Seen],
    prices: Mapping[str, Price | None],
    config: TeacherConfig,
    *,
    assumed_completion_tokens: float = ASSUMED_COMPLETION_TOKENS,
) -> Estimate:
    """The estimate of `loads`, from what was `seen` of each model and its price."""
    assumed = Seen(0, 1.0, assumed_completion_tokens, ASSUMED_LATENCY_S)
    parts = tuple(_part(load, seen.get(load.model), prices.get(load.model), assumed) for load in loads)
    if config.mode != "live":
        return Estimate(parts, None, f"teacher.mode is {config.mode}")
    n_to_send = sum(part.load.n_to_send for part in parts)
    n_tokens = sum(part.prompt_tokens + part.completion_tokens for part in parts)
    busy_s = sum(part.load.n_to_send * part.latency_s for part in parts)
    times = {
        f"{config.max_concurrency} at a time": busy_s / config.max_concurrency / 60,
        "requests_per_minute": n_to_send / config.requests_per_minute if config.requests_per_minute else 0.0,
        "tokens_per_minute": n_tokens / config.tokens_per_minute if config.tokens_per_minute else 0.0,
    }
    slowest = max(times, key=lambda name: times[name])
    return Estimate(parts, times[slowest], slowest)


def _part(load: Load, seen: Seen | None, price: Price | None, assumed: Seen) -> Part:
    is_enough = seen is not None and seen.n_replies >= ENOUGH_SEEN
    rates = seen if seen is not None and is_enough else assumed
    prompt_tokens = round(load.prompt_tokens * rates.token_ratio)
    completion_tokens = round(load.n_to_send * rates.completion_tokens)
    most_tokens = max(load.most_completion_tokens, completion_tokens)
    cost_usd = most_usd = 0.0 if load.n_to_send == 0 else None
    if price is not None:
        cost_usd = price.cost_usd(Usage(prompt_tokens, completion_tokens))
        most_usd = price.cost_usd(Usage(prompt_tokens, most_tokens))
    return Part(
        load, prompt_tokens, completion_tokens, cost_usd, most_usd, rates.latency_s, rates.bytes_per_token,
        seen.n_replies if seen else 0,
    )  # fmt: skip


def _total(costs: Sequence[float | None]) -> float | None:
    known = [cost for cost in costs if cost is not None]
    return sum(known) if len(known) == len(costs) else None
