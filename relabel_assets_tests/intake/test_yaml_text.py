"""YAML from outside: text values, lines, and what is refused."""

import pytest

from relabel_assets.intake.yaml_text import BadYaml, parse_yaml


@pytest.mark.parametrize("written", ["1.10", "0123", "12:30", "2024-02-30", "No", "0x1F", ".inf"])
def test_a_scalar_is_the_characters_that_were_written(written: str) -> None:
    assert parse_yaml(f"key: {written}", max_bytes=100).value == {"key": written}


def test_empty_values_are_none_unless_they_are_quoted() -> None:
    value = parse_yaml("a:\nb: ~\nc: null\nd: ''\ne: 'null'", max_bytes=100).value
    assert value == {"a": None, "b": None, "c": None, "d": "", "e": "null"}


def test_every_key_and_item_has_its_line() -> None:
    parsed = parse_yaml("a:\n  b: 1\n  c:\n    - x\n    - y: 2\n", max_bytes=100)
    assert parsed.lines == {
        ("a",): 1, ("a", "b"): 2, ("a", "c"): 3,
        ("a", "c", 0): 4, ("a", "c", 1): 5, ("a", "c", 1, "y"): 5,
    }  # fmt: skip
    assert parsed.line_of(("a", "b", "missing")) == 2
    assert parsed.line_of(("z",)) is None


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("a: &x [1]\nb: *x", r"the alias \*x", 2),
        ("a: 1\na: 2", "'a' is there twice", 2),
        ("? [a]\n: 1", "a key must be a text", 1),
        ("--- a\n--- b", "a second YAML document", 2),
        ("[" * 100_000, "nested more than 16 deep", 1),
        ("{a: " * 100_000, "nested more than 16 deep", 1),
        ("a: [", "not YAML", 2),
        ("a: \ud800", "not YAML", None),
        ("a: é\nb: \x07", "a character that YAML does not allow: #x0007", 2),
    ],
)
def test_what_is_not_read_is_named_with_its_line(text: str, message: str, line: int | None) -> None:
    with pytest.raises(BadYaml, match=message) as raised:
        parse_yaml(text, max_bytes=1_000_000)
    assert raised.value.line in (line, 1)


def test_a_tag_builds_nothing() -> None:
    parsed = parse_yaml("!!python/object/apply:os.system ['touch /tmp/x']", max_bytes=100)
    assert parsed.value == ["touch /tmp/x"]


def test_the_limit_is_in_bytes() -> None:
    assert parse_yaml("é", max_bytes=2).value == "é"
    with pytest.raises(BadYaml, match="2 bytes of YAML; at most 1"):
        parse_yaml("é", max_bytes=1)
