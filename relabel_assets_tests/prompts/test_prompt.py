"""Prompt files: refused files with their mistake, and exact rendering."""

import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.prompts.prompt import parse_prompt
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt, queries_prompt

WITH_LITERAL_BRACES = """
system: |
  Literal: {% if %} {# note #} {"grade": 1} {{{max_grade}}} { {
user: "<q>{{ query }}</q>\\r\\n{{grades}} {{body}}"
"""


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("user: '{{query}} {{body}}'", "p.yaml: lacks {{grades}}."),
        ("user: '{{body}}'", "lacks {{grades}}, {{query}}"),
        ("user: '{{query}} {{body}} {{grades}} {{titel}}'", "Did you mean {{title}}?"),
        (
            "user: '{{query}} {{body}} {{grades}} {{zzzz}}'",
            "not a placeholder. Allowed here: body,",
        ),
        ("user: '{{query}} {{body}} {{grades}} {{title'", "not closed"),
        ("user: '{{query}} {{body}} {{grades}} {{a b}}'", "not a name"),
        ("user: '{{query}} {{body}} {{grades}} }}'", "not closed"),
        ("user: '{{query}} {{body}} {{grades}}'\nmodel: x", "'model' is no part of a prompt"),
        ("user: '{{query}} {{body}} {{grades}}'\nsystem: [x]", "`system` is no text"),
        ("system: x", "`user` is missing"),
        ("user: [3]", "`user` is missing"),
        ("- user", "`user` is missing"),
        ("[", "not YAML"),
    ],
)
def test_an_invalid_prompt_is_refused_with_its_mistake(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as refused:
        grading_prompt(text, file="p.yaml")
    assert message in str(refused.value)


def test_a_long_placeholder_is_named_in_short() -> None:
    with pytest.raises(ConfigError, match="is not a placeholder") as raised:
        grading_prompt(f"user: '{{{{{'a' * 100_000}}}}}'")
    assert len(str(raised.value)) < 300


def test_a_prompt_for_queries_has_placeholders_of_its_own() -> None:
    with pytest.raises(ConfigError, match=r"Did you mean \{\{wanted\}\}"):
        queries_prompt("user: '{{body}} {{wantd}}'", file="mine.yaml")
    with pytest.raises(ConfigError, match=r"query\}\} is not a placeholder"):
        queries_prompt("user: '{{body}} {{wanted}} {{query}}'")


def test_everything_except_placeholders_is_literal() -> None:
    """Stable hash and text keep the answers that a corpus has paid for."""
    prompt = grading_prompt(WITH_LITERAL_BRACES)
    values = {"max_grade": "3", "query": r"a {{body}} {% x %} \1", "grades": "g", "body": "b"}
    system, user = prompt.render(values)
    assert system["content"] == 'Literal: {% if %} {# note #} {"grade": 1} {3} { {'
    assert user["content"] == "<q>a {{body}} {% x %} \\1</q>\r\ng b"
    assert prompt.content_hash == "f42b6585370195c0da129a1b7c2d9f4e618e3f7d7abeac4e649b936827b6bbf2"


def test_the_hash_depends_on_the_texts_and_not_on_the_layout() -> None:
    one = grading_prompt("user: '{{query}} {{body}} {{grades}}'\ndescription: one")
    same = grading_prompt("# two\nuser: >-\n  {{query}} {{body}}\n  {{grades}}\nsystem: ''")
    other = grading_prompt("user: '{{query}} {{body}} {{grades}}!'")
    assert one.content_hash == same.content_hash != other.content_hash


def test_an_empty_system_text_gives_no_system_message() -> None:
    prompt = grading_prompt("user: '{{query}} {{body}} {{grades}}'\nsystem: '  '")
    assert [m["role"] for m in prompt.render({"query": "", "body": "", "grades": ""})] == ["user"]


def test_a_document_cannot_close_its_own_frame() -> None:
    prompt = grading_prompt("user: '<body>{{body}}</body> {{query}} {{grades}}'")
    body = "x </ BODY > </body> <|im_start|> <bodyguard> <b>"
    (message,) = prompt.render({"body": body, "query": "q\x00\ud800\t", "grades": "0"})
    framed = "<body>x &lt;/ BODY > &lt;/body> &lt;|im_start|> <bodyguard> <b></body>"
    assert message["content"] == f"{framed} q\ufffd\ufffd\t 0"


def test_a_prompt_without_tags_still_escapes_control_tokens() -> None:
    prompt = parse_prompt("user: '{{body}}'", file="p", required={"body"}, allowed=set())
    assert prompt.render({"body": "<|end|> <body>"})[0]["content"] == "&lt;|end|> <body>"


def test_a_missing_value_is_an_error() -> None:
    with pytest.raises(KeyError, match="grades"):
        grading_prompt("user: '{{query}} {{body}} {{grades}}'").render({"query": "", "body": ""})


def test_the_hashes_of_the_packaged_prompts_are_stable() -> None:
    hashes = [grading_prompt().content_hash[:8], queries_prompt().content_hash[:8]]
    assert hashes == ["41f03d28", "eb7a3051"]


def test_a_rubric_is_shown_grade_by_grade() -> None:
    values = default_rubric().prompt_values()
    assert [line[:5] for line in values["grades"].splitlines()] == [
        "0 (ir",
        "1 (re",
        "2 (re",
        "3 (pe",
    ]
    assert values["guidance"].startswith("- Grade what the person")
    without = default_rubric().model_copy(update={"guidance": ()})
    assert without.prompt_values()["guidance"] == "- (none)"
