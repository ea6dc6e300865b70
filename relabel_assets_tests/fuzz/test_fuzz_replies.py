"""Random odd bodies over real HTTP: each becomes a row and no exception, and no grade but the right one.

Server on the loopback -> endpoint -> ledger -> row; then the same row from the ledger alone. And the
same bodies in a file of responses, which another tool may have written.
"""

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.teacher.batch.response_files import import_responses
from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.prices import Price
from relabel_assets.teacher.questions import GradingQuestions
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, grade, make_config, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer, chat_body, true_grade

pytestmark = pytest.mark.slow  # servers

N_PAIRS, N_SEEDS = 150, 4
DEEP = '{"a":' * 200_000 + "1" + "}" * 200_000
NUMBERS = (
    "0", "-1", "1.5", "1e400", "-1e400", "1" + "0" * 400, "NaN", "-Infinity", "true", "9" * 5_000,
    "5e-324", "2147483648",
)  # fmt: skip
TEXTS = (
    '""', '" "', r'"\ud800"', r'"\u0000"', r'"\udfff\ud800 \u202e"', '"3"', '"three"', '"\\n"',
    json.dumps("\x1b[2J"), json.dumps("{" * 50_000), json.dumps(DEEP), json.dumps(" " * 100_000),
)  # fmt: skip
OTHERS = ("null", "[]", "{}", "[[]]", '{"0": {}}', '[null, 7, "x", {}]', "[" * 90 + "]" * 90)
ANYTHING = (*NUMBERS, *TEXTS, *OTHERS)
Raw = str  # JSON as a server writes it, which Python's json would not


def mutated(rng: random.Random, value: Any, share: float) -> Raw:
    """`value` as JSON, in which each value is replaced with anything, dropped or doubled by chance."""
    if rng.random() < share:
        return rng.choice(ANYTHING)
    if isinstance(value, dict):
        members = [
            f"{json.dumps(name)}: {mutated(rng, item, share)}" for name, item in value.items()
        ]
        members = [text for text in members if rng.random() >= share / 2]
        if members and rng.random() < share:  # the same name with another value
            name = rng.choice(list(value))
            members.insert(
                rng.randrange(len(members) + 1), f"{json.dumps(name)}: {rng.choice(ANYTHING)}"
            )
        return "{" + ", ".join(members) + "}"
    if isinstance(value, list):
        items = [mutated(rng, item, share) for item in value]
        return "[" + ", ".join(items * (2 if rng.random() < share / 2 else 1)) + "]"
    return json.dumps(value)


def wrong(grade: int) -> int:
    return (grade + 1) % 4


def answer(grade: int) -> str:
    return json.dumps({"rationale": "because", "grade": grade})


# Texts with the right grade, then texts that must have none. Most quote another grade.
RIGHT: tuple[Callable[[int], str], ...] = (
    answer,
    lambda grade: f"```json\n{answer(grade)}\n```",
    lambda grade: f'<think>{{"grade": {wrong(grade)}}}</think>{answer(grade)}',
    lambda grade: f'Maybe {{"grade": {wrong(grade)}}}?</think>\n{answer(grade)}',
    lambda grade: f'{{"rationale": "two\nlines </think>", "grade": {grade},}}',
    lambda grade: f'[THINK]{{"grade": {wrong(grade)}}}[/THINK]{answer(grade)}',
)
WRONG: tuple[Callable[[int], str], ...] = (
    lambda grade: f'It says {{"grade": {wrong(grade)}}}, so {{"grade"',
    lambda grade: f'{{"grade": {wrong(grade)}, "grade": {grade}}}',
    lambda grade: f'{{"grade": {grade}, "grade": {wrong(grade)}}}',
    lambda grade: f'So <think>it is {{"grade": {wrong(grade)}}}',
    lambda grade: f'{{"grade": {wrong(grade)}}} <think>or less?',
    lambda grade: f'<think>{{"grade": {wrong(grade)}}}',
    lambda grade: f'{{"grade": {wrong(grade)}}} <think>No, less.</think>',
    lambda grade: f"I would say {wrong(grade)}",
    lambda grade: f'{{"grade": {grade}.5}}',
    lambda grade: f'{{"grade": [{wrong(grade)}]}}',
    lambda grade: "{" * 100_000,
    lambda grade: DEEP,
)


def message(rng: random.Random, grade: int) -> dict[str, Any]:
    """A message with the right grade, without one, or with a wrong one where none is read."""
    text = rng.choice(RIGHT)(grade)
    odd = rng.choice(WRONG)(grade)
    call = {"type": "function", "function": {"name": "f", "arguments": answer(grade)}}
    draft = f"It may be {answer(wrong(grade))}, or not."
    parts = [{"type": "thinking", "thinking": draft}, {"type": "text", "text": text}]
    return rng.choice(
        (
            {"content": text},
            {"content": text, "reasoning_content": draft},
            {"content": odd},
            {"content": odd, "reasoning": draft},
            {"content": None, "reasoning_content": answer(grade)},
            {"content": "", "reasoning": draft},
            {"content": parts},
            {"content": None, "tool_calls": [call]},
            {"content": None, "tool_calls": [call, call]},
            {"content": None, "parsed": {"rationale": "r", "grade": grade}},
        )
    )


