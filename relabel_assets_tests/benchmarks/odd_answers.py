"""Odd answers of models and servers: wrong grades, crashes and requests, beside the plain openai client.

    python -m relabel_assets_tests.benchmarks.odd_answers
        [--part modes | scenarios | faults] [--pairs 2000] [--share 0.3]

Each mode (odd_modes.py) answers 3 pairs, and goes on however often it is asked. Each scenario
(odd_scenarios.py) is a server that 20 pairs are asked of. Then 30 % of the responses are faults, over
chat completions and over Decisions. Everything runs as in a corpus: Teacher.grade, HTTP, the ledger.

The rival sends the same messages with `client.chat.completions.parse` and its own 2 retries. An exception
is no grade there, and a crash unless it is one of openai's. Its waits are shortened.

`*` marks what is not right of ours: a wrong grade, a crash, a grade that could not be known or was not
read, more requests than needed.
"""

import argparse
import logging
import os
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import polars as pl
import pydantic

from relabel_assets.errors import RelabelError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.teacher.grading.grading import grading_messages
from relabel_assets_tests.benchmarks.odd_modes import MODES, Mode
from relabel_assets_tests.benchmarks.odd_scenarios import N_PAIRS, SCENARIOS
from relabel_assets_tests.builders import crossed_pairs, grade, make_pairs
from relabel_assets_tests.faults import decisions_server, teacher_server
from relabel_assets_tests.faults.teacher_server import FAULTS, TeacherServer, true_grade
from relabel_assets_tests.servers.worded_server import long_pairs

# Of a pair about which a server will never say more, the teacher asks at most three times, and waits.
MOST_REQUESTS = 3
QUICK = tuple(fault for fault in FAULTS if fault not in ("hang", "slow body"))


class Reply(pydantic.BaseModel):
    """The rival's response format."""

    rationale: str
    grade: Literal[0, 1, 2, 3]


@dataclass
class Outcome:
    """What came of some pairs."""

    statuses: Counter[str] = field(default_factory=Counter)
    n_requests: int = 0
    n_wrong: int = 0
    crash: str = ""  # an exception that nobody expects
    stopped: str = ""  # an error with a way out, which ended the run
    reason: str = ""

    def __str__(self) -> str:
        if not self.statuses:
            return self.crash or "stopped"
        return ", ".join(f"{n} {status}" for status, n in self.statuses.most_common())


def ours(server: TeacherServer, pairs: pl.DataFrame, **settings: Any) -> Outcome:
    """The teacher's outcome."""
    outcome = Outcome()
    with tempfile.TemporaryDirectory() as folder, server.running():
        try:
            labels = grade(Path(folder), server, pairs, **settings)
            outcome.statuses.update(labels["status"])
            reasons = labels["status_reason"].drop_nulls()
            outcome.reason = reasons[0] if len(reasons) else ""
            for row in labels.filter(pl.col("status") == "ok").iter_rows(named=True):
                outcome.n_wrong += row["grade"] != _true_grade(server, row["request_key"])
        except RelabelError as error:
            outcome.stopped = outcome.reason = str(error)
        except Exception as error:  # what this benchmark looks for
            outcome.crash = outcome.reason = f"{type(error).__name__}: {error}"
    outcome.n_requests = server.requests.total()
    return outcome


def _true_grade(server: TeacherServer, key: str) -> int:
    if isinstance(server, decisions_server.DecisionsServer):
        return decisions_server.true_grade(server.alone[key])
    return true_grade(server.bodies[key])


def rival(server: TeacherServer, pairs: pl.DataFrame) -> Outcome:
    """The outcome of openai's client with `parse` and its 2 retries."""
    import openai

    outcome = Outcome()
    rubric, prompt = default_rubric(), grading_prompt()
    with server.running(), openai.OpenAI(base_url=server.base_url, timeout=10) as client:

        def ask(pair: dict[str, Any]) -> tuple[str, bool, str]:
            messages: Any = list(grading_messages(pair, prompt, rubric, 3000))
            try:
                completion = client.chat.completions.parse(
                    model="fake", messages=messages, response_format=Reply, temperature=0, seed=13,
                    max_completion_tokens=400,
                )  # fmt: skip
                parsed = completion.choices[0].message.parsed
            except Exception as error:  # of any library
                if not isinstance(error, openai.OpenAIError):
                    outcome.crash = type(error).__name__
                return f"{type(error).__name__}", False, str(error)
            if parsed is None:
                return "no grade", False, ""
            return "ok", parsed.grade != true_grade({"messages": messages}), ""

        with ThreadPoolExecutor(16) as threads:
            for status, is_wrong, reason in threads.map(ask, pairs.iter_rows(named=True)):
                outcome.statuses[status] += 1
                outcome.n_wrong += is_wrong
                outcome.reason = outcome.reason or reason
    outcome.n_requests = server.requests.total()
    return outcome


@contextmanager
def impatient_rival() -> Iterator[None]:
    """Shorten the waits between the rival's tries."""
    from openai import _base_client

    first, longest = _base_client.INITIAL_RETRY_DELAY, _base_client.MAX_RETRY_DELAY
    _base_client.INITIAL_RETRY_DELAY = _base_client.MAX_RETRY_DELAY = 0.002
    try:
        yield
    finally:
        _base_client.INITIAL_RETRY_DELAY, _base_client.MAX_RETRY_DELAY = first, longest


