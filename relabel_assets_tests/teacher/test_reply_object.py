"""The one object in a text: thoughts, prose, quotes, and the repairs that cannot change a value."""

import pytest

from relabel_assets.teacher.reply_object import last_object, only_object, without_thoughts

ANSWER = '{"grade": 1}'


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}', {"a": 1}),
        (' \n{"a": 1}\n', {"a": 1}),
        ('\ufeff{"a": 1}', {"a": 1}),
        ('```json\n{"a": 1}\n```', {"a": 1}),
        ('so: {"a": {"b": 1}}.', {"a": {"b": 1}}),
        ("{}", {}),
        ('{"a": 1} {"a": 2}', None),
        ('see [Leave]: {"a": 1}', None),
        ('see [1: {"a": 1}', None),
        ('{"a": 1} }', None),
        ('so: {"a": 1', None),
        ("so: " + "{" * 100_000, None),
        ('{"a": ' * 200_000 + "1" + "}" * 200_000, None),
        ("no object", None),
        ("", None),
    ],
)
def test_the_object_may_have_prose_around_it_but_no_other_bracket(
    text: str, expected: dict[str, object] | None
) -> None:
    assert only_object(text) == expected


def test_the_number_of_a_source_is_no_part_of_an_object() -> None:
    assert only_object('By [1], [22]: {"a": 1}. See [3].') == {"a": 1}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('[{"a": 1}]', {"a": 1}),
        (' [ {"a": 1} , ]\n', {"a": 1}),
        ('[{"a": 1}, {"a": 2}]', None),
        ('[{"a": 1}, 2]', None),
        ('[[{"a": 1}]]', None),
        ('The page says [{"a": 1}].', None),
        ("[" + " " * 1_000_000, None),
        ('[{"a": 1}' + " " * 1_000_000, None),
    ],
)
def test_a_list_that_is_the_whole_answer_may_have_one_object(
    text: str, expected: dict[str, object] | None
) -> None:
    assert only_object(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"{\\"a\\": 1}"', {"a": 1}),
        ('"{\\"a\\": 1} {\\"a\\": 2}"', None),
        ('"{" {"a": 1} "}"', None),
        ('It says "{\\"a\\": 1}".', None),
        ('"{' + " " * 1_000_000, None),
    ],
)
def test_a_string_of_json_that_is_the_whole_answer_stands_for_its_object(
    text: str, expected: dict[str, object] | None
) -> None:
    assert only_object(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"a": 1}\n{"a": 1}', {"a": 1}),
        ('{"a": 1}{"a":1} {"a": 1}.', {"a": 1}),
        ('{"a": 1} {"a": 1, "b": 2}', None),
        ('{"a": 1} and {"a": 1}', None),  # one of them may be a quotation
        ('{"a": 1} {"a": 1', None),
    ],
)
def test_an_answer_that_is_written_twice_is_one(
    text: str, expected: dict[str, object] | None
) -> None:
    assert only_object(text) == expected


@pytest.mark.parametrize(
    "text", ['{"a": 1, "a": 2}', 'so: {"a": 1, "a": 1}', '{"a": {"b": 1, "b": 1}}']
)
def test_an_object_with_a_member_twice_is_none(text: str) -> None:
    assert only_object(text) is None


# Thoughts, by the model or the server that writes them


@pytest.mark.parametrize(
    "thoughts",
    [
        '<think>Is it {"grade": 3}? No.</think>',
        'Is it {"grade": 3}? No.</think>\n\n',  # the chat template had the beginning: DeepSeek-R1
        "<think>\n\n</think>\n\n",  # Qwen3 without thinking
        '<think>a</think> <think>{"grade": 3}</think>',
        '<thinking>[1] {"grade": 3}</thinking>',
        '<thought>{"grade": 3}</thought>',
        '<seed:think>{"grade": 3}</seed:think>',
        '[THINK]{"grade": 3}[/THINK]',  # Magistral
        '◁think▷{"grade": 3}◁/think▷',  # Kimi
        '<|START_THINKING|>{"grade": 3}<|END_THINKING|>',  # Command
        '<|channel>thought\n{"grade": 3}<channel|>',  # Gemma
        '<|channel|>analysis<|message|>{"grade": 3}<|end|>'
        "<|start|>assistant<|channel|>final<|message|>",  # gpt-oss
        '<|channel|>analysis<|message|>{"grade": 3}<|end|>'
        "<|start|>assistant<|channel|>final <|constrain|>json<|message|>",
        'analysisWe could say {"grade": 3}.assistantfinal',  # without its special tokens
    ],
)
@pytest.mark.parametrize("after", ["", "<|return|>", "\n```"])
def test_what_stands_before_the_last_end_of_a_thought_is_passed_over(
    thoughts: str, after: str
) -> None:
    assert only_object(thoughts + ANSWER + after) == {"grade": 1}
    assert without_thoughts(thoughts + ANSWER).strip() == ANSWER