def odd_body(rng: random.Random, grade: int) -> Raw:
    """A body of a response: mostly one of a chat, with changes anywhere but in its text."""
    body = chat_body(None)
    choice = body["choices"][0]
    token = {"token": str(grade), "top_logprobs": [{"token": str(grade), "logprob": -0.1}]}
    choice["logprobs"] = {"content": [{"token": '{"grade": '}, token]}
    choice["finish_reason"] = rng.choice((*["stop"] * 8, "length", "content_filter: X", None))
    body["usage"]["completion_tokens_details"] = {"reasoning_tokens": 7}
    body["error"] = rng.choice((*[None] * 8, {"code": 7, "message": ["x"]}, "\ud800"))
    choice["message"] = "MESSAGE"
    raw = mutated(rng, body, rng.choice((0.0, 0.0, 0.01, 0.05, 0.3)))
    raw = raw.replace('"MESSAGE"', json.dumps(message(rng, grade)))
    if rng.random() < 0.1:  # cut anywhere, or with bytes of another kind
        raw = raw[: rng.randrange(len(raw) + 1)] + rng.choice(("", "\x00", "]}", "}" * 9))
    return raw


class OddServer(TeacherServer):
    """Answers each request with odd_body of its key, the same each time."""

    def __init__(self, seed: int) -> None:
        super().__init__(lambda body, key, nth: "odd")
        self.seed, self.key = seed, ""
        self.choose = self._choose

    def _choose(self, body: dict[str, Any], key: str, nth: int) -> str:
        rng, name = random.Random(f"{self.seed} {key}"), f"odd {key}"
        self.answers[name] = lambda grade: (200, {}, odd_body(rng, grade))
        return name


def assert_no_wrong_grade(labels: pl.DataFrame, bodies: dict[str, dict[str, Any]]) -> None:
    """Each row has the right grade, or none and a reason. Enough rows have a grade to test something."""
    for row in labels.iter_rows(named=True):
        is_ok, reason = row["status"] == "ok", row["status_reason"]
        assert (row["grade"] is not None) == is_ok == (reason is None), row
        assert not is_ok or row["grade"] == true_grade(bodies[row["request_key"]]), row
        assert reason is None or (reason.isprintable() and len(reason) < 1_000), row
    assert 0.2 < (labels["status"] == "ok").mean() < 0.9


def grade_offline(folder: Path, config: TeacherConfig) -> pl.DataFrame:
    """The labels from the ledger in `folder` alone, which is sound."""
    teacher = Teacher(folder, retry_settings=IMPATIENT)
    offline = config.model_copy(update={"mode": "offline"})
    assert ledger_report.report(Ledger(folder), is_thorough=False).problems == []
    return teacher.grade(
        make_pairs(N_PAIRS), corpus="demo", config=offline, rubric=default_rubric()
    )


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_an_odd_body_becomes_a_row_and_never_a_wrong_grade(seed: int, tmp_path: Path) -> None:
    with OddServer(seed).running() as server:
        settings = {"max_retries": 1, "is_logprobs": True}
        labels = grade(tmp_path, server, make_pairs(N_PAIRS), **settings)
    assert_no_wrong_grade(labels, server.bodies)
    assert sum(server.requests.values()) <= 2 * N_PAIRS
    again = grade_offline(tmp_path, make_config(server, **settings))
    is_ok = labels["status"] == "ok"
    assert again.filter(is_ok).equals(labels.filter(is_ok))
    assert set(again.filter(~is_ok)["grade"]) == {None}


@pytest.mark.parametrize("seed", range(N_SEEDS))
def test_an_odd_line_of_a_response_file_costs_itself(seed: int, tmp_path: Path) -> None:
    config = TeacherConfig(kind="openai", model="fake", base_url="http://127.0.0.1:9/v1")
    questions = GradingQuestions(make_pairs(N_PAIRS), config, default_rubric(), grading_prompt())
    asked, answers = tmp_path / "requests.jsonl", tmp_path / "responses.jsonl"
    Teacher(tmp_path / "ledger").export(questions, corpus="demo", out=asked)
    requests = [json.loads(line) for line in asked.read_text().splitlines()]
    rng = random.Random(f"file {seed}")
    with answers.open("w") as file:
        for request in requests:
            raw = odd_body(rng, true_grade(request["body"])).replace("\n", " ")
            key = request["custom_id"]
            file.write(
                f'{{"custom_id": "{key}", "response": {{"status_code": 200, "body": {raw}}}}}\n'
            )
    result = import_responses(
        Ledger(tmp_path / "ledger"), [answers], lambda corpus, model: Price(1.0, 1.0, 1.0)
    )
    n_read = result.n_answers + result.n_failures  # nested too deep
    assert n_read + len(result.problems) == len(requests)
    labels = grade_offline(tmp_path / "ledger", config)
    assert_no_wrong_grade(labels, {one["custom_id"]: one["body"] for one in requests})