@dataclass
class Totals:
    """Sums over the rows of a table, by who was asked."""

    n: int = 0
    sums: dict[str, Counter[str]] = field(
        default_factory=lambda: {"ours": Counter(), "rival": Counter()}
    )

    def add(self, who: str, outcome: Outcome, *, is_right: bool) -> None:
        self.sums[who]["right"] += is_right
        self.sums[who]["wrong grades"] += outcome.n_wrong
        self.sums[who]["crashed"] += bool(outcome.crash)
        self.sums[who]["requests"] += outcome.n_requests

    def __str__(self) -> str:
        return "\n".join(
            f"{who}: {counts['right']} of {self.n} right, {counts['wrong grades']} wrong grades, "
            f"{counts['crashed']} crashes, {counts['requests']:,} requests"
            for who, counts in self.sums.items()
        )


def print_row(name: str, outcome: Outcome, other: Outcome, *, is_right: bool) -> None:
    mark = " " if is_right else "*"
    text = " ".join(outcome.reason.split())[:70]
    print(
        f"{mark} {name[:46]:46} {str(outcome)[:27]:27} {outcome.n_requests:>4} {outcome.n_wrong:>3}  "
        f"| {str(other)[:32]:32} {other.n_requests:>4} {other.n_wrong:>3} | {text}"
    )


def mode_server(mode: Mode) -> TeacherServer:
    server = TeacherServer(lambda body, key, nth: "odd")
    server.answers = {"odd": mode.make}
    return server


def run_modes() -> None:
    """Every mode for 3 pairs."""
    totals, pairs = Totals(), make_pairs(3)
    for name, mode in MODES.items():
        outcome, other = (asked(mode_server(mode), pairs) for asked in (ours, rival))
        is_right = _is_right(outcome, mode, len(pairs))
        print_row(name, outcome, other, is_right=is_right)
        totals.n += 1
        totals.add("ours", outcome, is_right=is_right)
        totals.add("rival", other, is_right=_is_rival_right(other, mode, len(pairs)))
    print(f"{len(MODES)} modes x {len(pairs)} pairs\n{totals}\n")


def _is_right(outcome: Outcome, mode: Mode, n_pairs: int) -> bool:
    most = n_pairs if mode.right == ("ok",) else MOST_REQUESTS * n_pairs + 2 * n_pairs
    is_status = set(outcome.statuses) <= set(mode.right) and not outcome.crash
    return is_status and not outcome.n_wrong and outcome.n_requests <= most


def _is_rival_right(outcome: Outcome, mode: Mode, n_pairs: int) -> bool:
    has_grades = outcome.statuses["ok"] == n_pairs and not outcome.n_wrong
    return has_grades if mode.right == ("ok",) else not outcome.statuses["ok"]


def run_scenarios() -> None:
    """Every scenario for 20 pairs."""
    totals = Totals()
    for name, scenario in SCENARIOS.items():
        pairs = long_pairs(N_PAIRS) if scenario.is_long else make_pairs(N_PAIRS)
        outcome = ours(scenario.server(), pairs, **scenario.settings)
        other = rival(scenario.server(), pairs)
        is_stopped = scenario.stops and bool(outcome.stopped)
        is_right = (
            (is_stopped or dict(outcome.statuses) == scenario.statuses)
            and not outcome.n_wrong
            and outcome.n_requests <= scenario.most_requests
        )
        print_row(name, outcome, other, is_right=is_right)
        totals.n += 1
        totals.add("ours", outcome, is_right=is_right)
        is_rival_right = (
            other.statuses["ok"] == scenario.statuses.get("ok", 0)
            and not other.n_wrong
            and other.n_requests <= scenario.most_requests
        )
        totals.add("rival", other, is_right=is_rival_right)
    print(f"{len(SCENARIOS)} scenarios x {N_PAIRS} pairs\n{totals}\n")


def run_faults(n_pairs: int, share: float) -> None:
    """A share of faults among the responses, over chat completions and over Decisions."""
    chat = teacher_server.choose_at_random(share, QUICK, seed=11)
    decisions = decisions_server.choose_at_random(share, seed=11)
    pairs = make_pairs(n_pairs)
    bundles = crossed_pairs(n_pairs // 4, 4)
    print(f"{share:.0%} faults")
    for name, n, outcome in (
        ("chat, ours", n_pairs, ours(TeacherServer(chat), pairs)),
        ("chat, rival", n_pairs, rival(TeacherServer(chat), pairs)),
        *_decisions(decisions, bundles),
    ):
        print(
            f"  {name:28} {outcome.statuses['ok']:,} of {n:,} graded, {outcome.n_wrong} wrong, "
            f"{outcome.n_requests / n:.3f} requests a pair"
        )


def _decisions(
    choose: Callable[[dict[str, Any], str, int], str | None], pairs: pl.DataFrame
) -> Iterator[tuple[str, int, Outcome]]:
    server = decisions_server.DecisionsServer(choose)
    outcome = ours(server, pairs, api="decisions")
    yield "decisions, ours", len(pairs), outcome
    asked = Outcome(outcome.statuses, server.asked.total(), outcome.n_wrong)
    yield "decisions, counted by question", len(pairs), asked


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--part", choices=("modes", "scenarios", "faults"))
    parser.add_argument("--pairs", type=int, default=2000)
    parser.add_argument("--share", type=float, default=0.3)
    arguments = parser.parse_args()
    logging.disable()
    warnings.simplefilter("ignore")  # pydantic's about odd members
    os.environ["OPENAI_API_KEY"] = "none"
    print(f"  {'':46} {'ours':27}    n wrong {'rival':>8} {'':28}    n wrong")
    parts: Mapping[str, Callable[[], None]] = {
        "modes": run_modes,
        "scenarios": run_scenarios,
        "faults": lambda: run_faults(arguments.pairs, arguments.share),
    }
    with impatient_rival():
        for name, run in parts.items():
            if arguments.part in (None, name):
                run()


if __name__ == "__main__":
    main()
