"""JSON from outside: limits of depth and digits, and text that can be stored."""

import json

import polars as pl
import pytest

from relabel_assets.intake.input_limits import MAX_JSON_DEPTH
from relabel_assets.intake.json_text import (
    BadJson,
    checked,
    decoder,
    members_that_occur_once,
    parse_json,
)


@pytest.mark.parametrize("spelled", [r"\ud800", r"\uDFFF", r"\u0000", r"\ud800\ud800", r"x\uD83Dx"])
def test_a_character_that_cannot_be_stored_becomes_the_replacement_character(spelled: str) -> None:
    value = parse_json(f'{{"{spelled}": ["{spelled}"]}}')
    stored = pl.DataFrame({"text": [*value, *next(iter(value.values()))]})
    assert all("\ufffd" in text for text in stored["text"])


def test_a_pair_of_surrogates_is_one_character() -> None:
    assert parse_json(r'"\ud83d\ude00"') == "😀"


def test_a_value_at_the_limit_of_depth_is_read_and_one_deeper_is_not() -> None:
    deepest = "[" * MAX_JSON_DEPTH + "]" * MAX_JSON_DEPTH
    assert json.dumps(parse_json(deepest)) == deepest
    with pytest.raises(BadJson, match="nested more than 64 deep"):
        parse_json(f"[{deepest}]")
    with pytest.raises(BadJson, match="nested more than 64 deep"):
        parse_json('{"a":' * (MAX_JSON_DEPTH + 1) + "1" + "}" * (MAX_JSON_DEPTH + 1))


@pytest.mark.parametrize("depth", [900, 5_000, 200_000])
def test_deep_nesting_is_bad_json_at_any_depth(depth: int) -> None:
    with pytest.raises(BadJson, match="nested more than 64 deep"):
        parse_json("[" * depth + "]" * depth)


def test_many_objects_beside_each_other_are_not_deep() -> None:
    assert len(parse_json("[" + ",".join(["[{}]"] * 1_000) + "]")) == 1_000


def test_an_integer_of_too_many_digits_is_a_float() -> None:
    assert parse_json("9" * 300) == int("9" * 300)
    assert parse_json("1" + "0" * 300) == float("1e300")
    assert parse_json("9" * 5_000) == float("inf")


def test_a_message_says_what_is_wrong_and_where() -> None:
    with pytest.raises(BadJson, match="at character 6"):
        parse_json('{"a":')


def test_a_control_character_in_a_string_is_bad_json_unless_the_decoder_is_not_strict() -> None:
    text = '"two\nlines \0"'
    with pytest.raises(BadJson, match="control character"):
        parse_json(text)
    assert checked(decoder(is_strict=False).decode(text), text) == "two\nlines \ufffd"


def test_of_a_member_that_occurs_twice_neither_is_kept() -> None:
    text = '{"a": 1, "b": {"c": 1, "c": 1}, "a": 2, "a": 3, "d": [{"e": 4}]}'
    value = parse_json(text, object_of=members_that_occur_once)
    assert value == {"b": {}, "d": [{"e": 4}]}
