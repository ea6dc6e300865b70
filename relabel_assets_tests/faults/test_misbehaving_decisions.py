"""Decisions from a faulty server: every pair gets a grade or a reason, and no wrong grade."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets_tests.builders import (
    answers_in,
    assert_no_wrong_decision,
    crossed_pairs,
    grade,
)
from relabel_assets_tests.faults.decisions_server import (
    ANSWER_FAULTS,
    BODY_FAULTS,
    DIFFERENCES,
    FAULTS,
    DecisionsServer,
    choose_at_random,
)

pytestmark = pytest.mark.slow

DECISIONS = {"api": "decisions"}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_good_answer_after_one_fault_is_a_grade(fault: str, tmp_path: Path) -> None:
    with DecisionsServer(lambda body, key, nth: fault if nth == 1 else None).running() as server:
        labels = grade(tmp_path, server, crossed_pairs(2, 5), **DECISIONS)
        assert labels["status"].to_list() == ["ok"] * 10
        assert_no_wrong_decision(labels, server)
        assert set(server.asked.values()) == {2}  # each question twice, and no more
        assert not server.complaints


@pytest.mark.parametrize("fault", FAULTS)
def test_a_permanent_fault_becomes_a_reason_and_no_grade(fault: str, tmp_path: Path) -> None:
    with DecisionsServer(lambda body, key, nth: fault).running() as server:
        labels = grade(tmp_path, server, crossed_pairs(1, 3), max_retries=1, **DECISIONS)
        is_read = fault in {**ANSWER_FAULTS, **BODY_FAULTS}
        assert labels["status"].to_list() == ["unparseable" if is_read else "failed"] * 3
        assert labels["grade"].null_count() == 3 and labels["status_reason"].null_count() == 0
        assert labels["attempts"].to_list() == [2] * 3
        assert sum(server.requests.values()) == 2


@pytest.mark.parametrize("fault", ANSWER_FAULTS)
def test_a_faulty_answer_costs_its_own_pair_and_not_its_siblings(
    fault: str, tmp_path: Path
) -> None:
    server = DecisionsServer(lambda body, key, nth: fault, fault_share=0.2)
    with server.running():
        labels = grade(tmp_path, server, crossed_pairs(1, 50), max_retries=0, **DECISIONS)
        assert_no_wrong_decision(labels, server)
        statuses = labels["status"].to_list()
        assert 25 < statuses.count("ok") < 50
        assert statuses.count("ok") + statuses.count("unparseable") == 50
        assert sum(server.requests.values()) == 1


def test_only_what_is_left_is_asked_again(tmp_path: Path) -> None:
    server = DecisionsServer(
        lambda body, key, nth: "missing answer" if len(body["questions"]) == 50 else None,
        fault_share=0.2,
    )
    with server.running():
        labels = grade(tmp_path, server, crossed_pairs(1, 50), **DECISIONS)
        assert_no_wrong_decision(labels, server)
        assert set(labels["status"]) == {"ok"}
        first, second = (body["questions"] for body in server.bodies.values())
        asked_twice = [key for key, n in server.asked.items() if n == 2]
        assert len(first) == 50 and len(second) == len(asked_twice) < 25
        together = labels.filter(pl.col("request_key").is_in(asked_twice))["n_asked_together"]
        assert set(together) == {len(second)}


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_answers_of_different_servers_are_all_parsed(difference: str, tmp_path: Path) -> None:
    with DecisionsServer(lambda body, key, nth: difference).running() as server:
        labels = grade(tmp_path, server, crossed_pairs(2, 3), **DECISIONS)
        assert labels["status"].to_list() == ["ok"] * 6
        assert_no_wrong_decision(labels, server)


def test_a_refusal_is_final_and_its_siblings_have_grades(tmp_path: Path) -> None:
    server = DecisionsServer(lambda body, key, nth: "refusal", fault_share=0.3)
    with server.running():
        labels = grade(tmp_path, server, crossed_pairs(1, 20), **DECISIONS)
        assert set(labels["status"]) == {"ok", "refused"}
        assert_no_wrong_decision(labels, server)
        assert sum(server.requests.values()) == 1


def test_two_thousand_pairs_with_thirty_percent_faults(tmp_path: Path) -> None:
    pairs = crossed_pairs(500, 4)
    with DecisionsServer(choose_at_random(0.3, seed=7)).running() as server:
        labels = grade(tmp_path, server, pairs, **DECISIONS)
        assert labels.select("query_id", "doc_id").equals(pairs.select("query_id", "doc_id"))
        assert_no_wrong_decision(labels, server)
        assert (labels["status"] == "ok").mean() > 0.95
        # A question that is asked in a bundle is a request for its pair.
        assert server.asked.total() <= 1.45 * len(pairs)
        assert labels["attempts"].sum() == server.asked.total()
        assert not server.complaints
        print(
            f"{server.asked.total() / len(pairs):.3f} questions a pair in {server.requests.total()} "
            f"requests; {(labels['status'] == 'ok').sum()} of {len(pairs)} graded"
        )

        asked_before = server.asked.copy()
        second_labels = grade(tmp_path, server, pairs, **DECISIONS)
        graded = labels.filter(pl.col("status") == "ok")
        assert all(server.asked[key] == asked_before[key] for key in graded["request_key"])
        assert second_labels.filter(pl.Series(labels["status"] == "ok")).equals(graded)
        assert set(answers_in(tmp_path)) >= set(graded["request_key"])
