"""Complaints: the field that a server refuses, in its own words."""

import dataclasses

import pytest

from relabel_assets.teacher.requests import Dialect, Request
from relabel_assets.teacher.sending.complaints import weaker_dialect

USER = {"role": "user", "content": "The seed bank keeps the temperature at four degrees all year."}
REQUEST = Request(
    "m", ({"role": "system", "content": "Grade."}, USER), "s", {}, 0.0, 13, 100, is_logprobs=True
)
DEFAULT, JSON_OBJECT = Dialect(), Dialect("json_object")
NO_SEED, NO_SYSTEM = Dialect(is_seed=False), Dialect(is_system=False)
NO_TEMPERATURE, NO_LOGPROBS = Dialect(is_temperature=False), Dialect(is_logprobs=False)
MAX_TOKENS = Dialect(token_limit="max_tokens")


def conceded(complaint: str, *params: str, dialect: Dialect = DEFAULT) -> Dialect | None:
    return weaker_dialect(dialect, complaint, params, REQUEST.body(dialect))


@pytest.mark.parametrize(
    ("complaint", "expected"),
    [
        (
            "Unsupported parameter: 'max_completion_tokens' is not supported with this model. "
            "Use 'max_tokens' instead.",
            MAX_TOKENS,
        ),
        ("Unsupported value: 'temperature' does not support 0.0 with this model.", NO_TEMPERATURE),
        ("unknown field seed", NO_SEED),
        ("You are not allowed to request logprobs from this model", NO_LOGPROBS),
        ("Logprobs is not enabled for models/gemini-2.5-pro", NO_LOGPROBS),
        ("top_logprobs are not supported", NO_LOGPROBS),
        ("This response_format type is unavailable now", JSON_OBJECT),  # DeepSeek
        ("This model does not support response format `json_schema`", JSON_OBJECT),  # Groq
        ("JSON mode is not enabled for models/gemma-3-27b-it", JSON_OBJECT),
        ("Invalid schema for response_format 's': In context=(), 'x' is required", JSON_OBJECT),
        ('json_schema: unknown field "strict"', JSON_OBJECT),
        ("Structured outputs are not supported by this engine", JSON_OBJECT),
        ("failed to parse grammar", JSON_OBJECT),  # llama.cpp
        ("System role not supported", NO_SYSTEM),  # Gemma's template
        ("Jinja Exception: System role not supported at row 1, column 68", NO_SYSTEM),
        ("Conversation roles must alternate user/assistant/user/assistant/...", NO_SYSTEM),
        ("Developer instruction is not enabled for models/gemma-3-4b-it", NO_SYSTEM),  # Google
        ("Unexpected role 'system'. Use the top-level `system` parameter.", NO_SYSTEM),  # Anthropic
        # Of several fields, the first one that is named
        ("'temperature' and 'seed' cannot be used together", NO_TEMPERATURE),
        ("'seed' and 'temperature' cannot be used together", NO_SEED),
        # Nothing that a dialect changes
        ("bad request", None),
        ("the name seed_corpus is taken", None),
        ("maximum context length is 8192 tokens; reduce max_completion_tokens", None),
        ("The system message is too long", None),
        ("Request too large for model `m` on tokens per minute: reduce temperature", None),
    ],
)
def test_the_named_field_is_left_out(complaint: str, expected: Dialect | None) -> None:
    assert conceded(f"HTTP 400: {complaint}") == expected


@pytest.mark.parametrize(
    ("params", "expected"),
    [
        (("seed",), NO_SEED),
        (("top_logprobs",), NO_LOGPROBS),
        (("response_format.json_schema.schema",), JSON_OBJECT),
        (("response_format[json_schema]",), JSON_OBJECT),
        (("messages.0.role",), NO_SYSTEM),
        (("messages[0].role",), NO_SYSTEM),
        (("seed", "temperature"), Dialect(is_seed=False, is_temperature=False)),  # both are refused
        (("messages",), None),  # a field that no dialect changes
        (("model",), None),
    ],
)
def test_a_parameter_that_the_server_names_counts_before_the_words(
    params: tuple[str, ...], expected: Dialect | None
) -> None:
    """The words alone would leave out the temperature."""
    assert conceded("the temperature of this request", *params) == expected


def test_a_word_in_a_quoted_document_is_no_complaint() -> None:
    quote = USER["content"]
    assert conceded(f"invalid content: '{quote}'") is None
    assert conceded(f'could not parse "{quote[:40]}"') is None
    assert conceded(f"logprobs not allowed for '{quote}'") == NO_LOGPROBS
    assert conceded("the temperature at most 1") == NO_TEMPERATURE  # the server's own words


def test_five_words_in_a_row_are_a_quotation_and_four_are_chance() -> None:
    assert conceded("invalid: the temperature at four degrees") is None
    assert conceded("invalid: a temperature at four degrees") == NO_TEMPERATURE


def test_a_response_format_is_weakened_one_step_at_a_time() -> None:
    complaint = "json_object is not supported"
    assert conceded(complaint, dialect=JSON_OBJECT) == Dialect("text")
    assert conceded(complaint, dialect=Dialect("text")) is None


def test_a_field_that_was_not_sent_is_not_left_out() -> None:
    bare = dataclasses.replace(REQUEST, messages=(USER,), seed=None, is_logprobs=False)
    for complaint in ("logprobs", "seed", "System role not supported"):
        assert weaker_dialect(Dialect(), f"no {complaint}", (), bare.body()) is None
    assert weaker_dialect(Dialect(), "logprobs", (), {"model": "m", "input": []}) is None
