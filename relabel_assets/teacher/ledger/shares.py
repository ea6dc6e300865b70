"""The share of each question in the response to a request of questions with keys of their own.

What belongs here: the line of one question, cut from the line of the whole response. What does not:
asking together (sending/together.py) and parsing an answer (decisions/decision_replies.py).

The ledger has one request line and one response line, as they were sent and received. Both are under
the key of the whole request, and `asked_together` names the keys of the questions. A question's name in
the request is the beginning of its key. So an answer finds its question by name, in whatever order
the server returns them, and an answer from another request fits no question. Of a server that returns
no name at all, the answers are in the order of the questions, as the API promises.
"""

from collections import defaultdict
from dataclasses import replace
from typing import Any

from relabel_assets.teacher.ledger.lines import Line

NAME_CHARACTERS = 16  # of a key: two of 400 questions agree by chance in 1 of 10**14 requests


def question_name(key: str) -> str:
    """The name of the question with this `key` in a request with several questions.

    >>> question_name("0123456789abcdef" * 4)
    '0123456789abcdef'
    """
    return key[:NAME_CHARACTERS]


def shares_of(line: Line) -> dict[str, Line]:
    """The line of each question, by key, from the `line` of a response. A chat's line is its own share.

    A question has its own answers and an equal share of tokens and dollars. Shares of tokens are whole
    numbers; the first questions have what is left over. So all shares add up to the whole.

    >>> from relabel_assets.teacher.ledger.lines import RequestMetadata, Response
    >>> keys = "a" * 64, "b" * 64
    >>> answers = [{"name": "b" * 16, "type": "refusal"}]
    >>> metadata = RequestMetadata(prompt_tokens=7, asked_together=keys)
    >>> shares = shares_of(Line("c" * 64, metadata, Response(200, {"answers": answers})))
    >>> [(share.metadata.prompt_tokens, len(share.response.body["answers"])) for share in shares.values()]
    [(4, 0), (3, 1)]
    """
    keys, metadata = line.question_keys, line.metadata
    if not metadata.asked_together:
        return {line.key: line}
    assert line.response is not None
    bodies = _bodies(line.response.body, keys)
    return {
        key: Line(
            key,
            replace(
                metadata,
                prompt_tokens=_share(metadata.prompt_tokens, position, len(keys)),
                completion_tokens=_share(metadata.completion_tokens, position, len(keys)),
                cost_usd=cost_share_usd(line),
            ),
            replace(line.response, body=body),
        )
        for position, (key, body) in enumerate(zip(keys, bodies, strict=True))
    }


def cost_share_usd(line: Line) -> float | None:
    """The share of one question in the cost of the response; None if the cost is unknown.

    >>> from relabel_assets.teacher.ledger.lines import RequestMetadata, Response
    >>> metadata = RequestMetadata(cost_usd=0.5, asked_together=("a" * 64, "b" * 64))
    >>> cost_share_usd(Line("c" * 64, metadata, Response(200)))
    0.25
    """
    cost_usd = line.metadata.cost_usd
    return None if cost_usd is None else cost_usd / line.metadata.n_asked_together


def _share(total: int | None, position: int, n: int) -> int | None:
    return None if total is None else total // n + (position < total % n)


def _bodies(body: Any, keys: tuple[str, ...]) -> list[Any]:
    """For each key, `body` with that question's answers alone. A body without answers stays whole."""
    answers = body.get("answers") if isinstance(body, dict) else None
    if not isinstance(answers, list):
        return [body] * len(keys)
    names = [answer.get("name") if isinstance(answer, dict) else "" for answer in answers]
    if len(answers) == len(keys) and all(name is None for name in names):
        return [{**body, "answers": [answer]} for answer in answers]
    by_name: dict[Any, list[Any]] = defaultdict(list)
    for name, answer in zip(names, answers, strict=True):
        if isinstance(name, str):
            by_name[name].append(answer)
    return [{**body, "answers": by_name[question_name(key)]} for key in keys]
