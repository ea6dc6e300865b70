"""Backfills in Dagster: one run over many corpora, a process per step, stopping and resuming."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import dagster as dg
import pytest

from relabel_assets.definitions import build_definitions
from relabel_assets.graph.partitions import add_partitions
from relabel_assets.graph.project import Project
from relabel_assets.running import runner
from relabel_assets.running.dagster_state import open_instance
from relabel_assets_tests.builders import answers_in, ask_live, write_corpus
from relabel_assets_tests.faults.teacher_server import TeacherServer

LABELS = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels"]
RANGE = {"dagster/asset_partition_range_start": "one", "dagster/asset_partition_range_end": "three"}


@pytest.fixture
def corpora(home: Path) -> Path:
    for name in ("one", "two", "three"):
        write_corpus(home / "data" / name)
    return home


def single_run(
    instance: dg.DagsterInstance, tags: Mapping[str, str] = RANGE
) -> dg.ExecuteInProcessResult:
    definitions = build_definitions(Project.from_environment(), backfill="single_run")
    job = definitions.resolve_implicit_global_asset_job_def()
    selection = [dg.AssetKey(name) for name in LABELS]
    return job.execute_in_process(
        instance=instance, asset_selection=selection, tags=tags, raise_on_error=False
    )


def test_a_broken_corpus_fails_no_other_corpus_of_the_same_run(corpora: Path) -> None:
    project, warehouse = runner.from_environment()
    broken = corpora / "data" / "two" / "documents.jsonl"
    content = broken.read_text()
    broken.write_text("{\n")
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        add_partitions(instance, ["one", "two", "three"])
        failed = single_run(instance)
        assert not failed.success
        (step,) = (event for event in failed.all_events if event.is_step_failure)
        description = step.step_failure_data.user_failure_data.description
        assert description.startswith("two: corpus 'two' has no usable document")
        assert {corpus for corpus, table in warehouse.receipts() if table == "seed_docs"} == {
            "one",
            "three",
        }
        broken.write_text(content)
        done = single_run(instance)
        assert done.success
        assert all(check.passed for check in done.get_asset_check_evaluations())
        assert set(instance.get_materialized_partitions(dg.AssetKey("teacher_labels"))) == {
            "one",
            "two",
            "three",
        }
        latest = instance.fetch_materializations(
            dg.AssetRecordsFilter(asset_key=dg.AssetKey("seed_docs"), asset_partitions=["two"]),
            limit=1,
        )
        assert latest.records[0].asset_materialization.metadata["dagster/row_count"].value == 8  # type: ignore[union-attr]
    assert len(warehouse.receipts()) == 15


def test_the_checks_of_a_backfill_have_a_result_for_each_corpus(corpora: Path) -> None:
    """A run of the UI's backfill has a range of partitions as tags, even for a single corpus."""
    project, _ = runner.from_environment()
    grades = corpora / "data" / "two" / "teacher_labels.jsonl"
    grades.write_text(grades.read_text().replace('"grade": ', '"grade": 7', 1))  # no such grade
    key = dg.AssetCheckKey(dg.AssetKey("teacher_labels"), "nothing_set_aside")

    def results(instance: dg.DagsterInstance, run_id: str) -> dict[str | None, str]:
        """What the UI shows: one left as planned reads "Skipped" there."""
        storage = instance.event_log_storage
        history = storage.get_asset_check_execution_history(key, limit=20)
        return {each.partition: each.status.value for each in history if each.run_id == run_id}

    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        add_partitions(instance, ["one", "two", "three"])
        three = single_run(instance)
        assert results(instance, three.run_id) == {
            "one": "SUCCEEDED",
            "two": "FAILED",
            "three": "SUCCEEDED",
        }
        one = single_run(instance, dict.fromkeys(RANGE, "two"))
        assert results(instance, one.run_id) == {"two": "FAILED"}
        assert {
            check.partition
            for check in one.get_asset_check_evaluations()
            if check.check_name != "is_up_to_date"  # that one is of all corpora at once
        } == {"two"}
        (latest,) = (
            check for check in one.get_asset_check_evaluations() if check.asset_check_key == key
        )
        # The UI compares it with the last materialization to tell whether the check is out of date.
        assert latest.target_materialization_data
        assert latest.target_materialization_data.run_id == one.run_id


