"""The estimate's arithmetic, by hand."""

import pytest

from relabel_assets.corpus.config import TeacherConfig
from relabel_assets.teacher.estimate import Load, Seen, estimate
from relabel_assets.teacher.prices import Price

PRICE = {"m": Price(input=2.0, output=10.0, cached_input=1.0)}
UNLIMITED = TeacherConfig(requests_per_minute=None, tokens_per_minute=None, max_concurrency=10)
LOAD = Load("m", n_requests=1000, n_answered=400, prompt_tokens=600_000, most_completion_tokens=240_000)


def test_dollars_and_minutes_without_a_ledger_rest_on_what_is_assumed():
    found = estimate([LOAD], {}, PRICE, UNLIMITED)
    assert (found.n_requests, found.n_answered, found.n_to_send) == (1000, 400, 600)
    assert (found.prompt_tokens, found.completion_tokens) == (600_000, 36_000)
    assert found.cost_usd == pytest.approx(0.6 * 2 + 0.036 * 10)
    assert found.most_usd == pytest.approx(0.6 * 2 + 0.24 * 10)
    assert found.minutes == pytest.approx(600 * 2 / 10 / 60)
    assert (found.parts[0].is_seen, found.parts[0].bytes_per_token) == (False, 4)


def test_what_the_ledger_showed_takes_the_place_of_what_is_assumed():
    found = estimate([LOAD], {"m": Seen(50, 1.25, 20, 0.5)}, PRICE, UNLIMITED)
    assert (found.prompt_tokens, found.completion_tokens) == (750_000, 12_000)
    assert found.minutes == pytest.approx(600 * 0.5 / 10 / 60)
    assert (found.parts[0].is_seen, found.parts[0].bytes_per_token) == (True, 3.2)
    assert estimate([LOAD], {"m": Seen(4, 1.25, 20, 0.5)}, PRICE, UNLIMITED).prompt_tokens == 600_000


@pytest.mark.parametrize(
    ("limits", "minutes", "slowest"),
    [
        ({"requests_per_minute": 60}, 10, "requests_per_minute"),
        ({"tokens_per_minute": 6360}, 100, "tokens_per_minute"),
        ({"max_concurrency": 1}, 20, "1 at a time"),
    ],
)
def test_the_tightest_limit_sets_the_minutes(limits, minutes, slowest):
    found = estimate([LOAD], {}, PRICE, UNLIMITED.model_copy(update=limits))
    assert (found.minutes, found.slowest) == (pytest.approx(minutes), slowest)


def test_an_unknown_price_is_not_nothing():
    other = Load("other", 10, 0, 1000, 10)
    found = estimate([LOAD, other], {}, PRICE, UNLIMITED)
    assert (found.cost_usd, found.most_usd, found.unpriced) == (None, None, ["other"])
    done = Load("other", 10, 10)
    assert estimate([LOAD, done], {}, PRICE, UNLIMITED).cost_usd is not None


def test_a_sample_is_scaled():
    load = Load("m").plus(is_answered=False, prompt_tokens=100, most_completion_tokens=400)
    load = load.plus(is_answered=False, prompt_tokens=300, most_completion_tokens=400)
    assert load.scaled(50) == Load("m", 50, 0, 10_000, 20_000)


def test_a_batch_has_no_minutes():
    assert estimate([LOAD], {}, PRICE, TeacherConfig(mode="batch")).minutes is None