@pytest.mark.parametrize(
    "mark", ["</think>", "<think>", "</thinking>", "<|channel|>final<|message|>"]
)
@pytest.mark.parametrize("before", ["", "Sure: ", '<think>{"grade": 3}</think>', "so</think>"])
def test_a_mark_inside_a_string_of_the_answer_is_part_of_it(mark: str, before: str) -> None:
    rationale = f"the page explains {mark} and no more"
    text = f'{before}{{"rationale": "{rationale}", "grade": 1}}'
    assert only_object(text) == {"rationale": rationale, "grade": 1}


@pytest.mark.parametrize(
    "text",
    [
        '<think>{"grade": 3}',
        'so <think>{"grade": 3}',
        '<think>{"grade": 3}</think>',
        'It is {"grade": 3}</think>',
        '{"grade": 3} <think>no, less</think>',
        '{"grade": 3} <think>no, less',
        '<think>a</think><think>{"grade": 3}',
        '<|channel|>analysis<|message|>{"grade": 3}',
        '<|channel|>commentary<|message|>{"grade": 3}<|end|>',
        'analysisMaybe {"grade": 3}',
        '<think>{"grade": 3}</think> {"grade": 1',
        '<think>The page says </think>{"grade": 3}, but </think> I do not know',
    ],
)
def test_an_object_in_a_thought_is_no_answer(text: str) -> None:
    assert only_object(text) is None


def test_a_thought_about_many_marks_does_not_hide_the_answer() -> None:
    assert only_object("</think> {" * 1000 + "</think>" + ANSWER) == {"grade": 1}


@pytest.mark.parametrize(("n_marks", "is_read"), [(9, True), (10, False)])
def test_an_object_is_looked_for_in_ten_places(n_marks: int, is_read: bool) -> None:
    text = f'{{"rationale": "{"</think>" * n_marks}", "grade": 1}}'
    assert (only_object(text) is not None) == is_read


# Repairs


@pytest.mark.parametrize("control", ["\n", "\t", "\r\n", "\x0b", "\x01", "\u2028"])
def test_a_control_character_in_a_string_stands_for_itself(control: str) -> None:
    text = f'{{"rationale": "two{control}lines", "grade": 1}}'
    assert only_object(text) == {"rationale": f"two{control}lines", "grade": 1}


def test_nul_in_a_string_becomes_the_replacement_character() -> None:
    assert only_object('{"a": "\0"}') == only_object('{"a": "\\u0000"}') == {"a": "\ufffd"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{"rationale": "r", "grade": 1,}', {"rationale": "r", "grade": 1}),
        ('so: {"grade": 1 ,\n }.', {"grade": 1}),
        ('{"queries": [{"text": "a",},],}', {"queries": [{"text": "a"}]}),
        ('{"rationale": "a ,} or \\",]", "grade": 1,}', {"rationale": 'a ,} or ",]', "grade": 1}),
        ('{"rationale": "a ,}", "grade": 1}', {"rationale": "a ,}", "grade": 1}),
    ],
)
def test_a_comma_after_the_last_member_counts_as_none(
    text: str, expected: dict[str, object]
) -> None:
    assert only_object(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "{'grade': 1}",  # an apostrophe in a text would end it
        "{grade: 1}",
        '{"grade": 1,,}',
        '{"grade": 1 // or 2\n}',
        '{"grade": 1',
        '{"grade": 1, "rationale": "cut',
        '{"rationale": "he says "grade": 3", "grade": 1}',
        '{"rationale": "he says ", "grade": 3,}", "grade": 1}',
        '{"grade": 1 "rationale": "r"}',
        '{"grade": }',
    ],
)
def test_any_other_fault_is_not_repaired(text: str) -> None:
    assert only_object(text) is None


# Reasoning in place of an answer


@pytest.mark.parametrize(
    "text", [ANSWER, f"So it is\n{ANSWER}\n", f"```json\n{ANSWER}\n```", f"hm</think>{ANSWER}"]
)
def test_reasoning_that_ends_with_its_object_has_an_answer(text: str) -> None:
    assert last_object(text) == {"grade": 1}


@pytest.mark.parametrize(
    "text",
    [
        f"{ANSWER} is too low.",
        f'The page says "{ANSWER}"',
        f'First {{"grade": 3}}, then {ANSWER}',
        f"{ANSWER}</think>",
        f"<think>{ANSWER}",
        "",
    ],
)
def test_an_object_with_words_after_it_is_a_draft(text: str) -> None:
    assert last_object(text) is None
