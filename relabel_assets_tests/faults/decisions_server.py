"""A Decisions server over real HTTP that misbehaves on request and knows the right answer to each question.

What belongs here: the server, its faults, and the check of each request against openai's own types.
What does not: assertions. HTTP and the faults below it are those of teacher_server.py.
"""

import hashlib
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any

import pydantic
from openai.types.decision import Decision
from openai.types.decision_create_params import (
    DecisionCreateParams,
    QuestionQuestionParamScore,
    QuestionQuestionParamScoreLevel,
)

from relabel_assets.teacher.requests import estimate_prompt_tokens, request_key
from relabel_assets_tests.faults import teacher_server
from relabel_assets_tests.faults.teacher_server import ANSWERS, TeacherServer, error_body

Reply = tuple[int, dict[str, str], Any]
_PARAMS = pydantic.TypeAdapter(DecisionCreateParams)
MAX_QUESTIONS = 400


def alone_bodies(body: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """For each question of a request, the body that asks it alone: its key is the ledger's."""
    for question in body["questions"]:
        unnamed = {name: value for name, value in question.items() if name != "name"}
        yield {**body, "questions": [unnamed]}


def true_probs(body: dict[str, Any]) -> list[float]:
    """The right probabilities of a request with one question: from a hash of input and question."""
    (question,) = body["questions"]
    text = json.dumps([body["input"], question["instructions"]])
    digest = hashlib.sha256(text.encode()).digest()
    weights = [1 + byte for byte in digest[: len(question["levels"])]]
    weights[digest[31] % len(weights)] += 1024
    probs = [round(weight / sum(weights), 6) for weight in weights]
    return [*probs[:-1], round(1 - sum(probs[:-1]), 6)]


def true_grade(body: dict[str, Any]) -> int:
    """The right grade of a request with one question."""
    probs = true_probs(body)
    return probs.index(max(probs))


def good_answer(question: dict[str, Any], probs: list[float]) -> dict[str, Any]:
    labels = [level["label"] for level in question["levels"]]
    levels = [
        {"label": label, "probability": prob, "value": value}
        for value, (label, prob) in enumerate(zip(labels, probs, strict=True))
    ]
    return {
        "type": "score",
        "name": question.get("name"),
        "score": sum(value * prob for value, prob in enumerate(probs)),
        "confidence": max(probs),
        "probabilities": levels,
    }


def good_decision(body: dict[str, Any]) -> dict[str, Any]:
    """The right response to `body`, with tokens by its bytes. OpenAI bills no output."""
    pairs = zip(body["questions"], alone_bodies(body), strict=True)
    n_tokens = estimate_prompt_tokens(body)
    decision = {
        "model": body["model"],
        "answers": [good_answer(question, true_probs(alone)) for question, alone in pairs],
        "usage": {
            "input_tokens": n_tokens,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 0},
            "output_tokens": 0,
            "output_tokens_details": {"reasoning_tokens": 0},
            "total_tokens": n_tokens,
        },
    }
    Decision.model_validate(decision)
    return decision


def complaint_about(body: dict[str, Any]) -> str | None:
    """What OpenAI's types and documentation forbid in a request; None for a valid one."""
    try:
        params = _PARAMS.validate_python(body, strict=True)
        questions = [dict(question) for question in params["questions"]]  # validated one by one
        levels = [list(question["levels"]) for question in questions]
    except (pydantic.ValidationError, KeyError) as error:
        return f"invalid request: {error}"
    names = [question["name"] for question in body["questions"] if "name" in question]
    texts = [body["input"], *(question["instructions"] for question in questions)]
    rules = {
        f"unknown parameters: {_unknown_members(body)}": not _unknown_members(body),
        "input and instructions must not be empty": all(text.strip() for text in texts),
        f"1 to {MAX_QUESTIONS} questions are allowed": 1 <= len(questions) <= MAX_QUESTIONS,
        "2 to 10 levels are allowed": all(2 <= len(each) <= 10 for each in levels),
        "names must be unique": len(set(names)) == len(names),
    }
    return next((rule for rule, is_kept in rules.items() if not is_kept), None)


def _unknown_members(body: dict[str, Any]) -> list[str]:
    """Members that openai's types do not have: pydantic drops them in silence."""
    unknown = body.keys() - DecisionCreateParams.__annotations__
    for question in body["questions"]:
        unknown |= question.keys() - QuestionQuestionParamScore.__annotations__
        for level in question["levels"]:
            unknown |= level.keys() - QuestionQuestionParamScoreLevel.__annotations__
    return sorted(unknown)


