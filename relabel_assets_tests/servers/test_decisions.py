"""The Decisions endpoint of OpenAI, and the same at other servers: bundles, refusals, limits, prompts
that were cut.
"""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets_tests.builders import assert_no_wrong_decision, crossed_pairs, grade
from relabel_assets_tests.faults.decisions_server import DecisionsServer

pytestmark = pytest.mark.slow  # a server

DECISIONS = {"api": "decisions", "model": "gpt-6-luna"}


def test_decisions_grades_many_pairs_about_a_document_in_one_request(tmp_path: Path) -> None:
    with DecisionsServer().running() as server:
        labels = grade(tmp_path, server, crossed_pairs(3, 20), **DECISIONS)
        assert labels["status"].to_list() == ["ok"] * 60
        assert_no_wrong_decision(labels, server)
        assert sum(server.requests.values()) == 3
        assert set(labels["n_asked_together"]) == {20}


def test_a_document_that_a_decisions_server_cut_has_no_grade(tmp_path: Path) -> None:
    class Cutting(DecisionsServer):
        def reply(self, body: dict[str, Any], key: str) -> Any:
            name, (status, headers, answer) = super().reply(body, key)
            answer["usage"]["input_tokens"] = min(1026, answer["usage"]["input_tokens"])
            return name, (status, headers, answer)

    pairs = crossed_pairs(2, 5)
    long = [
        "word " * 40 if doc_id == "d0" else "The rules changed. " * 700
        for doc_id in pairs["doc_id"]
    ]
    with Cutting().running() as server:
        labels = grade(tmp_path, server, pairs.with_columns(body=pl.Series(long)), **DECISIONS)
        statuses = dict(zip(labels["doc_id"], labels["status"], strict=True))
        assert statuses == {"d0": "ok", "d1": "failed"}
        assert_no_wrong_decision(labels, server)
        # A bundle that was cut is halved, down to one question; each question is asked alone once.
        assert sum(len(body["questions"]) == 1 for body in server.bodies.values()) <= len(pairs)
        assert max(server.requests.values()) == 1