def dagster(*words: str) -> subprocess.CompletedProcess[str]:
    command = [
        sys.executable,
        "-W",
        "ignore",
        "-m",
        "dagster",
        *words,
        "-m",
        "relabel_assets.definitions",
    ]
    return subprocess.run(
        command, capture_output=True, text=True, check=False, env=os.environ.copy()
    )


def test_run_config_can_give_each_step_a_process(home: Path) -> None:
    project, warehouse = runner.from_environment()
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        add_partitions(instance, ["tiny"])
    config = "{execution: {config: {multiprocess: {max_concurrent: 2}}}}"
    (home / "run.yaml").write_text(config)
    done = dagster(
        "asset",
        "materialize",
        "--select",
        "seed_docs,synthetic_queries",
        "--partition",
        "tiny",
        "-c",
        str(home / "run.yaml"),
    )
    assert done.returncode == 0, done.stderr[-2000:]
    assert "Launching subprocess" in done.stderr + done.stdout
    assert {table for _, table in warehouse.receipts()} == {"seed_docs", "synthetic_queries"}


def test_a_stopped_backfill_resumes_from_the_ledger(
    corpora: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The UI's Terminate and Ctrl-C send SIGINT or SIGTERM to the run's process."""
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    run = [sys.executable, "-m", "relabel_assets.cli.main", "run", "-s", "*teacher_labels"]
    with TeacherServer(latency_s=0.05).running() as server:
        ask_live(corpora, base_url=server.base_url, max_concurrency=4)
        for name in ("one", "two", "three"):
            (corpora / "data" / name / "teacher_labels.jsonl").unlink()
            settings = (corpora / "data" / "tiny" / "corpus.yaml").read_text()
            (corpora / "data" / name / "corpus.yaml").write_text(settings)
        child = subprocess.Popen(
            run, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, env=os.environ.copy()
        )
        while sum(server.answered.values()) < 30 and child.poll() is None:
            time.sleep(0.01)
        child.send_signal(signal.SIGTERM)
        output, _ = child.communicate(timeout=60)
        assert child.returncode == 130, output.decode()
        server.latency_s = 0.0
        answers_before, requests_before = (
            answers_in(corpora / "home" / "ledger"),
            server.requests.copy(),
        )
        done = subprocess.run(
            run, capture_output=True, text=True, check=False, env=os.environ.copy()
        )
        assert done.returncode == 0, done.stderr
        assert all(server.requests[key] == requests_before[key] for key in answers_before)
        # Only what was on its way at the stop may be sent again; the corpora's texts are alike, and
        # share their answers.
        assert server.requests.total() - len(server.requests) <= 4
    _, warehouse = runner.from_environment()
    assert set(warehouse.query("select status from teacher_labels")["status"]) == {"ok"}


def test_processes_that_create_dagsters_state_at_once_leave_it_usable(home: Path) -> None:
    project, _ = runner.from_environment()
    script = (
        "from relabel_assets.running.dagster_state import *; "
        "open_instance(Home.from_environment()).dispose()"
    )
    command = [sys.executable, "-W", "ignore", "-c", script]
    processes = [
        subprocess.Popen(command, stderr=subprocess.PIPE, env=os.environ.copy()) for _ in range(4)
    ]
    for process in processes:
        _, stderr = process.communicate(timeout=300)
        assert process.returncode == 0, stderr.decode()[-800:]
    with open_instance(project.home) as instance:
        assert instance.get_runs() == []
