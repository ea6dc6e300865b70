"""Replacing values before a text is sent: what is sent, what is counted, and what stays as it was."""

import json
from pathlib import Path

import polars as pl
import pydantic
import pytest

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.config.redaction_config import RedactionConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt, queries_prompt
from relabel_assets.teacher.questions import GradingQuestions, QueryQuestions
from relabel_assets.teacher.redaction.redaction import Redaction
from relabel_assets.teacher.requests import Outgoing
from relabel_assets_tests.builders import KEY, grade, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer

ALL = ["secrets", "emails", "phone_numbers", "cards", "ibans", "ips"]
VALUES = (
    "ana@example.com",
    "10.1.2.3",
    "+46 8 123 456 78",
    "4111 1111 1111 1111",
    "SE4550000000058398257466",
    "AKIAIOSFODNN7EXAMPLE",
    "E123456",
)
SETTINGS = {"redact": ALL, "redact_patterns": {"employee_id": r"\bE\d{6}\b"}}


def pairs_with_values() -> pl.DataFrame:
    text = "Values: " + "; ".join(VALUES) + "."
    columns = ("text", "title", "body", "author", "path")
    return make_pairs(3).with_columns(pl.lit(text).alias(name) for name in columns)


def sent(config: TeacherConfig) -> str:
    """Every request that `config` makes of the pairs: to grade them and to write queries."""
    pairs = pairs_with_values()
    grading = GradingQuestions(pairs, config, default_rubric(), grading_prompt())
    long = pairs.with_columns(body=pl.col("body") + " word" * 40).unique("doc_id")
    writing = QueryQuestions(long, config, QueriesConfig(), queries_prompt())
    bodies = [Outgoing.of(request).body for request in (*grading, *writing)]
    return json.dumps(bodies, ensure_ascii=False)


def test_no_value_is_in_any_request_and_a_placeholder_is_in_its_place() -> None:
    assert all(value in sent(TeacherConfig()) for value in VALUES)
    bodies = sent(TeacherConfig.model_validate(SETTINGS))
    assert not [value for value in VALUES if value in bodies]
    for kind in ("email", "ip", "phone_number", "card", "iban", "secret", "employee_id"):
        assert f"[{kind}]" in bodies


def test_decisions_requests_have_no_value_either() -> None:
    config = TeacherConfig.model_validate({**SETTINGS, "api": "decisions", "model": "m"})
    from relabel_assets.prompts.teacher_prompts import decisions_prompt

    questions = GradingQuestions(pairs_with_values(), config, default_rubric(), decisions_prompt())
    bodies = json.dumps([Outgoing.of(request).body for request in questions])
    assert not [value for value in VALUES if value in bodies]


def test_without_the_setting_requests_are_what_they_were() -> None:
    pairs = pairs_with_values()
    assert Redaction(TeacherConfig()).frame(pairs) is pairs
    assert "redact" not in json.dumps(TeacherConfig().model_dump(mode="json"))
    assert TeacherConfig.model_validate(SETTINGS).model_dump()["redact"] == ALL


def test_only_what_is_named_is_replaced() -> None:
    redaction = Redaction(RedactionConfig(redact=["emails"]))
    assert redaction.text("; ".join(VALUES)) == "; ".join(["[email]", *VALUES[1:]])
    assert redaction.counts == {"email": 1}


def test_a_value_at_the_cut_of_an_excerpt_is_replaced_whole() -> None:
    body = "word " * 58 + "ana.with.a.long.name@a.long.domain.example.com " + "word " * 500
    pairs = make_pairs(1).with_columns(body=pl.lit(body))
    config = TeacherConfig(redact=["emails"], max_document_tokens=85)
    (request,) = GradingQuestions(pairs, config, default_rubric(), grading_prompt())
    assert "ana." not in json.dumps(Outgoing.of(request).body)


def test_equal_texts_are_counted_once_and_ids_stay() -> None:
    pairs = pairs_with_values().with_columns(doc_id=pl.lit("ana@example.com"))
    redaction = Redaction(RedactionConfig(redact=["emails"]))
    assert redaction.frame(pairs)["doc_id"].to_list() == ["ana@example.com"] * 3
    assert redaction.counts == {"email": 5}  # of five columns, each with one text


def test_metadata_stays_json_and_null_stays_null() -> None:
    metadata = json.dumps({"owner": 'Ana "A" <ana@example.com>', "n": [1, "10.1.2.3"]})
    rows = pl.DataFrame({"metadata": [metadata, None, "no JSON: ana@example.com"]})
    redacted = Redaction(RedactionConfig(redact=["emails", "ips"])).frame(rows)["metadata"]
    assert json.loads(redacted[0]) == {"owner": 'Ana "A" <[email]>', "n": [1, "[ip]"]}
    assert redacted.to_list()[1:] == [None, "no JSON: [email]"]


def test_overlapping_values_are_one_value() -> None:
    redaction = Redaction(RedactionConfig(redact=["secrets", "emails"]))
    assert redaction.text("password: ana1@example.com") == "password: [secret]"
    assert redaction.counts == {"secret": 1}


@pytest.mark.parametrize(
    ("patterns", "message"),
    [
        ({"x": "(a"}, "unclosed group"),
        ({"x": "(?=a)"}, "look-around"),
        ({"x": r"(a)\1"}, "backreferences|back-references"),
        ({"x": "a*"}, "matches an empty text"),
        ({"email": "a"}, "cannot be a name"),
        ({"a b": "a"}, "cannot be a name"),
        ({"x": "(a{1000}){1000}"}, "size limit"),
        ({"x": "a" * 1001}, "1,000 are allowed"),
    ],
)
def test_a_pattern_that_cannot_be_used_says_why(patterns: dict[str, str], message: str) -> None:
    with pytest.raises(pydantic.ValidationError, match=message):
        TeacherConfig(redact_patterns=patterns)


def test_an_unknown_country_is_refused() -> None:
    with pytest.raises(pydantic.ValidationError, match="no country with phone numbers"):
        TeacherConfig(redact_phone_region="XX")


def test_a_pattern_that_would_hang_other_engines_does_not() -> None:
    """Python's own `re` would take longer than the universe has time for these 5,000 characters."""
    redaction = Redaction(RedactionConfig(redact_patterns={"x": "(a|a)+(a|a)+b"}))
    text = "a" * 5_000
    assert redaction.text(text) == text
    assert redaction.text(text + "b") == "[x]"


@pytest.mark.slow
def test_the_ledger_answers_redacted_requests_and_rows_keep_their_ids(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    server, pairs = TeacherServer(), pairs_with_values()
    with server.running():
        first = grade(tmp_path, server, pairs, **SETTINGS)
        n_sent = sum(server.requests.values())
        assert not [value for value in VALUES if value in json.dumps([*server.bodies.values()])]
        again = grade(tmp_path, server, pairs, **SETTINGS, mode="offline")
    assert first["status"].to_list() == ["ok"] * 3
    columns = ["doc_id", "grade", "request_key", "status"]
    assert again.select(columns).equals(first.select(columns))
    assert sum(server.requests.values()) == n_sent
