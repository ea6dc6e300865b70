"""A cascade on a file of several buckets: kills, faults, order, budgets, the teacher's probabilities."""

import json
import math
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.errors import ConfigError, RelabelError, TeacherError
from relabel_assets.labeling.bucket_questions import AskingPlan, require_answers
from relabel_assets_tests.builders import (
    KEY,
    answers_in,
    assert_no_wrong_decision,
)
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.decisions_server import DecisionsServer
from relabel_assets_tests.faults.teacher_server import FAULTS, TeacherServer, chat_body, true_grade
from relabel_assets_tests.labeling.asking_files import (
    N_ROWS,
    assert_right,
    label,
    labels_of,
    live_teacher,
    write_pairs,
)

pytestmark = pytest.mark.slow

LABELING = """
import sys
from pathlib import Path
from relabel_assets_tests.faults.teacher_server import TeacherServer
from relabel_assets_tests.labeling import asking_files
server = TeacherServer()
server.port = int(sys.argv[2])
print("ready", flush=True)
asking_files.label(Path(sys.argv[1]), server, n_rounds=2)
"""


@pytest.fixture(autouse=True)
def key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the corpus tiny, and pairs of 30 queries in turn."""
    return write_pairs(tmp_path)


def test_each_row_comes_out_once_in_order_from_several_buckets(folder: Path) -> None:
    plans = list[AskingPlan]()
    with TeacherServer().running() as server:
        scorer = label(folder, server, plans)
        labels = labels_of(folder)
        assert_right(labels, server)
    assert len(scorer.calls) > 2 and sum(scorer.calls) == N_ROWS
    assert labels["n_known"].to_list() == [5] * N_ROWS
    (plan,) = plans
    assert (plan.n_asked, plan.n_rows, plan.is_exact) == (150, N_ROWS, False)
    assert plan.estimate is not None and plan.estimate.n_to_send == 150


@pytest.mark.parametrize(
    ("statuses", "has_answers", "outcome"),
    [
        (["ok", "failed"], False, True),
        (["refused", "failed"], False, False),
        (["over_budget", "over_budget"], False, False),
        (["ok", "not_recorded"], False, True),
        (["not_recorded"], True, False),
        ([], False, False),
        (["failed", "failed"], True, TeacherError),
        (["not_recorded"], False, ConfigError),
    ],
)
def test_only_a_teacher_that_answers_nothing_ends_the_command(
    statuses: list[str], has_answers: bool, outcome: bool | type[RelabelError]
) -> None:
    answers = pl.DataFrame({"status": statuses, "status_reason": ["HTTP 503"] * len(statuses)})
    if isinstance(outcome, bool):
        assert require_answers(answers, has_answers=has_answers) is outcome
    else:
        with pytest.raises(outcome):
            require_answers(answers, has_answers=has_answers)


def test_a_repeated_pair_is_scored_once_and_counts_once(folder: Path) -> None:
    once = pl.read_parquet(folder / "pairs.parquet")[:60]  # two of each query
    pl.concat([once] * 5).write_parquet(folder / "pairs.parquet")
    with TeacherServer().running() as server:
        scorer = label(folder, server)
        assert server.requests.total() == 30
    labels = labels_of(folder)
    assert sum(scorer.calls) == 60
    assert (labels["labeler"] == "teacher").sum() == 150
    assert labels["n_known"].to_list() == [1] * N_ROWS
    assert labels["grade"].to_list() == labels["grade"][:60].to_list() * 5


def test_no_answer_is_paid_twice_however_often_the_command_is_killed(folder: Path) -> None:
    chance, environment = random.Random(5), {**os.environ, "OPENAI_API_KEY": KEY}
    with TeacherServer(latency_s=0.02).running() as server:
        for _ in range(2):
            arguments = [sys.executable, "-c", LABELING, str(folder), str(server.port)]
            child = subprocess.Popen(arguments, env=environment, stdout=subprocess.PIPE)
            assert child.stdout is not None and child.stdout.readline() == b"ready\n"
            more = server.requests.total() + chance.randint(10, 60)
            while child.poll() is None and server.requests.total() < more:
                time.sleep(0.005)
            time.sleep(chance.uniform(0, 0.05))
            assert child.poll() is None
            child.kill()
            child.wait()
            child.stdout.close()
        before, asked = answers_in(folder / "ledger"), server.requests.copy()
        assert len(before) > 20 and not (folder / "labels.parquet").exists()
        label(folder, server, n_rounds=2)
        labels = labels_of(folder)
        assert_right(labels, server)
        assert all(server.requests[key] == asked[key] for key in before)
    assert labels["labeler"].value_counts().sort("labeler").rows() == [
        ("student", 150),
        ("teacher", 150),
    ]
    assert set(answers_in(folder / "ledger").values()) == {1}
    undisturbed = write_pairs(folder / "undisturbed")
    with TeacherServer().running() as server:
        label(undisturbed, server, n_rounds=2)
    assert labels_of(undisturbed).equals(labels)


def test_faults_of_the_endpoint_make_no_wrong_grade(folder: Path) -> None:
    chance = random.Random(7)
    faults = [fault for fault in FAULTS if fault not in ("hang", "slow body")]

    def misbehave(body: object, key: str, nth: int) -> str | None:
        return chance.choice(faults) if chance.random() < 0.3 else None

    with TeacherServer(misbehave).running() as server:
        label(folder, server)
        labels = labels_of(folder)
        assert_right(labels, server)
    n_asked = labels["teacher_status"].count()
    without_answer = labels.filter(pl.col("teacher_status") != "ok")
    assert n_asked == 150
    assert set(without_answer["labeler"]) <= {"student"}
    n_known = labels.group_by(pl.col("row") % 30).agg(
        pl.col("n_known").first(), known=(pl.col("labeler") == "teacher").sum()
    )
    assert n_known["n_known"].to_list() == n_known["known"].to_list()


def test_a_budget_holds_for_all_buckets_together(folder: Path) -> None:
    with TeacherServer().running() as server:
        teacher = live_teacher(folder, server, budget_usd=0.5)  # a reply costs $0.0072
        label(folder, server, teacher=teacher)
        n_paid = server.requests.total()
    assert 0.4 < teacher.spent_usd <= 0.5
    assert teacher.spent_usd == pytest.approx(n_paid * 0.0072)
    statuses = labels_of(folder)["teacher_status"].drop_nulls()
    assert statuses.value_counts().sort("teacher_status").rows() == [
        ("ok", n_paid),
        ("over_budget", 150 - n_paid),
    ]


def test_the_smaller_of_both_budgets_holds(folder: Path) -> None:
    with TeacherServer().running() as server:
        teacher = live_teacher(folder, server, budget_usd=0.5, run_budget_usd=0.1)
        label(folder, server, teacher=teacher)
    assert 0 < teacher.spent_usd <= 0.1


def test_probabilities_of_a_teacher_that_gives_some_are_kept(folder: Path) -> None:
    def with_log_probs(body: dict[str, Any]) -> dict[str, Any]:
        grade = true_grade(body)
        reply = chat_body(json.dumps({"rationale": "r", "grade": grade}))
        return reply | {"choices": [reply["choices"][0] | {"logprobs": log_probs(reply, grade)}]}

    with TeacherServer().running() as server:
        server.behave = with_log_probs
        label(folder, server, teacher=live_teacher(folder, server, is_logprobs=True))
    of_teacher = labels_of(folder).filter(pl.col("labeler") == "teacher")
    for row in of_teacher.iter_rows(named=True):
        assert row["grade_probs"][row["grade"]] == pytest.approx(0.75)
        others = [prob for grade, prob in enumerate(row["grade_probs"]) if grade != row["grade"]]
        assert sum(others) == pytest.approx(0.25)


def log_probs(reply: dict[str, Any], grade: int) -> dict[str, Any]:
    """Log probabilities of a reply's tokens: the grade's has 0.75, another one 0.25."""
    content = reply["choices"][0]["message"]["content"]
    before, after = content.split(f": {grade}")
    of_grade = {
        "token": str(grade),
        "logprob": math.log(0.75),
        "top_logprobs": [
            {"token": str(grade), "logprob": math.log(0.75)},
            {"token": str((grade + 1) % 4), "logprob": math.log(0.25)},
        ],
    }
    certain = [
        {"token": text, "logprob": 0.0, "top_logprobs": []} for text in (before + ": ", after)
    ]
    return {"content": [certain[0], of_grade, certain[1]]}


def test_a_teacher_in_batches_gets_a_batch_of_each_bucket(folder: Path) -> None:
    with BatchServer(n_looks=1).running() as server:
        scorer = label(folder, server, teacher=live_teacher(folder, server, mode="batch"))
        labels = labels_of(folder)
        assert_right(labels, server)
    assert (labels["labeler"] == "teacher").sum() == sum(server.uploads) == 150
    assert len(server.uploads) == len(scorer.calls)


def test_a_teacher_of_decisions_gives_its_probabilities(folder: Path) -> None:
    with DecisionsServer().running() as server:
        label(folder, server, teacher=live_teacher(folder, server, api="decisions"))
        of_teacher = labels_of(folder).filter(pl.col("labeler") == "teacher")
        assert of_teacher.height == 150
        assert_no_wrong_decision(of_teacher.with_columns(status=pl.col("teacher_status")), server)
