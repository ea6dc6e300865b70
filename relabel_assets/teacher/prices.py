"""What a response cost: the usage an endpoint reports, times a price from corpus.yaml or from genai-prices.

What belongs here: reading usage, finding a price, multiplying. What does not: budgets (resources/spend.py) and
estimates before anything is sent (core/estimate.py). No network: genai-prices carries its list with it.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relabel_assets.corpus.config import TeacherConfig

_BATCH_SHARE = 0.5


@dataclass(frozen=True)
class Usage:
    """Tokens of one response; `cached_tokens` are part of `prompt_tokens`."""

    prompt_tokens: int
    completion_tokens: int
    cached_tokens: int = 0


def read_usage(body: Any) -> Usage | None:
    """The usage in a response's body; None where the server gives none, or something else than counts."""
    usage = body.get("usage") if isinstance(body, Mapping) else None
    if not isinstance(usage, Mapping):
        return None
    prompt, completion = _count(usage.get("prompt_tokens")), _count(usage.get("completion_tokens"))
    if prompt is None or completion is None:
        return None
    details = usage.get("prompt_tokens_details")
    cached = _count(details.get("cached_tokens")) if isinstance(details, Mapping) else None
    return Usage(prompt, completion, min(cached or 0, prompt))


def _count(value: Any) -> int | None:
    return value if isinstance(value, int) and not isinstance(value, bool) and value >= 0 else None


@dataclass(frozen=True)
class Price:
    """US dollars per million tokens."""

    input: float
    output: float
    cached_input: float

    def cost_usd(self, usage: Usage) -> float:
        fresh = usage.prompt_tokens - usage.cached_tokens
        millionths = (
            fresh * self.input + usage.cached_tokens * self.cached_input + usage.completion_tokens * self.output
        )
        return millionths / 1_000_000


def price_of(config: TeacherConfig, model: str, base_url: str | None = None) -> Price | None:
    """The price of `model`: corpus.yaml's; else genai-prices' for the endpoint at `base_url`; else None.

    In batch mode, genai-prices' is halved, as OpenAI and Azure bill batches; corpus.yaml's is taken as it is. The same name at an endpoint that genai-prices does not know has no price: it may be anything behind it.
    """
    own = config.price_usd_per_million_tokens
    if own is not None:
        return Price(own.input, own.output, own.input)
    import genai_prices

    share = _BATCH_SHARE if config.mode == "batch" else 1.0

    def usd(**tokens: int) -> float:
        where = {"provider_api_url": base_url} if base_url else {"provider_id": config.api}
        return share * float(genai_prices.calc_price(genai_prices.Usage(**tokens), model, **where).total_price)

    try:
        return Price(
            input=usd(input_tokens=1000) * 1000,  # 1,000 at a time: above some length long-context prices hold
            output=usd(output_tokens=1000) * 1000,
            cached_input=usd(input_tokens=1000, cache_read_tokens=1000) * 1000,
        )
    except (LookupError, ValueError):
        return None
