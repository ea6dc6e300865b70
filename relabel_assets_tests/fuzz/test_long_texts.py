"""Long texts of one repeated piece: no function of a text takes time that grows with its square."""

import contextlib
from collections.abc import Callable
from typing import Any

import pytest

from relabel_assets.corpus.config.config_file import parse_corpus_config
from relabel_assets.corpus.excerpts.excerpt import excerpt
from relabel_assets.corpus.queries.near_queries import compared
from relabel_assets.errors import RelabelError
from relabel_assets.intake.json_text import BadJson, parse_json
from relabel_assets.intake.markdown import inert
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import one_line, printable
from relabel_assets.intake.yaml_text import BadYaml, parse_yaml
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.student.windows import windows
from relabel_assets.teacher.document_text import document_values
from relabel_assets.teacher.queries.query_filters import reason_to_reject
from relabel_assets.teacher.replies import read_object
from relabel_assets.teacher.reply_object import last_object, only_object, without_thoughts
from relabel_assets_tests.corpus.files import document_from_file
from relabel_assets_tests.fuzz.nasty_values import UNITS
from relabel_assets_tests.fuzz.read_all import alarm

pytestmark = pytest.mark.slow

LENGTH = 50_000  # takes milliseconds; its square takes minutes
_FIRSTS = (
    "#",
    "# ",
    "<",
    "</",
    "---\n",
    "---\na: ",
    '{"a": ',
    '{"grade": "',
    "<think>",
    "</think>",
    '</think>{"a": ',
    '</think>{"a": "',
    '{"a": "b",}',
    '"\\"',
    "{,",
    "<|channel|>final",
    "![",
    "a",
    "user: '{{",
)
_AFTER_FIRST = (" ", "\n", "\t", "#", "a", "<", "[", "- ")
TEXTS = [unit * (LENGTH // len(unit)) for unit in UNITS] + [
    first + unit * (LENGTH // len(unit)) + last
    for first in _FIRSTS
    for unit, last in zip(_AFTER_FIRST, ("x", "#", '"', "!", "\n", "x", "", "x"), strict=True)
]  # fmt: skip


def _prompt(text: str) -> object:
    values = {**default_rubric().prompt_values(), "title": text, "metadata": text}
    return grading_prompt().render({**values, "query": "leave", "body": text})


def _reply(text: str) -> object:
    message = {"content": text if len(text) % 2 else None, "reasoning_content": text}
    return read_object({"choices": [{"message": message}]}, "grade", "rationale")


FUNCTIONS: dict[str, Callable[[str], Any]] = {
    "document": lambda text: document_from_file("a/b.md", text.encode("utf-8", "replace")),
    "settings": lambda text: parse_corpus_config(text, file="f"),
    "prompt": grading_prompt,
    "rendered prompt": _prompt,
    "excerpt": lambda text: excerpt(text, text[:4_000], 3_000),
    "document in a prompt": lambda text: document_values({"body": text, "title": text}, 50),
    "windows": lambda text: windows({"body": text, "title": text}),
    "compared": compared,
    "written query": lambda text: reason_to_reject("who may take time off", {"title": text, "body": text}),
    "reply": _reply,
    "object in a reply": only_object,
    "object in reasoning": last_object,
    "reply without thoughts": without_thoughts,
    "JSON": parse_json,
    "YAML": lambda text: parse_yaml(text, max_bytes=1_000_000),
    "Markdown": inert,
    "printable": printable,
    "line": one_line,
}  # fmt: skip


@pytest.mark.parametrize("name", FUNCTIONS)
def test_the_time_of_a_long_text_is_linear(name: str) -> None:
    for text in TEXTS:
        with alarm(10), contextlib.suppress(RelabelError, SetAside, BadJson, BadYaml):
            FUNCTIONS[name](text)
