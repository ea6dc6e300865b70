"""An estimate before anything is sent: requests, tokens, dollars and minutes.

What belongs here: the arithmetic, on counts and on the usage of earlier replies. What does not: the
requests (questions.py) and reading the ledger (ledger/report.py).

There is no tokenizer: tokens are UTF-8 bytes divided by bytes per token. That number comes from the
ledger, or is assumed while the ledger has few replies. Retries are not counted.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.corpus.excerpts.excerpt import BYTES_PER_TOKEN
from relabel_assets.teacher.prices import Price, Usage

ASSUMED_COMPLETION_TOKENS = 60.0  # a grade and one short sentence
ASSUMED_LATENCY_S = 2.0  # a hosted model on a prompt of a few thousand tokens
MIN_REPLIES = 5  # not measured: the mean of fewer replies may be far off


@dataclass(frozen=True)
class ObservedUsage:
    """The mean usage of one model's replies in the ledger.

    `token_ratio`: billed prompt tokens over the prompt tokens that requests.py estimates from bytes.
    `completion_tokens` are those of one question: a reply may answer several.
    """

    n_replies: int
    token_ratio: float
    completion_tokens: float
    latency_s: float

    @property
    def bytes_per_token(self) -> float:
        return BYTES_PER_TOKEN / self.token_ratio


@dataclass(frozen=True)
class Workload:
    """The requests to one model: `n_requests` questions, of which the ledger answers `n_answered`.

    Of the others, `n_shared` are in a request that another question is counted for. `prompt_tokens`
    (estimated from bytes) and `max_completion_tokens` (the limit in the requests) are sums over the
    requests to send.
    """

    model: str
    n_requests: int = 0
    n_answered: int = 0
    prompt_tokens: float = 0.0
    max_completion_tokens: int = 0
    n_shared: int = 0

    @property
    def n_unanswered(self) -> int:
        return self.n_requests - self.n_answered

    @property
    def n_to_send(self) -> int:
        return self.n_unanswered - self.n_shared

    def with_answered(self) -> "Workload":
        """The workload with one more request that the ledger answers."""
        return replace(self, n_requests=self.n_requests + 1, n_answered=self.n_answered + 1)

    def with_unanswered(
        self, prompt_tokens: int, max_completion_tokens: int, n_questions: int = 1
    ) -> "Workload":
        """The workload with one more request to send, which asks `n_questions`."""
        return replace(
            self,
            n_requests=self.n_requests + n_questions,
            n_shared=self.n_shared + n_questions - 1,
            prompt_tokens=self.prompt_tokens + prompt_tokens,
            max_completion_tokens=self.max_completion_tokens + max_completion_tokens,
        )

    def scaled(self, n_requests: int) -> "Workload":
        """The workload of `n_requests` requests like its mean one: for pairs not chosen yet."""
        factor = n_requests / max(1, self.n_requests)
        return Workload(
            self.model,
            n_requests,
            prompt_tokens=self.prompt_tokens * factor,
            max_completion_tokens=round(self.max_completion_tokens * factor),
            n_shared=round(self.n_shared * factor),
        )


@dataclass(frozen=True)
class ModelEstimate:
    """The estimate for one model. Dollars are None where the price is unknown.

    `max_usd` is the cost if every reply is as long as max_completion_tokens allows.
    """

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
        """Whether tokens and latency come from the ledger, not from assumptions."""
        return self.n_replies_observed >= MIN_REPLIES


@dataclass(frozen=True)
class Estimate:
    """The estimate for all models. `bottleneck` names the limit that sets `minutes`.

    `minutes` is None unless requests are sent live: a batch takes as long as the endpoint likes.
    """

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
    def n_unanswered(self) -> int:
        return sum(model.workload.n_unanswered for model in self.models)

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
        """The models whose price is unknown."""
        return [model.model for model in self.models if model.cost_usd is None]


def _total(costs: Sequence[float | None]) -> float | None:
    """The sum, or None if one cost is unknown: an unknown cost is not 0."""
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
    """The estimate for `workloads`, from the `observed` usage of each model and its price.

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
    """The minutes that each limit alone would take."""
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
    completion_tokens = round(workload.n_unanswered * usage.completion_tokens)
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
