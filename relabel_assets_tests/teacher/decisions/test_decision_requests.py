"""Requests of the Decisions API: what is shared, what a question has, and the key of a pair."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import ConfigError
from relabel_assets.prompts.rubric import Grade, Rubric, default_rubric
from relabel_assets.prompts.teacher_prompts import decisions_prompt
from relabel_assets.teacher.decisions.decision_requests import (
    DecisionRequest,
    decision_requests,
    joined,
    level_labels,
    order_of_inputs,
    score_levels,
)
from relabel_assets.teacher.requests import Outgoing, request_key
from relabel_assets_tests.teacher.documents import PAIR

GOLDEN = Path(__file__).parents[2] / "golden" / "decisions_prompt.txt"
CONFIG = TeacherConfig(api="decisions", model="gpt-6-luna")
PROMPT, RUBRIC = decisions_prompt(), default_rubric()
TURNED_AROUND = decisions_prompt(
    "input: 'Query: {{query}}'\nquestion: 'Is this an answer? <doc>{{body}}</doc>'"
)


def request_about(**changes: object) -> DecisionRequest:
    (request,) = decision_requests(PAIR | changes, PROMPT, RUBRIC, CONFIG)
    return request


def test_the_decisions_prompt_equals_its_golden_file() -> None:
    request = request_about()
    text = f"[input]\n{request.input}\n\n[question]\n{request.questions[0]['instructions']}\n"
    if not GOLDEN.exists():
        GOLDEN.write_text(text)
        pytest.fail(f"{GOLDEN.name} was not there; it is now. Read it and run this again.")
    assert text == GOLDEN.read_text()
    assert (
        text.count("</document>") == 2
    )  # in the rules and at the end; the document's own is escaped
    assert text.count("<query>") == 2  # in the rules and the question; the query's own is escaped


def test_the_key_of_a_pair_is_stable() -> None:
    """Ledgers have answers under it: a changed word pays for every pair again."""
    key = "d52d7efabefc70985deb4ed5a7cbc25a1dbc627958dbd59b01eb03059d51857a"
    assert request_key(request_about().body()) == key


def test_the_document_is_shared_and_the_query_is_not() -> None:
    first, second = request_about(text="leave"), request_about(text="pay")
    assert first.input is second.input  # one object: the pairs of a bundle hold it once
    assert first.questions != second.questions
    assert request_about(title="Another").input != first.input


def test_a_prompt_may_share_the_query_in_place_of_the_document() -> None:
    (first,) = decision_requests(PAIR, TURNED_AROUND, RUBRIC, CONFIG)
    (second,) = decision_requests(PAIR | {"body": "Another."}, TURNED_AROUND, RUBRIC, CONFIG)
    assert first.input == second.input and first.questions != second.questions


def test_levels_have_the_meanings_where_the_prompt_does_not_say_them() -> None:
    described = score_levels(RUBRIC, TURNED_AROUND)
    assert [level["label"] for level in described] == [
        "irrelevant",
        "related",
        "relevant",
        "perfect",
    ]
    assert [level["description"] for level in described] == [
        grade.meaning for grade in RUBRIC.grades
    ]
    assert score_levels(RUBRIC, PROMPT) == [{"label": grade.name} for grade in RUBRIC.grades]


def rubric_named(*names: str) -> Rubric:
    grades = tuple(Grade(grade=n, name=name, meaning="m") for n, name in enumerate(names))
    return Rubric(grades=grades)


def test_levels_of_the_same_name_have_their_numbers() -> None:
    assert level_labels(rubric_named("no", "yes")) == ("no", "yes")
    assert level_labels(rubric_named("no", "yes", "yes")) == ("0 (no)", "1 (yes)", "2 (yes)")


def test_a_name_that_cannot_be_sent_is_sent_without_what_cannot() -> None:
    rubric = rubric_named("no\x00", "yes\x1b")
    (request,) = decision_requests(PAIR, TURNED_AROUND, rubric, CONFIG)
    assert level_labels(rubric) == ("no\ufffd", "yes\ufffd")
    assert Outgoing.of(request).key


def test_nothing_is_sent_but_model_input_and_questions() -> None:
    config = TeacherConfig(api="decisions", model="m", temperature=0.5, seed=7)
    (request,) = decision_requests(PAIR, PROMPT, RUBRIC, config)
    assert set(request.body()) == {"model", "input", "questions"}
    assert set(request.body()["questions"][0]) == {"type", "instructions", "levels"}


def test_a_bundle_has_the_questions_of_its_pairs_under_their_keys() -> None:
    alone = [Outgoing.of(request_about(text=text)) for text in ("leave", "pay", "sick")]
    bundle = joined(alone)
    assert bundle.asked_together == tuple(outgoing.key for outgoing in alone)
    names = [question.pop("name") for question in bundle.body["questions"]]
    assert names == [outgoing.key[:16] for outgoing in alone]
    assert bundle.body["questions"] == [outgoing.body["questions"][0] for outgoing in alone]
    assert bundle.body["input"] == alone[0].body["input"]


def test_a_question_asked_alone_is_named_too() -> None:
    alone = Outgoing.of(request_about())
    (question,) = joined([alone]).body["questions"]
    assert question["name"] == alone.key[:16]
    assert joined([alone]).key != alone.key


@pytest.mark.parametrize(
    ("prompt", "order"), [(PROMPT, [0, 3, 1, 2]), (TURNED_AROUND, [0, 2, 1, 3])]
)
def test_pairs_come_in_the_order_of_their_inputs(prompt: object, order: list[int]) -> None:
    pairs = pl.DataFrame({"query_id": ["a", "b", "a", "c"], "doc_id": ["1", "2", "3", "1"]})
    assert order_of_inputs(pairs, prompt).to_list() == order  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("input: '{{body}}'", "`question` is missing"),
        ("question: '{{body}} {{query}}'", "`input` is empty"),
        ("input: ' '\nquestion: '{{body}} {{query}}'", "`input` is empty"),
        ("input: '{{body}}'\nquestion: 'Is it relevant?'", "lacks {{query}}"),
        ("input: '{{body}}'\nquestion: '{{query}}'\nuser: x", "'user' is no part of a prompt"),
        ("system: '{{body}}'\nuser: '{{query}} {{grades}}'", "`question` is missing"),
    ],
)
def test_a_prompt_that_cannot_be_used_says_why(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=r"^mine\.yaml: ") as raised:
        decisions_prompt(text, file="mine.yaml")
    assert message in str(raised.value)