# Faults of single answers: answer -> the answers in its place.
Change = Callable[[dict[str, Any]], list[Any]]


def _with_probs(change: Callable[[list[dict[str, Any]]], Any]) -> Change:
    def changed(answer: dict[str, Any]) -> list[Any]:
        levels = [dict(level) for level in answer["probabilities"]]
        return [{**answer, "probabilities": change(levels)}]

    return changed


def _shifted(answer: dict[str, Any]) -> dict[str, Any]:
    """Another answer to the same question, which is wrong."""
    probs = [level["probability"] for level in answer["probabilities"]]
    probs = [*probs[1:], probs[0]]
    levels = [
        {**level, "probability": prob}
        for level, prob in zip(answer["probabilities"], probs, strict=True)
    ]
    return {**answer, "probabilities": levels}


def _refused(answer: dict[str, Any]) -> list[Any]:
    return [{"type": "refusal", "name": answer["name"]}]


ANSWER_FAULTS: dict[str, Change] = {
    "missing answer": lambda answer: [],
    "doubled answer": lambda answer: [answer, _shifted(answer)],
    "unknown name": lambda answer: [{**_shifted(answer), "name": "0123456789abcdef"}],
    "number as name": lambda answer: [{**_shifted(answer), "name": 7}],
    "no object": lambda answer: ["irrelevant"],
    "null": lambda answer: [None],
    "another kind": lambda answer: [
        {"type": "predicate", "name": answer["name"], "probability": 0.9}
    ],
    "no probabilities": lambda answer: [{**answer, "probabilities": None}],
    "a level less": _with_probs(lambda levels: levels[:-1]),
    "a level twice": _with_probs(lambda levels: [*levels[:-1], levels[0]]),
    "another label": _with_probs(
        lambda levels: [
            {**level, "label": levels[-1 - i]["label"]} for i, level in enumerate(levels)
        ]
    ),
    "values from two": _with_probs(
        lambda levels: [{**level, "value": level["value"] + 2} for level in levels]
    ),
    "sum of two": _with_probs(
        lambda levels: [{**level, "probability": 2 / len(levels)} for level in levels]
    ),
    "negative": _with_probs(lambda levels: [{**levels[0], "probability": -0.2}, *levels[1:]]),
    "percent": _with_probs(
        lambda levels: [{**level, "probability": 100 * level["probability"]} for level in levels]
    ),
    "infinite": _with_probs(
        lambda levels: [{**levels[0], "probability": float("inf")}, *levels[1:]]
    ),
    "text as probability": _with_probs(
        lambda levels: [{**level, "probability": str(level["probability"])} for level in levels]
    ),
    "true as value": _with_probs(lambda levels: [{**level, "value": True} for level in levels]),
}
# The whole response.
BODY_FAULTS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "no answers": lambda decision: {**decision, "answers": []},
    "answers null": lambda decision: {**decision, "answers": None},
    "answers by name": lambda decision: {
        **decision,
        "answers": {str(answer["name"]): answer for answer in decision["answers"]},
    },
    "a list": lambda decision: [decision],
    "a chat reply": lambda decision: ANSWERS["fence"](0)[2],
}
HTTP_FAULTS = ("429", "429 retry-after", "500", "502 html", "503", "not json", "error in 200")
HTTP_FAULTS += ("reset", "cut body")
FAULTS = (*ANSWER_FAULTS, *BODY_FAULTS, *HTTP_FAULTS)
# A refusal is final, and so none of FAULTS.
ANSWERS_TO_CHANGE = ANSWER_FAULTS | {"refusal": _refused}
# No faults: ways in which a right response may differ.
DIFFERENCES: dict[str, Callable[[dict[str, Any]], Any]] = {
    "another order": lambda decision: {**decision, "answers": decision["answers"][::-1]},
    "two decimals": lambda decision: {
        **decision,
        "answers": [_rounded(answer) for answer in decision["answers"]],
    },
    "more members": lambda decision: {**decision, "id": "dec_1", "object": "decision"},
    "levels in another order": lambda decision: {
        **decision,
        "answers": [
            {**answer, "probabilities": answer["probabilities"][::-1]}
            for answer in decision["answers"]
        ],
    },
    "no usage": lambda decision: {
        name: value for name, value in decision.items() if name != "usage"
    },
    "no names": lambda decision: {
        **decision,
        "answers": [{**answer, "name": None} for answer in decision["answers"]],
    },
    "values from one": lambda decision: {
        **decision,
        "answers": [_from_one(answer) for answer in decision["answers"]],
    },
}


