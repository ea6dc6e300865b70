"""Requests of the Decisions API: one input, and a score question for each query about it.

What belongs here: the request that grades a pair, and the one request for several pairs with the same
input. What does not: which pairs are asked together (bundles.py), the answers (decision_replies.py) and
sending (sending/together.py).

A pair's key in the ledger is that of a request with its question alone and unnamed. So a pair is found
there whatever it was asked with.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import polars as pl

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.prompt import Prompt, placeholders_in, sendable
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.teacher.grading.grading import pair_values
from relabel_assets.teacher.ledger.shares import question_name
from relabel_assets.teacher.requests import DECISIONS, Dialect, Outgoing, estimate_json_tokens

URL = "/v1/decisions"
_NO_DIALECT = Dialect()  # there is nothing to concede: a request has no optional field
# Tokens of an answer, beside its labels. Not measured: OpenAI bills none. Another server may bill the JSON.
_ANSWER_TOKENS = 40
_TOKENS_A_LEVEL = 20
_DOCUMENT_PLACEHOLDERS = frozenset({"title", "metadata", "body"})


@dataclass(frozen=True)
class DecisionRequest:
    """`questions` about `input`, each as the API takes it.

    >>> question = {"type": "score", "instructions": "How good?", "levels": [{"label": "bad"}]}
    >>> sorted(DecisionRequest("gpt-6-luna", "a document", (question,)).body())
    ['input', 'model', 'questions']
    """

    model: str
    input: str
    questions: tuple[Mapping[str, Any], ...]
    url: str = URL

    def body(self, dialect: Dialect = _NO_DIALECT) -> dict[str, Any]:
        """The whole body of the request. The API has no dialects."""
        return {"model": self.model, "input": self.input, "questions": list(self.questions)}

    def dialect_name(self, dialect: Dialect) -> str:
        """The name of its form in the ledger."""
        return DECISIONS

    @property
    def max_completion_tokens(self) -> int:
        """The most tokens that the answers may be billed as."""
        return sum(
            _ANSWER_TOKENS
            + sum(_TOKENS_A_LEVEL + estimate_json_tokens(level["label"]) for level in levels)
            for levels in (question["levels"] for question in self.questions)
        )


def level_labels(rubric: Rubric) -> tuple[str, ...]:
    """The labels of a question's levels: the names of the grades, with their numbers if two are equal.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> level_labels(default_rubric())
    ('irrelevant', 'related', 'relevant', 'perfect')
    """
    names = [sendable(grade.name) for grade in rubric.grades]
    if len(set(names)) == len(names):
        return tuple(names)
    return tuple(f"{grade} ({name})" for grade, name in enumerate(names))


def score_levels(rubric: Rubric, prompt: Prompt) -> list[dict[str, str]]:
    """The levels of a question: the grades in order. Their places are the values of an answer.

    They have the meanings of the grades too, unless the prompt says these already: a request repeats
    the levels with each question.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> from relabel_assets.prompts.teacher_prompts import decisions_prompt
    >>> score_levels(default_rubric(), decisions_prompt())[:2]
    [{'label': 'irrelevant'}, {'label': 'related'}]
    """
    labels = level_labels(rubric)
    if "grades" in prompt.placeholders:
        return [{"label": label} for label in labels]
    return [
        {"label": label, "description": sendable(grade.meaning)}
        for label, grade in zip(labels, rubric.grades, strict=True)
    ]


def decision_requests(
    pair: Mapping[str, Any], prompt: Prompt, rubric: Rubric, config: TeacherConfig
) -> list[DecisionRequest]:
    """One request for each model, which asks about `pair` alone. Always in the same order.

    `pair`: text, title, body and DOCUMENT_METADATA; all but text and body may be None.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> from relabel_assets.prompts.teacher_prompts import decisions_prompt
    >>> pair, config = {"text": "leave", "body": "Ask HR."}, TeacherConfig(model="gpt-6-luna", panel=["o"])
    >>> requests = decision_requests(pair, decisions_prompt(), default_rubric(), config)
    >>> [request.model for request in requests], requests[0].questions[0]["instructions"][:23]
    (['gpt-6-luna', 'o'], 'How relevant is the doc')
    """
    shared, question = prompt.render(pair_values(pair, rubric, config.max_document_tokens))
    asked = {
        "type": "score",
        "instructions": question["content"],
        "levels": score_levels(rubric, prompt),
    }
    content = _as_one_object(shared["content"])
    return [DecisionRequest(model, content, (asked,)) for model in (config.model, *config.panel)]


@lru_cache(maxsize=4)
def _as_one_object(text: str) -> str:
    """`text`, as the object of an equal text before it. So the pairs of a bundle hold it once."""
    return text


def order_of_inputs(pairs: pl.DataFrame, prompt: Prompt) -> pl.Series:
    """The positions of `pairs` in an order in which equal inputs come one after another.

    By document, or by query where the input shows no document. Pairs of the same one stay in their
    order. A long document is cut by the query, so its inputs may differ.

    >>> from relabel_assets.prompts.teacher_prompts import decisions_prompt
    >>> pairs = pl.DataFrame({"query_id": ["q", "q", "r"], "doc_id": ["a", "b", "a"]})
    >>> order_of_inputs(pairs, decisions_prompt()).to_list()
    [0, 2, 1]
    """
    shown = placeholders_in(prompt.system)
    column = "doc_id" if shown & _DOCUMENT_PLACEHOLDERS else "query_id"
    return pairs.with_row_index("position").sort(column, maintain_order=True)["position"]


def joined(alone: Sequence[Outgoing]) -> Outgoing:
    """One request for the questions of Decisions requests with the same model and input.

    Each question gets its name from its key, also a single one: an answer with another name is none.
    A request of another API is alone, and stays as it is.

    >>> question = {"type": "score", "instructions": "Is it about leave?", "levels": []}
    >>> other = question | {"instructions": "Is it about pay?"}
    >>> alone = [Outgoing.of(DecisionRequest("m", "a document", (q,))) for q in (question, other)]
    >>> bundle = joined(alone)
    >>> [q["name"] == outgoing.key[:16] for q, outgoing in zip(bundle.body["questions"], alone)]
    [True, True]
    """
    request = alone[0].request
    if not isinstance(request, DecisionRequest):
        return alone[0]
    keys = tuple(outgoing.key for outgoing in alone)
    questions = tuple(
        {**outgoing.body["questions"][0], "name": question_name(outgoing.key)} for outgoing in alone
    )
    return Outgoing.of(replace(request, questions=questions), asked_together=keys)
