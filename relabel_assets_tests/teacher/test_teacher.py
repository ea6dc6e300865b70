"""The teacher's limits, budgets and early stops, over real HTTP."""

import asyncio
import time
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.errors import ConfigError, TeacherError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import IMPATIENT, KEY, grade, make_config, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer, chat_body, error_body

pytestmark = pytest.mark.slow

# The server bills 720 tokens a reply: 0.0072 USD.
PRICE = {"price_usd_per_million_tokens": {"input": 10.0, "output": 10.0}}


@pytest.fixture(autouse=True)
def key_in_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)


def test_a_wrong_key_stops_after_one_request(tmp_path: Path) -> None:
    server = TeacherServer(lambda body, key, nth: "401")
    denial = error_body(f"Incorrect API key provided: {KEY}")
    server.answers["401"] = lambda grade: (401, {}, denial)
    with server.running(), pytest.raises(TeacherError, match="denies access") as raised:
        grade(tmp_path, server, make_pairs(50))
    assert sum(server.requests.values()) == 1
    assert KEY not in str(raised.value)


def test_a_missing_key_and_address_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)
    config = make_config(TeacherServer()).model_copy(update={"base_url": None})
    with pytest.raises(TeacherError, match="OPENAI_API_KEY is not set"):
        Teacher(tmp_path).grade(
            make_pairs(1), corpus="demo", config=config, rubric=default_rubric()
        )


def test_an_endpoint_that_is_down_stops_the_run_and_the_next_run_resumes(tmp_path: Path) -> None:
    server = TeacherServer(
        lambda body, key, nth: "503" if sum(server.requests.values()) > 20 else None
    )
    with server.running():
        labels = grade(tmp_path, server, make_pairs(500), max_concurrency=4)
        assert set(labels["status"]) == {"ok", "failed"}
        assert labels["status_reason"].str.contains("is down").sum() > 400
        assert sum(server.requests.values()) < 60
        server.choose = lambda body, key, nth: None
        assert set(grade(tmp_path, server, make_pairs(500))["status"]) == {"ok"}


def test_a_run_budget_is_never_exceeded(tmp_path: Path) -> None:
    with TeacherServer(latency_s=0.01).running() as server:
        labels = grade(tmp_path, server, make_pairs(200), run_budget_usd=0.5, **PRICE)
        assert set(labels["status"]) == {"ok", "over_budget"}
        assert 0.4 < labels["cost_usd"].sum() <= 0.5
        assert labels.filter(labels["status"] == "over_budget")["grade"].null_count() > 100


def test_a_corpus_budget_includes_spending_in_the_ledger(tmp_path: Path) -> None:
    with TeacherServer().running() as server:
        grade(tmp_path, server, make_pairs(40), **PRICE)
        labels = grade(tmp_path, server, make_pairs(80), budget_usd=0.4, **PRICE)
        assert (labels["status"] == "ok").sum() >= 40
        assert labels["cost_usd"].sum() <= 0.4
        assert "over_budget" in set(labels["status"])


def test_a_budget_without_a_price_is_refused_before_the_first_request(tmp_path: Path) -> None:
    with TeacherServer().running() as server:
        with pytest.raises(ConfigError, match="price"):
            grade(tmp_path, server, make_pairs(3), budget_usd=1.0)
        assert not server.requests


def test_a_server_without_json_schema_gets_a_weaker_dialect(
    tmp_path: Path,
) -> None:
    server = TeacherServer(lambda body, key, nth: "400" if "response_format" in body else None)
    server.answers["400"] = lambda grade: (400, {}, error_body("response_format is not supported"))
    with server.running():
        teacher = Teacher(tmp_path, retry_settings=IMPATIENT)
        labels = teacher.grade(
            make_pairs(30), corpus="demo", config=make_config(server), rubric=default_rubric()
        )
        assert set(labels["status"]) == {"ok"}
        assert sum(server.requests.values()) == 32
        assert sum("does not take" in notice for notice in teacher.notices) == 2
        assert grade(tmp_path, server, make_pairs(30)).equals(labels)
        assert sum(server.requests.values()) == 32


def test_identical_pairs_send_one_request(tmp_path: Path) -> None:
    pairs = make_pairs(1)
    copies = [pairs.with_columns(doc_id=pl.lit(f"copy {i}")) for i in range(3)]
    with TeacherServer(latency_s=0.02).running() as server:
        labels = grade(tmp_path, server, pl.concat(copies))
        assert len(labels) == 3 and sum(server.requests.values()) == 1


def test_votes_and_a_panel_have_a_consensus(tmp_path: Path) -> None:
    with TeacherServer().running() as server:
        labels = grade(tmp_path, server, make_pairs(3), votes=3, panel=["other"])
        assert sum(server.requests.values()) == 18
        assert labels["grade_probs"].list.sum().to_list() == [1.0] * 3
        assert labels["rationale"].str.starts_with("[6 of 6]").all()


def test_log_probabilities_become_grade_probs(tmp_path: Path) -> None:
    tokens = [{"token": '{"rationale": "r", "grade": ', "logprob": 0.0, "top_logprobs": []}]
    top = [{"token": "2", "logprob": -0.5108256}, {"token": "3", "logprob": -0.9162907}]
    tokens += [
        {"token": "2", "logprob": -0.5108256, "top_logprobs": top},
        {"token": "}", "logprob": 0.0},
    ]
    body = chat_body('{"rationale": "r", "grade": 2}')
    body["choices"][0]["logprobs"] = {"content": tokens}
    server = TeacherServer(lambda *_: "logprobs")
    server.answers["logprobs"] = lambda grade: (200, {}, body)
    with server.running():
        row = grade(tmp_path, server, make_pairs(1), is_logprobs=True).row(0, named=True)
    assert row["grade"] == 2
    assert row["grade_probs"] == pytest.approx([0, 0, 0.6, 0.4], abs=1e-6)
    assert row["expected_grade"] == pytest.approx(2.4, abs=1e-6)


def test_grading_works_inside_a_running_event_loop(tmp_path: Path) -> None:
    async def inside() -> list[str]:
        return grade(tmp_path, server, make_pairs(5))["status"].to_list()

    with TeacherServer().running() as server:
        assert asyncio.run(inside()) == ["ok"] * 5


def test_the_request_rate_and_the_concurrency_limit_hold(tmp_path: Path) -> None:
    limits = {"requests_per_minute": 6000.0, "max_concurrency": 3}
    with TeacherServer(latency_s=0.01).running() as server:
        started_s = time.monotonic()
        labels = grade(tmp_path, server, make_pairs(12), **limits)
        # Twelve requests at 100 a second: the last one starts 0.11 s after the first.
        assert time.monotonic() - started_s >= 0.8 * 11 / 100
        assert set(labels["status"]) == {"ok"} and server.most_in_flight <= 3
