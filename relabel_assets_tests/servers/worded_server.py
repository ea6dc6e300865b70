"""A teacher over real HTTP that answers in the words of one server.

What belongs here: the rules by which a server refuses, and its reply with the right grade. What does
not: the words themselves (the test modules), and HTTP (faults/teacher_server.py).
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import polars as pl

from relabel_assets_tests.builders import make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer, true_grade

Body = dict[str, Any]
Answer = tuple[int, Mapping[str, str], Any]  # status, headers, body
Rule = Callable[[Body, int], Answer | None]  # of a request's body and the number of its try


class WordedServer(TeacherServer):
    """A server whose first rule that applies answers; `success` makes the reply if none does."""

    def __init__(self, success: Callable[[Body], Body], *rules: Rule) -> None:
        super().__init__()
        self.success, self.rules = success, rules

    def reply(self, body: Body, key: str) -> tuple[str | None, Answer]:
        for rule in self.rules:
            answer = rule(body, self.requests[key])
            if answer is not None:
                return None, answer
        return None, (200, {}, self.success(body))

    @property
    def n_requests(self) -> int:
        return self.requests.total()


def right_reply(body: Body) -> str:
    """The text of a model's reply with the right grade."""
    return json.dumps({"rationale": "It names the query.", "grade": true_grade(body)})


def refuses(field: str, status: int, error: Any) -> Rule:
    """The rule of a server that does not take `field` of a request."""
    return lambda body, nth: (status, {}, error) if field in body else None


def first_time(status: int, error: Any, **headers: str) -> Rule:
    """The rule of a server that answers each request's first try with an error."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda body, nth: (status, named, error) if nth == 1 else None


def about(words: str, status: int, error: Any) -> Rule:
    """The rule of a server that answers each request with `words` in its messages with an error."""

    def rule(body: Body, nth: int) -> Answer | None:
        return (status, {}, error) if words in body["messages"][-1]["content"] else None

    return rule


def long_pairs(n: int, n_words: int = 1500) -> pl.DataFrame:
    """Pairs about documents of `n_words` words and more, each longer than the one before."""
    bodies = ["The rules on annual leave changed. " * ((n_words + 60 * i) // 6) for i in range(n)]
    return make_pairs(n).with_columns(body=pl.Series(bodies))
