"""The cost of a response: its usage times a price from corpus.yaml or from genai-prices.

What belongs here: parsing usage, looking up a price, multiplying. What does not: budgets
(sending/limits.py) and estimates before anything is sent (estimate.py). There is no network:
genai-prices is installed with its list.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.intake.input_limits import MAX_TOKENS

# OpenAI and Azure bill a request in a batch at half the price of the same request sent alone.
_BATCH_DISCOUNT = 0.5
# The length of the prompt that genai-prices is asked about: far below every long-context price.
_SHORT_PROMPT_TOKENS = 1000
_PROVIDERS = {"openai": "openai", "azure": "azure", "decisions": "openai"}  # in genai-prices
_USAGE_NAMES = (("prompt", "completion"), ("input", "output"))


@dataclass(frozen=True)
class Usage:
    """Tokens of one response. `prompt_tokens` include `cached_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


def read_usage(body: Any) -> Usage | None:
    """The usage in the body of a response; None unless it has counts of tokens.

    Chat completions name them prompt and completion, Decisions name them input and output.

    >>> read_usage({"usage": {"prompt_tokens": 700, "completion_tokens": 20}})
    Usage(prompt_tokens=700, completion_tokens=20, cached_tokens=0)
    >>> read_usage({"usage": {"input_tokens": 700, "output_tokens": 0}}).prompt_tokens
    700
    """
    usage = body.get("usage") if isinstance(body, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    for prompt_name, completion_name in _USAGE_NAMES:
        prompt = _count(usage.get(f"{prompt_name}_tokens"))
        completion = _count(usage.get(f"{completion_name}_tokens"))
        if prompt is None or completion is None:
            continue
        details = usage.get(f"{prompt_name}_tokens_details")
        cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
        return Usage(prompt, completion, min(cached or 0, prompt))
    return None


def _count(value: Any) -> int | None:
    """`value` if it is a whole number from 0 to MAX_TOKENS; else None."""
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_TOKENS
    return value if is_count else None


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cached_input: float

    def cost_usd(self, usage: Usage) -> float:
        """The cost of a response with `usage`.

        >>> Price(input=2.0, output=10.0, cached_input=1.0).cost_usd(Usage(1_000_000, 100_000, 500_000))
        2.5
        """
        uncached_tokens = usage.prompt_tokens - usage.cached_tokens
        millionths = (
            uncached_tokens * self.input
            + usage.cached_tokens * self.cached_input
            + usage.completion_tokens * self.output
        )
        return millionths / 1_000_000


def price_of(config: TeacherConfig, model: str, base_url: str | None = None) -> Price | None:
    """The price of `model` from corpus.yaml, else from genai-prices for `base_url`, else None.

    In batch mode, the price from genai-prices is halved; the one from corpus.yaml is not. A model at
    an endpoint that genai-prices does not list has no price: any model may have that name there.

    >>> price_of(TeacherConfig(), "gpt-4o")
    Price(input=2.5, output=10.0, cached_input=1.25)
    """
    own = config.price_usd_per_million_tokens
    if own is not None:
        return Price(own.input, own.output, own.input)
    import genai_prices

    where: dict[str, Any]
    where = {"provider_api_url": base_url} if base_url else {"provider_id": _PROVIDERS[config.api]}
    factor = _BATCH_DISCOUNT if config.mode == "batch" else 1.0

    def usd_per_million(**tokens: int) -> float:
        cost = genai_prices.calc_price(genai_prices.Usage(**tokens), model, **where).total_price
        return factor * float(cost) * (1_000_000 / _SHORT_PROMPT_TOKENS)

    n = _SHORT_PROMPT_TOKENS
    try:
        return Price(
            input=usd_per_million(input_tokens=n),
            output=usd_per_million(output_tokens=n),
            cached_input=usd_per_million(input_tokens=n, cache_read_tokens=n),
        )
    except (LookupError, ValueError):
        return None
