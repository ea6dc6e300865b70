"""What asking a teacher will take, before anything is sent: requests, tokens, dollars and minutes.

What belongs here: the arithmetic, on counts and on what earlier replies used. What does not: which
requests there are (questions.py) and reading the ledger (ledger/report.py). There is no tokenizer:
tokens are UTF-8 bytes over a number of bytes a token, observed in the ledger where it can be,
assumed where it cannot. Retries are not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from relabel_assets.corpus.teacher_config import TeacherConfig
from relabel_assets.teacher.prices import Price, Usage
from relabel_assets.teacher.requests import BYTES_PER_TOKEN

ASSUMED_COMPLETION_TOKENS = 60.0  # a grade and one short sentence
ASSUMED_LATENCY_S = 2.0  # a hosted model on a prompt of a few thousand tokens
MIN_REPLIES = 5  # fewer say little about the next one


@dataclass(frozen=True)
class ObservedUsage:
    """What replies of one model in the ledger used, in the mean. `token_ratio`: billed prompt
    tokens over those that requests.py estimates from bytes."""

    n_replies: int
    token_ratio: float
    completion_tokens: float
    latency_s: float

    @property
    def bytes_per_token(self) -> float:
        return BYTES_PER_TOKEN / self.token_ratio


@dataclass(frozen=True)
class Workload:
    """The requests to one model. `prompt_tokens` (estimated from their bytes) and
    `max_completion_tokens` (what the requests allow) are of those to send."""

    model: str
    n_requests: int = 0
    n_answered: int = 0
    prompt_tokens: float = 0.0
    max_completion_tokens: int = 0

    @property
    def n_to_send(self) -> int:
        return self.n_requests - self.n_answered

    def with_answered(self) -> "Workload":
        """With one more request, which the ledger answers."""
        return replace(self, n_requests=self.n_requests + 1, n_answered=self.n_answered + 1)

    def with_unanswered(self, prompt_tokens: int, max_completion_tokens: int) -> "Workload":
        """With one more request, which is to be sent."""
        return replace(
            self,
            n_requests=self.n_requests + 1,
            prompt_tokens=self.prompt_tokens + prompt_tokens,
            max_completion_tokens=self.max_completion_tokens + max_completion_tokens,
        )

    def scaled(self, n_requests: int) -> "Workload":
        """As if its mean request were sent `n_requests` times: for pairs that are not chosen yet."""
        factor = n_requests / max(1, self.n_requests)
        return Workload(
            self.model,
            n_requests,
            prompt_tokens=self.prompt_tokens * factor,
            max_completion_tokens=round(self.max_completion_tokens * factor),
        )


@dataclass(frozen=True)
class ModelEstimate:
    """The figures of one model. Dollars are None where the price is unknown; `max_usd` is for
    replies as long as max_completion_tokens allows. `is_measured`: tokens and latency are from the
    ledger, not assumed."""

    workload: Workload
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float | None
    max_usd: float | None
    latency_s: float
    bytes_per_token: float
    n_replies_observed: int

    @property
    def model(self) -> str:
        return self.workload.model

    @property
    def is_measured(self) -> bool:
        return self.n_replies_observed >= MIN_REPLIES


@dataclass(frozen=True)
class Estimate:
    """All models together. `minutes` is None in batch mode, where the endpoint decides;
    `bottleneck` says what sets it."""

    models: tuple[ModelEstimate, ...]
    minutes: float | None
    bottleneck: str

    @property
    def n_requests(self) -> int:
        return sum(model.workload.n_requests for model in self.models)

    @property
    def n_answered(self) -> int:
        return sum(model.workload.n_answered for model in self.models)

    @property
    def n_to_send(self) -> int:
        return sum(model.workload.n_to_send for model in self.models)

    @property
    def prompt_tokens(self) -> int:
        return sum(model.prompt_tokens for model in self.models)

    @property
    def completion_tokens(self) -> int:
        return sum(model.completion_tokens for model in self.models)

    @property
    def cost_usd(self) -> float | None:
        return _total([model.cost_usd for model in self.models])

    @property
    def max_usd(self) -> float | None:
        return _total([model.max_usd for model in self.models])

    @property
    def unpriced_models(self) -> list[str]:
        """Models to be asked whose price is unknown."""
        return [model.model for model in self.models if model.cost_usd is None]


def _total(costs: Sequence[float | None]) -> float | None:
    """The sum; None where one is unknown: an unknown cost is not 0."""
    total = 0.0
    for cost in costs:
        if cost is None:
            return None
        total += cost
    return total


def estimate(
    workloads: Sequence[Workload],
    observed: Mapping[str, ObservedUsage],
    prices: Mapping[str, Price | None],
    config: TeacherConfig,
    *,
    assumed_completion_tokens: float = ASSUMED_COMPLETION_TOKENS,
) -> Estimate:
    """The estimate of `workloads`, from what was `observed` of each model and its price.

    >>> workload = Workload("m", n_requests=100, prompt_tokens=50_000)
    >>> price = Price(input=2.0, output=10.0, cached_input=1.0)
    >>> result = estimate([workload], {}, {"m": price}, TeacherConfig(requests_per_minute=50))
    >>> round(result.cost_usd, 6), result.minutes, result.bottleneck
    (0.16, 2.0, 'requests_per_minute')
    """
    assumed = ObservedUsage(0, 1.0, assumed_completion_tokens, ASSUMED_LATENCY_S)
    models = tuple(
        _model_estimate(load, observed.get(load.model), prices.get(load.model), assumed)
        for load in workloads
    )
    if config.mode != "live":
        return Estimate(models, None, f"teacher.mode is {config.mode}")
    minutes = _minutes(models, config)
    bottleneck = max(minutes, key=lambda name: minutes[name])
    return Estimate(models, minutes[bottleneck], bottleneck)


def _minutes(models: Sequence[ModelEstimate], config: TeacherConfig) -> dict[str, float]:
    """What each limit alone would take."""
    n_to_send = sum(model.workload.n_to_send for model in models)
    n_tokens = sum(model.prompt_tokens + model.completion_tokens for model in models)
    busy_s = sum(model.workload.n_to_send * model.latency_s for model in models)
    minutes = {f"{config.max_concurrency} at a time": busy_s / config.max_concurrency / 60}
    if config.requests_per_minute:
        minutes["requests_per_minute"] = n_to_send / config.requests_per_minute
    if config.tokens_per_minute:
        minutes["tokens_per_minute"] = n_tokens / config.tokens_per_minute
    return minutes


def _model_estimate(
    workload: Workload, observed: ObservedUsage | None, price: Price | None, assumed: ObservedUsage
) -> ModelEstimate:
    n_replies = observed.n_replies if observed else 0
    usage = observed if observed and n_replies >= MIN_REPLIES else assumed
    prompt_tokens = round(workload.prompt_tokens * usage.token_ratio)
    completion_tokens = round(workload.n_to_send * usage.completion_tokens)
    max_tokens = max(workload.max_completion_tokens, completion_tokens)
    cost_usd = max_usd = 0.0 if workload.n_to_send == 0 else None
    if price is not None:
        cost_usd = price.cost_usd(Usage(prompt_tokens, completion_tokens))
        max_usd = price.cost_usd(Usage(prompt_tokens, max_tokens))
    return ModelEstimate(
        workload,
        prompt_tokens,
        completion_tokens,
        cost_usd,
        max_usd,
        usage.latency_s,
        usage.bytes_per_token,
        n_replies,
    )
