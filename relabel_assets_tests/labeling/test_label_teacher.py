"""The teacher of label queries: its ledger, its budget over all runs, recorded grades."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.labeling.final.label_queries import PairTexts
from relabel_assets.labeling.final.label_teacher import LabelTeacher
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, crossed_pairs, jsonl, make_config
from relabel_assets_tests.faults.teacher_server import TeacherServer

pytestmark = pytest.mark.slow

PAIR = ["query_id", "doc_id"]
CROSSED = crossed_pairs(5, 4)
TEXTS = PairTexts(
    CROSSED.select(PAIR),
    CROSSED.select("query_id", "text").unique(maintain_order=True),
    CROSSED.drop("query_id", "text").unique(maintain_order=True),
)
NOBODY = TEXTS.pairs.clear()
USD_PER_REQUEST = 0.72  # 700 prompt tokens and 20 completion tokens, at 1,000 dollars a million
PRICE = {"price_usd_per_million_tokens": {"input": 1000.0, "output": 1000.0}}


def corpus(folder: Path, teacher: dict[str, Any], **labels: object) -> CorpusFolder:
    folder.mkdir(exist_ok=True)
    settings = {"teacher": teacher, "labels": labels}
    (folder / "corpus.yaml").write_text(json.dumps(settings))
    return CorpusFolder("c", folder)


def test_a_budget_holds_over_all_runs_and_the_rest_is_asked_when_it_is_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with TeacherServer().running() as server:
        config = make_config(server, max_concurrency=1, **PRICE).model_dump(exclude_unset=True)
        teacher = Teacher(tmp_path / "ledger", retry_settings=IMPATIENT)
        budget_usd = 6 * USD_PER_REQUEST
        for _ in range(2):
            folder = corpus(tmp_path / "c", config, ask=0.5, budget_usd=budget_usd)
            asked = LabelTeacher(teacher, folder)
            answered = asked.answered(TEXTS)
            rest = TEXTS.pairs.head(12).join(answered.labels, on=PAIR, how="anti")
            labels = asked.ask(TEXTS, rest, answered.spent_usd)
            assert set(labels["status"]) <= {"ok", "over_budget"}
        assert 4 <= server.requests.total() <= 6
        assert asked.answered(TEXTS).spent_usd <= budget_usd

        raised = LabelTeacher(teacher, corpus(tmp_path / "c", config, ask=0.5, budget_usd=100))
        before = raised.answered(TEXTS)
        need = raised.need(TEXTS, NOBODY)
        assert (need.n_pairs, need.answered.labels.height) == (20, before.labels.height)
        # The share is 2 or 3 of each query's 5 pairs. The answers are about the first queries.
        assert 2 <= need.n_to_ask <= 8
        assert need.estimate is not None and need.estimate.n_to_send == need.n_to_ask
        rest = TEXTS.pairs.head(12).join(before.labels, on=PAIR, how="anti")
        assert set(raised.ask(TEXTS, rest, before.spent_usd)["status"]) == {"ok"}
        assert max(server.requests.values()) == 1


def test_recorded_grades_answer_about_pairs_that_are_chosen_and_are_no_ledger(
    tmp_path: Path,
) -> None:
    folder = corpus(tmp_path / "c", {"kind": "recorded"}, ask=0.4)
    recorded = [{"query_id": "q0", "doc_id": f"d{n}", "grade": n} for n in range(3)]
    (folder.path / "teacher_labels.jsonl").write_text(jsonl(recorded))
    asked = LabelTeacher(Teacher(tmp_path / "ledger"), folder)
    answered = asked.answered(TEXTS)
    assert (answered.labels.height, answered.spent_usd) == (0, 0.0)
    assert answered.closed.height == 20 - 3
    chosen = pl.DataFrame({"query_id": ["q0", "q0"], "doc_id": ["d2", "d4"]})
    labels = asked.ask(TEXTS, chosen, 0.0)
    assert labels.select("grade", "status").rows() == [(2, "ok"), (None, "not_recorded")]
    need = asked.need(TEXTS, NOBODY)
    assert (need.n_to_ask, need.estimate) == (2, None)


def test_the_ledger_is_read_where_nobody_is_to_be_asked(tmp_path: Path) -> None:
    config = {"kind": "openai", "base_url": "http://127.0.0.1:1/v1", "model": "m"}
    asked = LabelTeacher(Teacher(tmp_path / "ledger"), corpus(tmp_path / "c", config))
    need = asked.need(TEXTS, NOBODY)
    assert (need.n_to_ask, need.answered.labels.height, need.estimate) == (0, 0, None)
