"""Machine-readable output: Prometheus metrics, and progress as JSON lines."""

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import (
    RequestMetadata,
    Response,
    request_line,
    response_line,
)
from relabel_assets.teacher.requests import request_key
from relabel_assets.upkeep.prometheus import _teacher


def relabel(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-c",
        "from relabel_assets.cli.main import main; main()",
        *arguments,
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def samples(text: str) -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
    families = text_string_to_metric_families(text)
    return {
        (s.name, frozenset(s.labels.items())): s.value
        for family in families
        for s in family.samples
    }


def write_ledger(folder: Path) -> None:
    """Write two requests: one answered for two cents, one refused with 429."""
    folder.mkdir(parents=True)
    metadata = RequestMetadata(
        corpus="tiny", purpose="grading", model="gpt", at="2026-11-25T10:00:00+00:00"
    )
    billed = RequestMetadata(
        **{**vars(metadata), "prompt_tokens": 100, "completion_tokens": 7, "cost_usd": 0.02}
    )
    lines = []
    for words, of_response, status in (("a", billed, 200), ("b", metadata, 429)):
        body = {"model": "gpt", "messages": [{"role": "user", "content": words}]}
        key = request_key(body)
        lines += [
            request_line(key, body, metadata),
            response_line(key, Response(status, {}), of_response),
        ]
    (folder / "tiny.jsonl").write_bytes(b"".join(lines))


def test_metrics_report_rows_seconds_spend_and_benchmark(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = shutil.copytree(finished_home, tmp_path / "home")
    monkeypatch.setenv("RELABEL_HOME", str(home))
    monkeypatch.setenv("RELABEL_DATA", str(finished_home.parent / "data"))
    write_ledger(home / "ledger")
    out = tmp_path / "relabel.prom"
    printed, written = relabel("metrics"), relabel("metrics", "--out", str(out))
    assert (printed.returncode, written.returncode, written.stdout) == (0, 0, ""), (
        printed.stderr + written.stderr
    )
    assert samples(out.read_text()) == samples(printed.stdout)
    values = samples(printed.stdout)

    def value(name: str, **labels: str) -> float:
        return values[name, frozenset({"corpus": "tiny", **labels}.items())]

    assert value("relabel_rows", table="student_labels") == 128
    assert 0 < value("relabel_made_in_seconds", table="student_labels") < 600
    grading = {"purpose": "grading", "model": "gpt"}
    assert value("relabel_teacher_requests_total", **grading) == 2
    assert [
        value("relabel_teacher_responses_total", **grading, status=status)
        for status in ("200", "429")
    ] == [1, 1]
    assert value("relabel_teacher_tokens_total", **grading, kind="prompt") == 100
    assert value("relabel_teacher_cost_usd_total", **grading) == 0.02
    assert value("relabel_benchmark", labeler="teacher", metric="ndcg@10") == 1
    assert values["relabel_runs", frozenset({("status", "success")})] == 1
    below_a_file = out / "x.prom"
    assert "cannot be written" in relabel("metrics", "--out", str(below_a_file)).stderr


def test_any_name_of_a_model_is_a_valid_label(tmp_path: Path) -> None:
    model = 'a"\\b\nc\r\x1b[2J\u2028{}'
    metadata = RequestMetadata(
        corpus="tiny", purpose="grading", model=model, at="2026-11-25T10:00:00+00:00"
    )
    body = {"model": "m", "messages": [{"role": "user", "content": "a"}]}
    key = request_key(body)
    (tmp_path / "tiny.jsonl").write_bytes(
        request_line(key, body, metadata) + response_line(key, Response(200, {}), metadata)
    )
    registry = CollectorRegistry()
    registry.register(Collected(list(_teacher(Ledger(tmp_path)))))
    text = generate_latest(registry).decode()
    assert text.replace("\n", "").isprintable()
    names = {dict(labels).get("model") for _, labels in samples(text)}
    (name,) = names - {None}
    assert 'a"\\b\nc' in name and r"\x1b[2J\u2028" in name  # type: ignore[operator]


class Collected:
    """A collector of metrics that exist."""

    def __init__(self, metrics: list[Any]) -> None:
        self._metrics = metrics

    def collect(self) -> list[Any]:
        return self._metrics


def test_progress_as_json_lines(home: Path) -> None:
    done = relabel("run", "--select", "seed_docs", "--log-format", "json")
    assert done.returncode == 0, done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert {(line["corpus"], line["asset"], line["level"]) for line in lines} == {
        ("tiny", "seed_docs", "info")
    }
    # On a slow machine there are lines of the time before the run, which say what is looked at.
    assert len({line["run"] for line in lines if "run" in line}) == 1
    assert lines[-1]["rows"] == 8 and lines[-1]["seconds"] >= 0
