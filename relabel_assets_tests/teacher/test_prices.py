"""Prices of models and costs of responses."""

import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.teacher.prices import Price, Usage, price_of, read_usage

OWN_PRICE = TeacherConfig.model_validate(
    {"price_usd_per_million_tokens": {"input": 2.0, "output": 8.0}}
)


def test_cached_tokens_cost_less_than_others() -> None:
    price = Price(input=2.0, output=10.0, cached_input=1.0)
    assert price.cost_usd(Usage(1_000_000, 100_000, 500_000)) == pytest.approx(1.0 + 0.5 + 1.0)
    assert price.cost_usd(Usage(1_000_000, 0)) == pytest.approx(2.0)
    assert price.cost_usd(Usage(0, 0)) == 0


@pytest.mark.parametrize(
    ("usage", "expected"),
    [
        ({"prompt_tokens": 5, "completion_tokens": 3}, Usage(5, 3, 0)),
        ({"prompt_tokens": 0, "completion_tokens": 0}, Usage(0, 0, 0)),
        (
            {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 4}},
            Usage(5, 3, 4),
        ),
        (  # cached tokens are part of the prompt's
            {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": 9}},
            Usage(5, 3, 5),
        ),
        (
            {"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": {"cached_tokens": None}},
            Usage(5, 3, 0),
        ),
        ({"prompt_tokens": 5, "completion_tokens": 3, "prompt_tokens_details": None}, Usage(5, 3, 0)),
        ({"prompt_tokens": 5, "completion_tokens": True}, None),
        ({"prompt_tokens": -5, "completion_tokens": 3}, None),
        ({"prompt_tokens": 5.0, "completion_tokens": 3}, None),
        ({"prompt_tokens": 5}, None),
        ({"completion_tokens": 3}, None),
        (None, None),
        ([], None),
    ],
)  # fmt: skip
def test_a_usage_is_valid_counts_or_none(usage: object, expected: Usage | None) -> None:
    assert read_usage({"usage": usage}) == expected


@pytest.mark.parametrize("body", [None, "text", [], {}])
def test_a_body_without_usage_has_none(body: object) -> None:
    assert read_usage(body) is None


def test_the_price_of_a_corpus_is_the_same_for_batches() -> None:
    price = Price(input=2.0, output=8.0, cached_input=2.0)
    assert price_of(OWN_PRICE, "nobodys-model-9") == price
    batch = OWN_PRICE.model_copy(update={"mode": "batch"})
    assert price_of(batch, "gpt-4o", "https://api.openai.com/v1") == price


def test_the_list_price_is_dollars_per_million_tokens() -> None:
    price = price_of(TeacherConfig(), "gpt-4o")
    assert price == Price(input=2.5, output=10.0, cached_input=1.25)
    assert price_of(TeacherConfig(), "gpt-4o", "https://api.openai.com/v1") == price


def test_a_batch_costs_half_the_list_price() -> None:
    live, batch = (price_of(TeacherConfig(mode=mode), "gpt-4o") for mode in ("live", "batch"))
    assert live is not None and batch is not None
    assert batch.input == pytest.approx(live.input / 2)
    assert batch.output == pytest.approx(live.output / 2)
    assert batch.cached_input == pytest.approx(live.cached_input / 2)


@pytest.mark.parametrize(
    ("model", "base_url"),
    [
        ("nobodys-model-9", None),
        ("nobodys-model-9", "https://api.openai.com/v1"),
        ("gpt-4o", "http://127.0.0.1:8080/v1"),  # a name says nothing about who answers to it
    ],
)
def test_an_unknown_model_or_host_has_no_price(model: str, base_url: str | None) -> None:
    assert price_of(TeacherConfig(), model, base_url) is None
