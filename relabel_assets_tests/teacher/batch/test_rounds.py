"""Grading in rounds of batches, over real HTTP: retries, budgets, quotas and dialects."""

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.teacher.teacher import Teacher
from relabel_assets_tests.builders import KEY, make_pairs
from relabel_assets_tests.faults.batch_server import BatchServer
from relabel_assets_tests.faults.teacher_server import ANSWERS, error_body
from relabel_assets_tests.teacher.batch.batch_grading import (
    PRICE,
    assert_no_wrong_grade,
    grade,
)

pytestmark = pytest.mark.slow  # a server on the loopback


def test_results_in_any_order_become_grades(tmp_path: Path) -> None:
    with BatchServer().running() as server:
        labels = grade(tmp_path, server, make_pairs(100), **PRICE)
        assert labels["status"].to_list() == ["ok"] * 100
        assert_no_wrong_grade(labels, server)
        assert server.uploads == [40, 40, 20] and set(server.requests.values()) == {1}
        assert labels["cost_usd"].sum() == pytest.approx(100 * 0.0072)
        assert server.authorizations == {f"Bearer {KEY}"}
        second_labels = grade(tmp_path, server, make_pairs(100), **PRICE)
        assert second_labels.equals(labels) and len(server.uploads) == 3
    assert ledger_report.report(Teacher(tmp_path).ledger, is_thorough=True).problems == []
    assert json.loads((tmp_path / "demo.batches" / "state.json").read_text()) == []
    assert [path.name for path in (tmp_path / "demo.batches").iterdir()] == ["state.json"]
    assert all(
        KEY.encode() not in path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()
    )


def test_only_expired_failed_and_missing_lines_are_requested_again(tmp_path: Path) -> None:
    fates = {0: "expired", 1: "500", 2: "429", 3: "missing", 4: "word", 5: None}
    with BatchServer(
        lambda body, key, nth: fates[int(key, 16) % 6] if nth == 1 else None
    ).running() as server:
        labels = grade(tmp_path, server, make_pairs(120))
        assert labels["status"].to_list() == ["ok"] * 120
        assert_no_wrong_grade(labels, server)
        for key, n_asked in server.requests.items():
            assert n_asked == (1 if fates[int(key, 16) % 6] is None else 2)


@pytest.mark.parametrize(
    ("fate", "status", "n_asked"),
    [
        ("expired", "failed", 3),
        ("500", "failed", 3),
        ("word", "unparseable", 2),
        ("cut reply", "unparseable", 1),
        ("refusal", "refused", 1),
    ],
)
def test_a_permanent_fault_becomes_a_reason_and_no_grade(
    fate: str, status: str, n_asked: int, tmp_path: Path
) -> None:
    with BatchServer(lambda body, key, nth: fate).running() as server:
        row = grade(tmp_path, server, make_pairs(1)).row(0, named=True)
        assert (row["grade"], row["status"]) == (None, status) and row["status_reason"]
        assert list(server.requests.values()) == [n_asked] and row["attempts"] == n_asked


@pytest.mark.parametrize(("fate", "n_asked"), [("word", 2), ("expired", 6), ("500", 6)])
def test_a_reply_that_is_unreadable_in_the_same_way_twice_is_not_requested_again(
    fate: str, n_asked: int, tmp_path: Path
) -> None:
    with BatchServer(lambda body, key, nth: fate).running() as server:
        grade(tmp_path, server, make_pairs(1), max_retries=5)
        assert list(server.requests.values()) == [n_asked]


def copies_of_one_pair(n: int) -> pl.DataFrame:
    return pl.concat([make_pairs(1).with_columns(doc_id=pl.lit(f"copy {i}")) for i in range(n)])


def test_duplicates_in_a_round_do_not_use_up_its_tries(tmp_path: Path) -> None:
    with BatchServer(lambda body, key, nth: "word").running() as server:
        labels = grade(tmp_path, server, copies_of_one_pair(4), max_retries=5)
        assert labels["status"].to_list() == ["unparseable"] * 4
        assert list(server.requests.values()) == [2]


def test_a_result_counts_once_while_the_budget_holds_its_request_back(tmp_path: Path) -> None:
    with BatchServer(lambda body, key, nth: "word").running() as server:
        budget = {"run_budget_usd": 0.02, "max_completion_tokens": 500, **PRICE}
        labels = grade(tmp_path, server, copies_of_one_pair(4), max_retries=5, **budget)
        assert list(server.requests.values()) == [1]  # a second could overshoot
        assert labels["status"].to_list() == ["over_budget"] * 4


def test_a_spent_quota_stops_after_the_round_and_the_next_run_resumes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent = error_body("check your plan", "insufficient_quota")
    monkeypatch.setitem(ANSWERS, "spent", lambda grade: (429, {}, spent))
    fates = {0: "spent", 1: "429", 2: None}
    with BatchServer(
        lambda body, key, nth: fates[int(key, 16) % 3] if nth == 1 else None
    ).running() as server:
        labels = grade(tmp_path, server, make_pairs(30))
        assert len(server.batches) == 1 and set(server.requests.values()) == {1}
        assert set(labels["status"]) == {"ok", "failed"}
        reasons = labels.filter(labels["status"] == "failed")["status_reason"]
        assert reasons.str.contains(
            "insufficient_quota|quota or money is spent|check your plan"
        ).all()
        assert set(grade(tmp_path, server, make_pairs(30))["status"]) == {"ok"}


def test_switching_to_a_weaker_dialect_costs_one_batch(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    complaint = error_body("response_format json_schema is not supported")
    monkeypatch.setitem(ANSWERS, "no schema", lambda grade: (400, {}, complaint))

    def fate(body: dict[str, Any], key: str, nth: int) -> str | None:
        return "no schema" if body["response_format"]["type"] == "json_schema" else None

    with BatchServer(fate).running() as server:
        assert set(grade(tmp_path, server, make_pairs(30))["status"]) == {"ok"}
        assert server.uploads == [30, 30]
        grade(tmp_path, server, make_pairs(35))
        assert server.uploads == [30, 30, 5]


def test_a_budget_is_never_exceeded_and_released_reservations_are_used(tmp_path: Path) -> None:
    with BatchServer().running() as server:
        labels = grade(tmp_path, server, make_pairs(200), budget_usd=0.5, **PRICE)
        spent = labels["cost_usd"].sum()
        assert set(labels["status"]) == {"ok", "over_budget"} and 0.35 < spent <= 0.5
        n_asked = sum(server.requests.values())
        assert (
            grade(tmp_path, server, make_pairs(200), budget_usd=5.0, **PRICE)["status"].to_list()
            == ["ok"] * 200
        )
        assert sum(server.requests.values()) == 200 > n_asked
