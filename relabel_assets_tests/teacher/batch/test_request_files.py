"""Request files: their limits, one ledger entry per request, and no partial file."""

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.errors import TeacherError
from relabel_assets.teacher.batch.request_files import (
    AskedLog,
    batch_line,
    keys_in,
    write_request_files,
)
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.request_lines import recorded_keys, recorded_requests
from relabel_assets.teacher.requests import Outgoing
from relabel_assets.teacher.sending.retry_settings import API_LIMITS, FileLimits
from relabel_assets_tests.builders import numbered_request


def write(
    folder: Path, requests: Iterable[Outgoing], limits: FileLimits = API_LIMITS, **arguments: Any
) -> list[tuple[Path, int]]:
    return write_request_files(requests, lambda n: folder / f"{n}.jsonl", limits, **arguments)


def test_a_line_has_the_four_members_of_the_batch_api() -> None:
    one = numbered_request(1)
    line = json.loads(batch_line(one))
    assert line == {
        "custom_id": one.key,
        "method": "POST",
        "url": "/v1/chat/completions",
        "body": one.body,
    }
    assert batch_line(one).startswith(b'{"body":{"max_completion_tokens":50,') and batch_line(
        one
    ).endswith(b"}\n")


@pytest.mark.parametrize(
    ("n", "sizes"), [(0, []), (1, [1]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (7, [3, 3, 1])]
)
def test_files_hold_at_most_the_maximum_number_of_requests(
    n: int, sizes: list[int], tmp_path: Path
) -> None:
    requests = [numbered_request(number) for number in range(n)]
    files = write(tmp_path, iter(requests), FileLimits(n_requests=3))
    assert [n_requests for _, n_requests in files] == sizes
    assert [key for path, _ in files for key in keys_in(path)] == [one.key for one in requests]
    assert sorted(path.name for path in tmp_path.iterdir()) == [path.name for path, _ in files]


def test_files_hold_at_most_the_maximum_bytes_and_a_larger_request_goes_alone(
    tmp_path: Path,
) -> None:
    requests = [
        numbered_request(1),
        numbered_request(2),
        numbered_request(3),
        numbered_request(4, 5000),
        numbered_request(5),
    ]
    two = len(batch_line(requests[0])) + len(batch_line(requests[1]))
    files = write(tmp_path, requests, FileLimits(n_bytes=two))
    assert [n_requests for _, n_requests in files] == [2, 1, 1, 1]
    files = write(tmp_path, requests, FileLimits(n_bytes=two - 1))
    assert [n_requests for _, n_requests in files] == [1, 1, 1, 1, 1]


def test_all_requests_of_a_file_are_recorded_before_it_gets_its_name(tmp_path: Path) -> None:
    recorded = []

    def record(requests: list[Outgoing]) -> None:
        assert not list(tmp_path.glob("*.jsonl"))
        recorded.extend(one.key for one in requests)

    write(tmp_path, [numbered_request(number) for number in range(1203)], record=record)
    assert len(set(recorded)) == len(recorded) == 1203


def test_a_full_disk_leaves_no_partial_file(tmp_path: Path) -> None:
    def record(requests: list[Outgoing]) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(TeacherError, match="No space left on device"):
        write(tmp_path, [numbered_request(1)], record=record)
    assert list(tmp_path.iterdir()) == []


def test_each_corpus_and_endpoint_records_its_own_requests(tmp_path: Path) -> None:
    ledger, key = Ledger(tmp_path), numbered_request(1).key
    for corpus, endpoint in (("demo", "host"), ("other", "host"), ("demo", "host:2")):
        AskedLog(ledger, corpus, "grading", endpoint).record([numbered_request(1)])
    AskedLog(ledger, "demo", "grading", "host").record([numbered_request(1)])
    places = list(recorded_requests(ledger, {key})[key])
    assert sorted(places) == [("demo", "host"), ("demo", "host:2"), ("other", "host")]


def test_each_request_is_recorded_once(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path)
    log = AskedLog(ledger, "demo", "grading", "host")
    log.record([numbered_request(1), numbered_request(2), numbered_request(1)])
    log.record([numbered_request(2)])
    AskedLog(ledger, "demo", "grading", "host").record([numbered_request(2), numbered_request(3)])
    lines = [raw for file in ledger.files() for _, _, raw in ledger.lines(file)]
    assert len(lines) == 3
    assert recorded_keys(ledger, ("demo", "host")) == {
        bytes.fromhex(numbered_request(number).key) for number in (1, 2, 3)
    }
    asked_lines = recorded_requests(ledger, {numbered_request(3).key, "ff" * 32})
    assert list(asked_lines) == [numbered_request(3).key]
    metadata = asked_lines[numbered_request(3).key]["demo", "host"].metadata
    assert (metadata.corpus, metadata.purpose, metadata.model, metadata.endpoint) == (
        "demo",
        "grading",
        "m",
        "host",
    )
    assert metadata.dialect == "json_schema max_completion_tokens" and metadata.at
