"""The rate limiter, the circuit breaker and the budget, on virtual time."""

import asyncio
import random

import pytest

from relabel_assets.teacher.prices import Price
from relabel_assets.teacher.requests import Outgoing, Request
from relabel_assets.teacher.sending.limits import (
    TOKEN_SAFETY,
    Budget,
    CircuitBreaker,
    RateLimiter,
    max_cost_usd,
)
from relabel_assets_tests.teacher.sending.virtual_time import clock_s, run

# Rate limiter


def starts_of(
    per_minute: float | None, units: list[float], corrections: dict[int, float] | None = None
) -> list[float]:
    """The start second of each of `units`, requested in order; a correction follows its start."""

    async def main() -> list[float]:
        limiter, starts = RateLimiter(per_minute), []
        for number, amount in enumerate(units):
            await limiter.wait(amount)
            starts.append(clock_s())
            limiter.correct((corrections or {}).get(number, 0.0))
        return starts

    return run(main())


def test_requests_start_evenly_from_the_first_on() -> None:
    assert starts_of(60, [1] * 5) == pytest.approx([0, 1, 2, 3, 4])


def test_a_large_request_holds_back_the_next_one() -> None:
    assert starts_of(60, [10, 1, 1]) == pytest.approx([0, 10, 11])


def test_without_a_limit_nothing_waits() -> None:
    assert starts_of(None, [1e9] * 3) == [0, 0, 0]


@pytest.mark.parametrize(("correction", "second"), [(5, 15), (-4, 6), (-100, 0)])
def test_a_correction_moves_the_next_turn(correction: float, second: float) -> None:
    assert starts_of(60, [10, 1], {0: correction}) == pytest.approx([0, second])


def test_a_correction_shortens_a_wait_that_has_begun() -> None:
    async def main() -> float:
        limiter = RateLimiter(60)
        await limiter.wait(100)
        waiting = asyncio.create_task(limiter.wait(1))
        await asyncio.sleep(10)
        limiter.correct(-89.6)  # the turn comes at 10.4 instead of 100
        await waiting
        return clock_s()

    assert run(main()) == pytest.approx(10.4, abs=0.26)


def test_a_correction_before_the_first_wait_changes_nothing() -> None:
    async def main() -> float:
        limiter = RateLimiter(60)
        limiter.correct(1000)
        await limiter.wait(1)
        return clock_s()

    assert run(main()) == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_rate_is_exceeded_by_at_most_one_second_of_burst(seed: int) -> None:
    chance = random.Random(seed)

    async def main() -> list[tuple[float, float]]:
        limiter, started = RateLimiter(600), []  # 10 units a second

        async def send(after_s: float, units: float) -> None:
            await asyncio.sleep(after_s)
            await limiter.wait(units)
            started.append((clock_s(), units))

        async with asyncio.TaskGroup() as tasks:
            for _ in range(60):
                tasks.create_task(send(chance.uniform(0, 30), chance.uniform(0.5, 10)))
        return started

    started = run(main())
    assert len(started) == 60
    for first in range(60):
        units = 0.0
        for last in range(first + 1, 60):
            units += started[last - 1][1]
            assert units <= 10 * (started[last][0] - started[first][0] + 1.0) + 1e-6


def test_an_idle_limiter_saves_up_at_most_one_second() -> None:
    async def main() -> list[float]:
        limiter, starts = RateLimiter(60 * 10), []
        await limiter.wait(1)
        await asyncio.sleep(100)
        for _ in range(14):
            await limiter.wait(1)
            starts.append(clock_s() - 100)
        return starts

    starts = run(main())
    # Ten that were saved up, and the one whose turn it is.
    assert starts[:11] == pytest.approx([0.0] * 11, abs=1e-9)
    assert starts[11:] == pytest.approx([0.1, 0.2, 0.3])


# Circuit breaker


async def fail(breaker: CircuitBreaker, n: int = 1) -> None:
    for _ in range(n):
        breaker.leave(await breaker.enter(), False)


def test_the_breaker_opens_after_failures_in_a_row_and_probes_after_each_wait() -> None:
    async def main() -> None:
        breaker = CircuitBreaker(3, (1.0, 2.0, 4.0))
        await fail(breaker, 2)
        assert not breaker.is_open and await breaker.enter() is False
        breaker.leave(False, False)
        assert breaker.is_open and not breaker.is_down and clock_s() == 0
        ends = []
        while not breaker.is_down:
            assert await breaker.enter() is True
            ends.append(clock_s())
            breaker.leave(True, False)
        assert ends == pytest.approx([1, 3, 7])
        # Once it is down, nothing waits.
        assert await breaker.enter() is False and clock_s() == pytest.approx(7)

    run(main())


