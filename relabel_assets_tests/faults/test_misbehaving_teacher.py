"""The teacher against a faulty server: every pair gets a grade or a reason, and no wrong grade."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets_tests.builders import KEY, assert_no_wrong_grade, grade, make_pairs
from relabel_assets_tests.faults.teacher_server import (
    DIFFERENCES,
    FAULTS,
    TeacherServer,
    choose_at_random,
)

ENDS_OTHERWISE = {"refusal": "refused", "cut reply": "unparseable"}  # without asking again


@pytest.mark.parametrize("fault", FAULTS)
def test_a_good_reply_after_one_fault_is_a_grade(fault: str, tmp_path: Path) -> None:
    with TeacherServer(lambda body, key, nth: fault if nth == 1 else None).running() as server:
        labels = grade(
            tmp_path,
            server,
            make_pairs(2),
            timeout_s=0.3 if fault in ("hang", "slow body") else 10.0,
        )
        assert labels["status"].to_list() == [ENDS_OTHERWISE.get(fault, "ok")] * 2
        assert_no_wrong_grade(labels, server)
        assert sum(server.requests.values()) == (2 if fault in ENDS_OTHERWISE else 4)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_permanent_fault_becomes_a_reason_and_no_grade(fault: str, tmp_path: Path) -> None:
    with TeacherServer(lambda body, key, nth: fault).running() as server:
        labels = grade(
            tmp_path,
            server,
            make_pairs(1),
            max_retries=1,
            timeout_s=0.2 if fault in ("hang", "slow body") else 10.0,
        )
        row = labels.row(0, named=True)
        assert (
            row["grade"] is None
            and row["status"] in ("refused", "unparseable", "failed")
            and row["status_reason"]
        )
        assert row["attempts"] == sum(server.requests.values())
        assert sum(server.requests.values()) == (1 if fault in ENDS_OTHERWISE else 2)


@pytest.mark.parametrize("difference", DIFFERENCES)
def test_replies_of_different_servers_are_all_parsed(difference: str, tmp_path: Path) -> None:
    with TeacherServer(lambda body, key, nth: difference).running() as server:
        labels = grade(tmp_path, server, make_pairs(3))
        assert labels["status"].to_list() == ["ok"] * 3
        assert_no_wrong_grade(labels, server)


def test_two_thousand_pairs_with_thirty_percent_faults(tmp_path: Path) -> None:
    quick = tuple(fault for fault in FAULTS if fault not in ("hang", "slow body"))
    pairs = make_pairs(2000)
    with TeacherServer(choose_at_random(0.3, quick, seed=7)).running() as server:
        labels = grade(tmp_path, server, pairs)
        assert labels.select("query_id", "doc_id").equals(pairs.select("query_id", "doc_id"))
        assert labels["status"].null_count() == 0
        assert_no_wrong_grade(labels, server)
        assert (labels["status"] == "ok").mean() > 0.95
        assert sum(server.requests.values()) <= 1.45 * len(pairs)
        assert labels["attempts"].sum() == sum(server.requests.values())

        asked_before = server.requests.copy()
        second_labels = grade(tmp_path, server, pairs)
        graded = labels.filter(pl.col("status") == "ok")
        for key in graded["request_key"]:
            assert server.requests[key] == asked_before[key]
        assert second_labels.filter(pl.Series(labels["status"] == "ok")).equals(graded)


def test_the_ledger_has_every_attempt_and_no_key(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with TeacherServer(
        choose_at_random(0.5, ("500", "429", "reset", "word"), seed=1)
    ).running() as server:
        server.answers["500"] = lambda grade: (500, {}, {"error": f"upstream refused Bearer {KEY}"})
        server.answers["word"] = lambda grade: (200, {}, f"your key {KEY} is nice")
        grade(tmp_path, server, make_pairs(60))
        sent = sum(server.requests.values())
        assert server.authorizations == {f"Bearer {KEY}": sent}
    text = "".join(file.read_text() for file in tmp_path.glob("**/*.jsonl"))
    lines = [json.loads(line) for line in text.splitlines()]
    assert sum("id" in line for line in lines) == sum("method" in line for line in lines) == sent
    assert KEY not in text and "[key]" in text
    output = capfd.readouterr()
    assert KEY not in output.out + output.err
