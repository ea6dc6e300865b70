"""Answers of one ledger and several corpora, end to end: live, in batches, in estimates and imports."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt
from relabel_assets.teacher.batch.response_files import import_responses
from relabel_assets.teacher.questions import GradingQuestions
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, make_config, make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import TeacherServer, good_reply
from relabel_assets_tests.teacher.batch import batch_grading

pytestmark = pytest.mark.slow  # servers on the loopback

PAIRS = make_pairs(4)


def always(grade: int) -> TeacherServer:
    """A model that gives every pair the same grade."""
    server = TeacherServer()
    server.behave = lambda body: good_reply(grade)
    return server


def grades(folder: Path, corpus: str, config: TeacherConfig) -> list[int | None]:
    teacher = Teacher(folder, retry_settings=IMPATIENT)
    return teacher.grade(PAIRS, corpus=corpus, config=config, rubric=default_rubric())[
        "grade"
    ].to_list()


def questions(config: TeacherConfig) -> GradingQuestions:
    return GradingQuestions(PAIRS, config, default_rubric(), grading_prompt())


def test_the_same_model_name_at_another_server_is_another_model(tmp_path: Path) -> None:
    with always(1).running() as one, always(3).running() as other:
        assert grades(tmp_path, "first", make_config(one)) == [1] * 4
        estimate = Teacher(tmp_path).estimate(questions(make_config(other)), corpus="second")
        assert (estimate.n_answered, estimate.n_to_send) == (0, 4)
        assert grades(tmp_path, "second", make_config(other, mode="offline")) == [None] * 4
        assert grades(tmp_path, "second", make_config(other)) == [3] * 4
        assert other.requests.total() == 4


def test_corpora_with_the_same_endpoint_share_its_answers(tmp_path: Path) -> None:
    with always(1).running() as server:
        assert grades(tmp_path, "first", make_config(server)) == [1] * 4
        estimate = Teacher(tmp_path).estimate(questions(make_config(server)), corpus="second")
        assert (estimate.n_answered, estimate.n_to_send) == (4, 0)
        assert grades(tmp_path, "second", make_config(server)) == [1] * 4
        assert server.requests.total() == 4


def test_a_corpus_whose_address_changes_keeps_its_answers(tmp_path: Path) -> None:
    with always(1).running() as one, always(3).running() as other:
        assert grades(tmp_path, "first", make_config(one)) == [1] * 4
        assert grades(tmp_path, "first", make_config(other)) == [1] * 4
        assert not other.requests


def test_a_batch_of_one_corpus_is_recorded_for_it_and_no_other(tmp_path: Path) -> None:
    """Both corpora ask the same requests, and both models write the same bodies."""
    batches = BatchServer(n_looks=1)
    batches.answers_with = lambda grade: good_reply(2)
    with always(2).running() as live, batches.running():
        config = make_config(live)
        assert grades(tmp_path, "first", config) == [2] * 4
        in_batches = batch_grading.make_config(batches.base_url)
        assert grades(tmp_path, "second", in_batches) == [2] * 4
        assert batches.requests.total() == 4
        assert grades(tmp_path, "second", in_batches) == [2] * 4
        assert batches.requests.total() == 4  # the second corpus has its answers now


def response_file(folder: Path, exported: Path, grade: int) -> Path:
    """Another tool's responses to the exported requests."""
    lines = [json.loads(line) for line in exported.read_text().splitlines()]
    response = {"status_code": 200, "body": good_reply(grade)}
    file = folder / "responses.jsonl"
    results = [{"custom_id": line["custom_id"], "response": response} for line in lines]
    file.write_text("".join(json.dumps(result) + "\n" for result in results))
    return file


def test_imported_responses_belong_to_the_corpus_that_waits_for_them(tmp_path: Path) -> None:
    folder = tmp_path / "ledger"
    with always(1).running() as one, always(3).running() as other:
        first, second = make_config(one), make_config(other)
        exported = tmp_path / "requests.jsonl"
        Teacher(folder).export(questions(first), corpus="first", out=exported)
        # The second corpus asks the same of its own endpoint, later.
        assert grades(folder, "second", second) == [3] * 4
        file = response_file(tmp_path, exported, grade=0)
        ledger = Teacher(folder).ledger
        counts = import_responses(ledger, [file], lambda corpus, model: None)
        assert (counts.n_answers, counts.n_known) == (4, 0)
        again = import_responses(ledger, [file], lambda corpus, model: None)
        assert (again.n_answers, again.n_known) == (0, 4)
        assert grades(folder, "first", first) == [0] * 4 and not one.requests
        assert grades(folder, "second", second) == [3] * 4 and other.requests.total() == 4


def test_responses_of_another_tool_in_the_ledgers_folder_are_used(tmp_path: Path) -> None:
    with always(1).running() as server:
        exported = tmp_path / "requests.jsonl"
        config = make_config(server)
        Teacher(tmp_path / "elsewhere").export(questions(config), corpus="first", out=exported)
        (tmp_path / "ledger").mkdir()
        response_file(tmp_path / "ledger", exported, grade=0)
        assert grades(tmp_path / "ledger", "first", config) == [0] * 4 and not server.requests


def test_the_keys_of_both_corpora_are_the_same(tmp_path: Path) -> None:
    """Else the tests above would show nothing."""
    with always(1).running() as one, always(3).running() as other:
        teacher = Teacher(tmp_path, retry_settings=IMPATIENT)
        keys = [
            teacher.grade(PAIRS, corpus=name, config=make_config(server), rubric=default_rubric())
            for name, server in (("first", one), ("second", other))
        ]
    assert keys[0]["request_key"].equals(keys[1]["request_key"])
    assert keys[0]["grade"].eq(pl.Series([1] * 4)).all() and keys[1]["grade"].eq(3).all()
