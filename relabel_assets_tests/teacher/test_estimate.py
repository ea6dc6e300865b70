"""The estimate's arithmetic, by hand."""

import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.teacher.estimate import MIN_REPLIES, ObservedUsage, Workload, estimate
from relabel_assets.teacher.prices import Price

PRICE = {"m": Price(input=2.0, output=10.0, cached_input=1.0)}
UNLIMITED = TeacherConfig(requests_per_minute=None, tokens_per_minute=None, max_concurrency=10)
WORKLOAD = Workload(
    "m", n_requests=1000, n_answered=400, prompt_tokens=600_000, max_completion_tokens=240_000
)


def test_an_estimate_without_a_ledger_uses_assumptions() -> None:
    total = estimate([WORKLOAD], {}, PRICE, UNLIMITED)
    assert (total.n_requests, total.n_answered, total.n_to_send) == (1000, 400, 600)
    assert (total.prompt_tokens, total.completion_tokens) == (600_000, 600 * 60)
    assert total.cost_usd == pytest.approx(0.6 * 2 + 0.036 * 10)
    assert total.max_usd == pytest.approx(0.6 * 2 + 0.24 * 10)
    assert total.minutes == pytest.approx(600 * 2 / 10 / 60)
    (model,) = total.models
    assert (model.model, model.is_measured, model.bytes_per_token) == ("m", False, 4)


def test_observed_usage_replaces_assumptions() -> None:
    total = estimate([WORKLOAD], {"m": ObservedUsage(50, 1.25, 20, 0.5)}, PRICE, UNLIMITED)
    assert (total.prompt_tokens, total.completion_tokens) == (750_000, 12_000)
    assert total.minutes == pytest.approx(600 * 0.5 / 10 / 60)
    (model,) = total.models
    assert (model.is_measured, model.bytes_per_token, model.n_replies_observed) == (True, 3.2, 50)


@pytest.mark.parametrize(
    ("n_replies", "is_measured"), [(MIN_REPLIES - 1, False), (MIN_REPLIES, True)]
)
def test_too_few_replies_do_not_replace_assumptions(n_replies: int, is_measured: bool) -> None:
    observed = {"m": ObservedUsage(n_replies, 1.25, 20, 0.5)}
    total = estimate([WORKLOAD], observed, PRICE, UNLIMITED)
    assert total.models[0].is_measured == is_measured
    assert total.prompt_tokens == (750_000 if is_measured else 600_000)
    assert total.models[0].n_replies_observed == n_replies


def test_queries_have_longer_replies_than_grades() -> None:
    total = estimate([WORKLOAD], {}, PRICE, UNLIMITED, assumed_completion_tokens=90)
    assert total.completion_tokens == 600 * 90


def test_the_maximum_cost_is_never_below_the_expected_cost() -> None:
    observed = {"m": ObservedUsage(50, 1.0, 500, 0.5)}  # replies longer than max_completion_tokens
    total = estimate([WORKLOAD], observed, PRICE, UNLIMITED)
    assert total.max_usd == total.cost_usd == pytest.approx(0.6 * 2 + 0.3 * 10)


@pytest.mark.parametrize(
    ("limits", "minutes", "bottleneck"),
    [
        ({"requests_per_minute": 60}, 10, "requests_per_minute"),
        ({"tokens_per_minute": 6360}, 100, "tokens_per_minute"),
        ({"max_concurrency": 1}, 20, "1 at a time"),
        ({"requests_per_minute": 60, "tokens_per_minute": 6360}, 100, "tokens_per_minute"),
        ({"requests_per_minute": 1e9, "tokens_per_minute": 1e9}, 2, "10 at a time"),
    ],
)
def test_the_tightest_limit_sets_the_minutes(
    limits: dict[str, float], minutes: float, bottleneck: str
) -> None:
    total = estimate([WORKLOAD], {}, PRICE, UNLIMITED.model_copy(update=limits))
    assert (total.minutes, total.bottleneck) == (pytest.approx(minutes), bottleneck)


def test_estimates_of_models_are_added() -> None:
    other = Workload("other", n_requests=10, n_answered=4, prompt_tokens=6000)
    prices = PRICE | {"other": Price(100.0, 1000.0, 1.0)}
    total = estimate([WORKLOAD, other], {}, prices, UNLIMITED)
    assert (total.n_requests, total.n_answered, total.n_to_send) == (1010, 404, 606)
    assert (total.prompt_tokens, total.completion_tokens) == (606_000, 606 * 60)
    assert total.cost_usd == pytest.approx(1.56 + 0.6 + 0.36)
    assert total.max_usd == pytest.approx(3.6 + 0.6 + 0.36)
    assert total.minutes == pytest.approx(606 * 2 / 10 / 60)


def test_an_unknown_price_makes_the_total_unknown() -> None:
    other = Workload("other", n_requests=10, prompt_tokens=1000, max_completion_tokens=10)
    total = estimate([WORKLOAD, other], {}, PRICE, UNLIMITED)
    assert (total.cost_usd, total.max_usd, total.unpriced_models) == (None, None, ["other"])


def test_a_model_with_nothing_to_send_needs_no_price() -> None:
    answered = Workload("other", n_requests=10, n_answered=10)
    total = estimate([WORKLOAD, answered], {}, PRICE, UNLIMITED)
    assert total.cost_usd == pytest.approx(1.56)
    assert (total.max_usd, total.unpriced_models) == (pytest.approx(3.6), [])


def test_a_workload_counts_requests_with_and_without_an_answer() -> None:
    workload = Workload("m").with_answered().with_unanswered(100, 400).with_answered()
    assert workload == Workload("m", 3, 2, prompt_tokens=100, max_completion_tokens=400)
    assert workload.n_to_send == 1


def test_a_sample_is_scaled() -> None:
    sample = Workload("m").with_unanswered(100, 400).with_unanswered(300, 401)
    assert sample.scaled(50) == Workload("m", 50, 0, 10_000, 20_025)
    assert Workload("m").scaled(50) == Workload("m", 50)


@pytest.mark.parametrize("mode", ["batch", "offline"])
def test_only_a_live_teacher_has_minutes(mode: str) -> None:
    config = TeacherConfig.model_validate({"mode": mode})
    total = estimate([WORKLOAD], {}, PRICE, config)
    assert (total.minutes, total.bottleneck) == (None, f"teacher.mode is {mode}")


def test_questions_that_share_a_request_are_one_request_to_send() -> None:
    workload = Workload("m", n_requests=3, n_answered=1).with_unanswered(500, 40, n_questions=10)
    assert (workload.n_requests, workload.n_unanswered, workload.n_to_send) == (13, 12, 3)
    assert workload.prompt_tokens == 500
    assert workload.scaled(26).n_to_send == 26 - 2 * workload.n_shared
    total = estimate([workload], {"m": ObservedUsage(50, 1.0, 20, 0.5)}, PRICE, UNLIMITED)
    assert total.completion_tokens == 12 * 20  # each question has an answer of its own
    assert total.minutes == pytest.approx(3 * 0.5 / 10 / 60)  # and each request one wait
