"""Golden tests of rendered prompts and request keys: a changed word pays for every request again."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt, queries_prompt
from relabel_assets.teacher.grading.grading import (
    grading_messages,
    grading_prompt_hash,
    grading_requests,
)
from relabel_assets.teacher.queries.query_requests import WantedQuery, queries_request
from relabel_assets.teacher.requests import request_key
from relabel_assets_tests.teacher.documents import DOCUMENT, PAIR

GOLDEN = Path(__file__).parents[1] / "golden"
WANTED = [WantedQuery("keyword", None), WantedQuery("messy", "a new hire")]


def assert_golden(file: Path, messages: Sequence[dict[str, Any]]) -> None:
    """Compare with the golden file. To renew it: delete it, run twice, and read the difference."""
    parts = [f"[{message['role']}]\n{message['content']}" for message in messages]
    text = "\n\n".join(parts) + "\n"
    if not file.exists():
        file.write_text(text)
        pytest.fail(f"{file.name} was not there; it is now. Read it and run this again.")
    assert text == file.read_text()
    # In the rules and at the end; the one in the document is escaped.
    assert text.count("</document>") == 2


def test_the_grading_prompt_equals_its_golden_file() -> None:
    messages = grading_messages(PAIR, grading_prompt(), default_rubric(), 3000)
    assert_golden(GOLDEN / "grading_prompt.txt", messages)


def test_the_queries_prompt_equals_its_golden_file() -> None:
    request = queries_request(DOCUMENT, WANTED, queries_prompt(), TeacherConfig())
    assert_golden(GOLDEN / "queries_prompt.txt", list(map(dict, request.messages)))


def test_request_keys_are_stable() -> None:
    """Version 0.1.0 computed these keys. Ledgers have answers under them."""
    (request,) = grading_requests(PAIR, grading_prompt(), default_rubric(), TeacherConfig())
    key = "3e56adf768afa50f4e10f2c255fdb89eaff408f632b34b4b4ca165ebbf552207"
    assert request_key(request.body()) == key
    votes = TeacherConfig(votes=2, seed=None, model="m")
    requests = grading_requests(PAIR, grading_prompt(), default_rubric(), votes)
    keys = ["74e511a2e1b85a198df88c9b8f301c4a4b2893d4eeef989c41021b3426921579",
            "69c96f8b95ed23c1ae46d2d8c1dc7cea6a7e84fd7d2483079a51e48bd7bac91a"]  # fmt: skip
    assert [request_key(request.body()) for request in requests] == keys
    writing = queries_request(DOCUMENT, WANTED, queries_prompt(), TeacherConfig())
    key = "f6600634528eacbd5077a306ca9402d24567a4df7e90ae363fd3c26a3a94ee1f"
    assert request_key(writing.body()) == key


def test_the_hash_of_prompt_and_rubric_is_stable() -> None:
    prompt_hash = "387a8d73c75a1070009ac543d2a43977c8cb23af3e0a4eda1ee640e298543883"
    assert grading_prompt_hash(grading_prompt(), default_rubric()) == prompt_hash
    without_guidance = default_rubric().model_copy(update={"guidance": ()})
    assert grading_prompt_hash(grading_prompt(), without_guidance) != prompt_hash