def _from_one(answer: dict[str, Any]) -> dict[str, Any]:
    levels = [{**level, "value": level["value"] + 1} for level in answer["probabilities"]]
    return {**answer, "probabilities": levels}


def _rounded(answer: dict[str, Any]) -> dict[str, Any]:
    levels = [
        {**level, "probability": round(level["probability"], 2)}
        for level in answer["probabilities"]
    ]
    return {**answer, "probabilities": levels}


class DecisionsServer(TeacherServer):
    """A server on a free port. `choose(body, key, nth)` names a fault or a difference, or None.

    `key` is that of the whole request. Of a fault of single answers, each has it with `fault_share`.
    """

    def __init__(
        self,
        choose: Callable[[dict[str, Any], str, int], str | None] = lambda body, key, nth: None,
        latency_s: float = 0.0,
        fault_share: float = 1.0,
        max_tokens: int | None = None,
        max_questions: int = MAX_QUESTIONS,
        cut_at: int | None = None,
    ) -> None:
        super().__init__(choose, latency_s)
        self.cut_at = cut_at  # tokens of a prompt that are read; only the usage tells
        self.fault_share, self.max_tokens, self.max_questions = (
            fault_share,
            max_tokens,
            max_questions,
        )
        self.asked: Counter[str] = Counter()  # questions, by the key of each alone
        self.alone: dict[str, dict[str, Any]] = {}  # the body of each question alone, by key
        self.complaints: list[str] = []

    def reply(self, body: dict[str, Any], key: str) -> tuple[str | None, Reply]:
        """The name of the fault or difference, and the status, headers and body of the response.

        A chat request, to the same server, gets its answer from TeacherServer.
        """
        if "messages" in body:
            return super().reply(body, key)
        if complaint := complaint_about(body):
            self.complaints.append(complaint)
            return "400", (400, {}, error_body(complaint, "invalid_request_error"))
        for alone in alone_bodies(body):
            self.asked[request_key(alone)] += 1
            self.alone[request_key(alone)] = alone
        if complaint := self._over_limit(body):
            return "400", (400, {}, error_body(complaint))
        name = self.choose(body, key, self.requests[key])
        decision = good_decision(body)
        if self.cut_at is not None:
            usage = decision["usage"]
            usage["input_tokens"] = min(usage["input_tokens"], self.cut_at)
        chance = random.Random(f"{key} {self.requests[key]}")
        changes = {
            fault: self._changed_answers(change, chance)
            for fault, change in ANSWERS_TO_CHANGE.items()
        }
        changes |= BODY_FAULTS | DIFFERENCES
        if name in changes:
            return name, (200, {}, changes[name](decision))
        if name in self.answers:  # those of HTTP; a chat's differences have the same names as ours
            return name, self.answers[name](0)
        return name, (200, {}, decision)

    def _changed_answers(
        self, change: Change, chance: random.Random
    ) -> Callable[[dict[str, Any]], dict[str, Any]]:
        """A change of a response: each of its answers has `change` with `fault_share`."""

        def changed(decision: dict[str, Any]) -> dict[str, Any]:
            answers = []
            for answer in decision["answers"]:
                is_changed = chance.random() < self.fault_share
                answers += change(answer) if is_changed else [answer]
            return {**decision, "answers": answers}

        return changed

    def _over_limit(self, body: dict[str, Any]) -> str | None:
        n_tokens = estimate_prompt_tokens(body)
        if self.max_tokens is not None and n_tokens > self.max_tokens:
            return f"maximum context length is {self.max_tokens} tokens, not {n_tokens}"
        if len(body["questions"]) > self.max_questions:
            return f"at most {self.max_questions} questions are allowed"
        return None


def choose_at_random(
    share: float, seed: int, faults: tuple[str, ...] = FAULTS
) -> Callable[[dict[str, Any], str, int], str | None]:
    """A fault for `share` of the requests, fixed by request and try; others get a difference."""
    return teacher_server.choose_at_random(share, faults, seed, DIFFERENCES)
