"""The queue of live sending: the first request alone, the rest together, duplicates once."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets_tests.builders import grade, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer

pytestmark = pytest.mark.slow  # a server on the loopback


def test_the_first_request_goes_alone_and_the_others_together(tmp_path: Path) -> None:
    in_flight = []

    def choose(body: dict[str, Any], key: str, nth: int) -> str | None:
        in_flight.append(server.in_flight)  # when a request is answered

    server = TeacherServer(choose, latency_s=0.2)
    with server.running():
        labels = grade(tmp_path, server, make_pairs(7), max_concurrency=8)
    assert set(labels["status"]) == {"ok"}
    assert in_flight[0] == 1
    assert server.most_in_flight > 1  # the workers that waited for the first do not wait again


@pytest.mark.parametrize("n_workers", [1, 4])
@pytest.mark.parametrize(("fault", "status"), [("refusal", "refused"), (None, "ok")])
def test_duplicates_share_one_request_and_its_result(
    fault: str | None, status: str, n_workers: int, tmp_path: Path
) -> None:
    copies = [make_pairs(1).with_columns(doc_id=pl.lit(f"copy {n}")) for n in range(5)]
    with TeacherServer(lambda body, key, nth: fault, latency_s=0.02).running() as server:
        labels = grade(tmp_path, server, pl.concat(copies), max_concurrency=n_workers)
        assert labels["status"].to_list() == [status] * 5
        assert labels["doc_id"].to_list() == [f"copy {n}" for n in range(5)]
        assert server.requests.total() == 1
