"""Sensors and schedules: off until turned on, started by content and not by clocks, on a real Dagster instance."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from relabel_assets import automation, runner
from relabel_assets.definitions import build_definitions
from relabel_assets.tables import TABLES
from relabel_assets_tests.conftest import write_corpus


def tick(instance: dg.DagsterInstance, cursor: str | None) -> Any:
    project, _ = runner.from_environment()
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"project": project})
    return automation.changed_corpora(context)


def test_a_corpus_is_run_when_its_content_changes_and_not_when_a_file_is_touched(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        first = tick(instance, None)
        assert [request.partition_key for request in first.run_requests] == ["tiny"]
        assert first.dynamic_partitions_requests
        instance.add_dynamic_partitions("corpus", ["tiny"])
        os.utime(home / "data" / "tiny" / "queries.jsonl", (1, 1))
        assert isinstance(tick(instance, first.cursor), dg.SkipReason)
        (home / "data" / "tiny" / "corpus.yaml").write_text("student: {epochs: 0}\n")
        write_corpus(home / "data" / "later")
        second = tick(instance, first.cursor)
        assert sorted(request.partition_key for request in second.run_requests) == ["later", "tiny"]
        (home / "data" / "tiny" / "corpus.yaml").write_text("student: {epochs: 1}\nreference: {kind: adjudicated}\n")
        # Back to what it was once: that is a change too.
        assert [request.partition_key for request in tick(instance, second.cursor).run_requests] == ["tiny"]


def test_schedules_ask_for_every_corpus(home: Path) -> None:
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        instance.add_dynamic_partitions("corpus", ["one", "two"])
        for schedule in automation.SCHEDULES:
            found = list(schedule(dg.build_schedule_context(instance=instance)))
            assert [request.partition_key for request in found] == ["one", "two"]


@pytest.mark.parametrize(("setting", "status"), [("", "STOPPED"), ("on", "RUNNING")])
def test_one_line_turns_it_on(home: Path, setting: str, status: str) -> None:
    code = (
        "from relabel_assets import automation as a; "
        "print({s.default_status.value for s in [*a.SENSORS, *a.SCHEDULES]})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"RELABEL_AUTOMATION": setting}, capture_output=True, text=True, check=True
    )  # fmt: skip
    assert done.stdout.strip() == str({status})


def test_labels_are_refreshed_without_a_student(home: Path) -> None:
    graph = build_definitions().resolve_asset_graph()
    chosen = {key.to_user_string() for key in automation.REFRESH_LABELS.selection.resolve(graph)}
    assert chosen == {"seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels"}
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    assert {name for name, node in nodes.items() if node.automation_condition} == set(TABLES) - {"seed_docs"}
    assert {pool for node in nodes.values() for pool in node.pools} == {"teacher", "student"}


def test_a_failed_run_says_what_failed_and_what_it_cost(home: Path) -> None:
    (home / "data" / "tiny" / "documents.jsonl").write_text("")
    project, _ = runner.from_environment()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("corpus", ["tiny"])
        job = build_definitions(project).resolve_job_def("refresh_labels")
        result = job.execute_in_process(instance=instance, partition_key="tiny", raise_on_error=False)
        assert not result.success
        event = next(event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE")
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs", dagster_event=event, dagster_instance=instance, dagster_run=result.dagster_run,
            resources={"project": project},
        ).for_run_failure()  # fmt: skip
        automation.failed_runs(context)
    (line,) = (project.home.path / "failures.jsonl").read_text().splitlines()
    found = json.loads(line)
    assert (found["corpus"], found["cost_usd"]) == ("tiny", 0.0)
    assert "seed_docs" in found["failed"]