def test_a_success_resets_the_failure_count_and_a_busy_endpoint_does_not() -> None:
    async def main() -> None:
        breaker = CircuitBreaker(2, (1.0,))
        for result in (False, True, False, None, None):
            breaker.leave(await breaker.enter(), result)
        assert not breaker.is_open
        await fail(breaker)
        assert breaker.is_open

    run(main())


def test_a_successful_probe_closes_the_breaker_and_resets_the_waits() -> None:
    async def main() -> None:
        breaker = CircuitBreaker(1, (1.0, 2.0))
        await fail(breaker)
        await fail(breaker)  # the first probe, at 1
        breaker.leave(await breaker.enter(), True)  # the second, at 3
        assert not breaker.is_open and clock_s() == pytest.approx(3)
        await fail(breaker)
        await breaker.enter()
        assert clock_s() == pytest.approx(4)

    run(main())


def test_one_probe_runs_at_a_time_and_its_success_releases_the_others() -> None:
    async def main() -> None:
        breaker = CircuitBreaker(1, (1.0, 2.0))
        await fail(breaker)
        waiting = [asyncio.create_task(breaker.enter()) for _ in range(5)]
        await asyncio.sleep(1.5)
        assert [task.done() for task in waiting] == [True, False, False, False, False]
        breaker.leave(True, True)
        assert await asyncio.gather(*waiting) == [True, False, False, False, False]
        assert clock_s() == pytest.approx(1.5)

    run(main())


def test_a_cancelled_probe_lets_the_next_one_in() -> None:
    async def main() -> None:
        breaker = CircuitBreaker(1, (1.0,))
        await fail(breaker)
        waiting = asyncio.create_task(breaker.enter())
        await asyncio.sleep(0.5)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert await breaker.enter() is True and clock_s() == pytest.approx(1.5)

    run(main())


# Budget


@pytest.mark.parametrize(
    ("run_budget", "corpus_budget", "spent_before", "limit"),
    [
        (None, None, 3.0, None),
        (2.0, None, 3.0, 2.0),
        (None, 5.0, 3.0, 2.0),
        (1.0, 5.0, 3.0, 1.0),
        (4.0, 5.0, 3.0, 2.0),
        (4.0, 5.0, 6.0, 0.0),
    ],
)
def test_the_limit_is_the_smaller_of_the_two_budgets(
    run_budget: float | None, corpus_budget: float | None, spent_before: float, limit: float | None
) -> None:
    assert Budget.limit(run_budget, corpus_budget, spent_before) == limit


@pytest.mark.parametrize("concurrency", [1, 3, 50])
def test_requests_in_flight_cannot_overshoot_and_release_their_reservations(
    concurrency: int,
) -> None:
    """Each request can cost 1.0 and costs 0.4, so a budget of 5.0 allows eleven."""

    async def main() -> tuple[float, int]:
        budget, sent = Budget(5.0), 0

        async def worker() -> None:
            nonlocal sent
            while await budget.reserve(1.0):
                await asyncio.sleep(1)
                assert budget.spent_usd + 0.4 <= 5.0
                await budget.settle(1.0, 0.4)
                sent += 1

        await asyncio.gather(*(worker() for _ in range(concurrency)))
        assert budget.is_empty
        return budget.spent_usd, sent

    spent_usd, sent = run(main())
    # A twelfth could cost 1.0, and 0.6 is left.
    assert sent == 11 and spent_usd == pytest.approx(4.4)


def test_a_request_that_fits_exactly_is_sent_and_a_cent_more_is_not() -> None:
    async def main() -> list[bool]:
        answers = []
        for most in (1.0, 1.01):
            answers.append(await Budget(1.0).reserve(most))
        return answers

    assert run(main()) == [True, False]


def test_a_request_waits_for_those_in_flight_and_an_unknown_cost_counts_as_zero() -> None:
    async def main() -> None:
        budget = Budget(1.0)
        assert await budget.reserve(0.7)
        second = asyncio.create_task(budget.reserve(0.7))
        await asyncio.sleep(1)
        assert not second.done()
        await budget.settle(0.7, None)
        assert await second and budget.spent_usd == 0.0

    run(main())


def test_without_a_budget_spending_is_counted_and_nothing_is_refused() -> None:
    async def main() -> float:
        budget = Budget(None)
        assert await budget.reserve(1e9) and budget.holds(1e9)
        await budget.settle(1e9, 2.5)
        return budget.spent_usd

    assert run(main()) == 2.5


# The most a request can cost


def test_the_most_a_request_can_cost_by_hand() -> None:
    request = Request("m", ({"role": "user", "content": "x" * 384},), "s", {}, 0.0, None, 1000)
    outgoing = Outgoing.of(request)
    price = Price(input=10.0, output=20.0, cached_input=1.0)
    assert TOKEN_SAFETY == 1.4
    assert max_cost_usd(outgoing, price) == pytest.approx(
        (outgoing.prompt_tokens * 1.4 * 10 + 1000 * 20) / 1e6
    )
    assert max_cost_usd(outgoing, None) == 0.0
