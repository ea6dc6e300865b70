"""Questions that are asked together: halving, limits, budgets and stops, over real HTTP."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.errors import ConfigError, TeacherError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import read_line
from relabel_assets.teacher.ledger.report import report
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import (
    assert_no_wrong_decision,
    crossed_pairs,
    grade,
    make_config,
)
from relabel_assets_tests.faults.decisions_server import DecisionsServer, alone_bodies
from relabel_assets_tests.faults.teacher_server import error_body

pytestmark = pytest.mark.slow

DECISIONS = {"api": "decisions"}
PRICE = {"price_usd_per_million_tokens": {"input": 10.0, "output": 0.0}}


def sizes(server: DecisionsServer) -> list[int]:
    """The number of questions of each request, in the order in which they first came."""
    return [len(body["questions"]) for body in server.bodies.values()]


def n_of(labels: pl.DataFrame, status: str) -> int:
    return (labels["status"] == status).sum()


def test_four_hundred_questions_about_a_document_are_one_request(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        pairs = crossed_pairs(1, 401)
        labels = grade(tmp_path, server, pairs, **DECISIONS)
        assert sizes(server) == [400, 1] and n_of(labels, "ok") == 401
        assert sorted(set(labels["n_asked_together"])) == [1, 400]
        assert_no_wrong_decision(labels, server)
        assert labels.select("query_id").equals(pairs.select("query_id"))


def test_the_body_in_the_ledger_is_the_one_that_was_sent(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        grade(tmp_path, server, crossed_pairs(2, 3), **DECISIONS)
        (file,) = tmp_path.glob("**/*.jsonl")
        lines = [read_line(raw) for raw in file.read_bytes().splitlines(keepends=True)]
        recorded = [line.request_body for line in lines if line is not None and line.is_request]
        key = json.dumps
        assert sorted(map(key, recorded)) == sorted(map(key, server.bodies.values()))
        assert report(Ledger(tmp_path), is_thorough=True).problems == []


def test_shares_add_up_to_what_the_server_counted(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        pairs = crossed_pairs(3, 7)
        labels = grade(tmp_path, server, pairs, **DECISIONS, **PRICE)
        # Asked document by document, and back in the caller's order.
        assert labels.select("query_id", "doc_id").equals(pairs.select("query_id", "doc_id"))
        counted = report(Ledger(tmp_path)).groups["demo", "grading", "fake"]
        assert labels["prompt_tokens"].sum() == counted.prompt_tokens > 0
        assert labels["cost_usd"].sum() == pytest.approx(counted.usd, rel=1e-12)
        assert counted.usd == pytest.approx(counted.prompt_tokens * 10 / 1e6)
        assert (counted.n_requests, counted.n_answers) == (3, 3)


def test_a_bundle_above_the_number_of_questions_is_halved_and_the_limit_is_learned(
    tmp_path: Path,
) -> None:
    with DecisionsServer(max_questions=30).running() as server:
        labels = grade(tmp_path, server, crossed_pairs(3, 100), max_concurrency=1, **DECISIONS)
        assert n_of(labels, "ok") == 300
        # 100 and 50 are rejected once. Then no bundle has more than the 25 that were taken.
        assert sizes(server) == [100, 50, *[25] * 12]
        assert_no_wrong_decision(labels, server)


def test_a_bundle_above_the_context_is_halved_and_the_limit_is_learned(tmp_path: Path) -> None:
    with DecisionsServer(max_tokens=3000).running() as server:
        labels = grade(tmp_path, server, crossed_pairs(3, 100), max_concurrency=1, **DECISIONS)
        assert n_of(labels, "ok") == 300
        assert sizes(server)[:3] == [100, 50, 25] and max(sizes(server)[2:]) == 25
        assert len(sizes(server)) == 14


def test_a_document_above_the_context_is_rejected_without_asking_each_question(
    tmp_path: Path,
) -> None:
    with DecisionsServer(max_tokens=100).running() as server:
        labels = grade(tmp_path, server, crossed_pairs(1, 64), **DECISIONS)
        assert n_of(labels, "failed") == 64
        assert labels["status_reason"].str.contains("maximum context length").all()
        # Once a question is rejected alone, only shorter ones are asked. Here, none is.
        assert sizes(server)[:7] == [64, 32, 16, 8, 4, 2, 1] and server.requests.total() == 7


def test_a_shorter_question_may_fit_where_a_longer_one_does_not(tmp_path: Path) -> None:
    pairs = crossed_pairs(1, 2).with_columns(text=pl.Series(["long " * 300, "short"]))
    with DecisionsServer(max_tokens=800).running() as server:
        labels = grade(tmp_path, server, pairs, **DECISIONS)
        assert labels["status"].to_list() == ["failed", "ok"] and sizes(server) == [2, 1, 1]


def test_a_question_that_the_content_filter_refuses_costs_itself(tmp_path: Path) -> None:
    def choose(body: dict[str, Any], key: str, nth: int) -> str | None:
        return "filter" if "query number 17\n" in json.dumps(body).replace("\\n", "\n") else None

    server = DecisionsServer(choose)
    server.answers["filter"] = lambda grade: (400, {}, error_body("no", "content_filter"))
    with server.running():
        labels = grade(tmp_path, server, crossed_pairs(1, 64), **DECISIONS)
        refused = labels.filter(pl.col("status") == "refused")
        assert refused["query_id"].to_list() == ["q17"] and n_of(labels, "ok") == 63
        assert server.requests.total() == 1 + 2 * 6  # two halves on each of log2(64) levels
        assert_no_wrong_decision(labels, server)


def test_a_bundle_that_is_not_answered_in_time_is_halved(tmp_path: Path) -> None:
    with DecisionsServer(
        lambda body, key, nth: "hang" if len(body["questions"]) > 10 else None
    ).running() as server:
        labels = grade(tmp_path, server, crossed_pairs(1, 20), timeout_s=0.5, **DECISIONS)
        assert n_of(labels, "ok") == 20 and sizes(server) == [20, 10, 10]
        assert labels["attempts"].to_list() == [2] * 20


def test_a_bundle_whose_prompt_was_cut_has_no_grades_and_is_halved(tmp_path: Path) -> None:
    pairs = crossed_pairs(2, 120).with_columns(text=pl.format("{} with a few more words", "text"))
    with DecisionsServer(cut_at=2048).running() as server:
        labels = grade(tmp_path, server, pairs, max_concurrency=1, **DECISIONS)
        assert n_of(labels, "ok") == 240 and sizes(server)[:2] == [120, 60]
        assert labels["n_asked_together"].max() < 60
        assert labels["prompt_tokens"].sum() < 2048 * server.requests.total()
        n_requests = server.requests.total()
        assert grade(tmp_path, server, pairs, **DECISIONS).equals(labels)
        assert server.requests.total() == n_requests


def test_a_document_whose_prompt_is_cut_has_no_grade_in_any_run(tmp_path: Path) -> None:
    pairs = crossed_pairs(1, 3).with_columns(body=pl.lit("one word and another " * 700))
    with DecisionsServer(cut_at=2048).running() as server:
        for _ in range(2):
            labels = grade(tmp_path, server, pairs, **DECISIONS)
            assert n_of(labels, "failed") == 3 and labels["grade"].null_count() == 3
            assert labels["status_reason"].str.contains("num_ctx").all()


def test_a_bundle_whose_reply_is_too_long_is_halved(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        labels = grade(tmp_path, server, crossed_pairs(1, 60), max_reply_mib=0.01, **DECISIONS)
        assert n_of(labels, "ok") == 60 and sizes(server)[:2] == [60, 30]
        assert_no_wrong_decision(labels, server)


def test_a_busy_endpoint_gets_the_same_bundle_again(tmp_path: Path) -> None:
    with DecisionsServer(lambda body, key, nth: "503" if nth < 3 else None).running() as server:
        labels = grade(tmp_path, server, crossed_pairs(1, 20), **DECISIONS)
        assert n_of(labels, "ok") == 20 and list(server.requests.values()) == [3]
        assert labels["attempts"].to_list() == [3] * 20


def test_a_wrong_key_stops_after_one_request(tmp_path: Path) -> None:
    server = DecisionsServer(lambda body, key, nth: "401")
    server.answers["401"] = lambda grade: (401, {}, error_body("Incorrect API key provided"))
    with server.running(), pytest.raises(TeacherError, match="denies access"):
        grade(tmp_path, server, crossed_pairs(9, 9), **DECISIONS)
    assert server.requests.total() == 1


def test_a_spent_quota_stops_the_run_and_the_next_run_resumes(tmp_path: Path) -> None:
    server = DecisionsServer(lambda body, key, nth: "402" if server.requests.total() > 3 else None)
    server.answers["402"] = lambda grade: (402, {}, error_body("no money"))
    with server.running():
        labels = grade(tmp_path, server, crossed_pairs(9, 9), max_concurrency=1, **DECISIONS)
        assert n_of(labels, "ok") == 27 and n_of(labels, "failed") == 54
        assert server.requests.total() == 4
        server.choose = lambda body, key, nth: None
        assert n_of(grade(tmp_path, server, crossed_pairs(9, 9), **DECISIONS), "ok") == 81
        assert server.asked.total() == 81 + 9


def test_a_run_budget_is_never_exceeded_and_holds_a_part_of_a_bundle(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        pairs = crossed_pairs(1, 200)
        labels = grade(tmp_path, server, pairs, run_budget_usd=0.08, **DECISIONS, **PRICE)
        assert n_of(labels, "ok") > 20 and n_of(labels, "over_budget") > 20
        assert labels["cost_usd"].sum() <= 0.08
        assert labels.filter(pl.col("status") == "over_budget")["n_asked_together"].null_count() > 0


def test_a_budget_without_a_price_is_refused_before_the_first_request(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        with pytest.raises(ConfigError, match="price"):
            grade(tmp_path, server, crossed_pairs(1, 3), budget_usd=1.0, **DECISIONS)
        assert not server.requests


def test_identical_pairs_are_asked_once(tmp_path: Path) -> None:
    pairs = crossed_pairs(1, 3)
    copies = [pairs.with_columns(query_id=pl.format("{}{}", "query_id", i)) for i in range(3)]
    with DecisionsServer().running() as server:
        labels = grade(tmp_path, server, pl.concat(copies), **DECISIONS)
        assert n_of(labels, "ok") == 9 and sizes(server) == [3]
        assert_no_wrong_decision(labels, server)


def test_a_panel_asks_each_model_and_grades_by_all(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        labels = grade(tmp_path, server, crossed_pairs(2, 5), panel=["other"], **DECISIONS)
        assert n_of(labels, "ok") == 10 and sizes(server) == [5] * 4
        assert {body["model"] for body in server.bodies.values()} == {"fake", "other"}
        assert labels["grade_probs"].list.sum().to_list() == pytest.approx([1.0] * 10)


def test_offline_answers_come_from_the_ledger_alone(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        graded = grade(tmp_path, server, crossed_pairs(2, 5), **DECISIONS)
        n_requests = server.requests.total()
        labels = grade(tmp_path, server, crossed_pairs(3, 5), mode="offline", **DECISIONS)
        assert n_of(labels, "ok") == 10 and n_of(labels, "failed") == 5
        assert server.requests.total() == n_requests and n_of(graded, "ok") == 10


@pytest.mark.parametrize("max_questions", [1, 3, 400])
def test_an_answer_is_found_whatever_it_was_asked_with(max_questions: int, tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        first = grade(tmp_path, server, crossed_pairs(2, 6), **DECISIONS)
        again = grade(
            tmp_path, server, crossed_pairs(2, 8), max_questions=max_questions, **DECISIONS
        )
        assert set(server.asked.values()) == {1} and n_of(again, "ok") == 16
        both = again.join(first, on=["query_id", "doc_id"])
        assert both["grade"].equals(both["grade_right"]) and both.height == 12


def test_the_rate_limit_counts_the_tokens_of_a_bundle(tmp_path: Path) -> None:
    """Its document once, and each of its questions: what the server counts."""
    with DecisionsServer().running() as server:
        teacher = Teacher(tmp_path)
        config = make_config(server, **DECISIONS)
        pairs = crossed_pairs(1, 50)
        questions = teacher.grade(pairs, corpus="demo", config=config, rubric=default_rubric())
        (body,) = server.bodies.values()
        alone = sum(len(json.dumps(each)) for each in alone_bodies(body))
        assert questions["prompt_tokens"].sum() * 4 < 0.3 * alone
