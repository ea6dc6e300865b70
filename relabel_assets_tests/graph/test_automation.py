"""Sensors and schedules: off until turned on, started by content and not by clocks, on a real Dagster instance."""

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from relabel_assets.definitions import build_definitions
from relabel_assets.graph import automation, partitions
from relabel_assets.running import runner
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import write_corpus


def look(instance: dg.DagsterInstance, cursor: str | None) -> tuple[dict[str, str], str]:
    """One tick of the sensor on folders, and what the daemon does with its result: what changed, and the cursor."""
    project, _ = runner.from_environment()
    context = dg.build_sensor_context(instance=instance, cursor=cursor, resources={"project": project})
    result = partitions.corpus_folders(context)
    assert isinstance(result, dg.SensorResult) and result.cursor and not result.run_requests
    for request in result.dynamic_partitions_requests or []:
        instance.add_dynamic_partitions("corpus", list(request.partition_keys))
    for event in result.asset_events or []:
        instance.report_runless_asset_event(event)
    return {
        str(event.partition): event.tags["dagster/data_version"] for event in result.asset_events or []
    }, result.cursor


def run(instance: dg.DagsterInstance, name: str = "label_corpus") -> None:
    job = build_definitions().resolve_job_def(name)
    assert job.execute_in_process(instance=instance, partition_key="tiny").success


def test_content_makes_a_folder_another_and_neither_a_touch_nor_a_move_through_time(home: Path) -> None:
    folder = home / "data" / "tiny"
    with dg.DagsterInstance.ephemeral() as instance:
        first, cursor = look(instance, None)
        assert set(first) == {"tiny"} == set(instance.get_dynamic_partitions("corpus"))
        os.utime(folder / "queries.jsonl", (1, 1))
        touched, cursor = look(instance, cursor)
        assert touched == {}
        before = (folder / "corpus.yaml").read_text()
        (folder / "corpus.yaml").write_text("student: {epochs: 0}\n")
        write_corpus(home / "data" / "later")
        second, cursor = look(instance, cursor)
        assert set(second) == {"later", "tiny"} and second["tiny"] != first["tiny"]
        (folder / "corpus.yaml").write_text(before)
        third, _ = look(instance, cursor)
        assert third == first  # back to what it was once: that is a change too


def test_what_changes_while_a_run_is_at_work_is_noted_after_it(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        _, cursor = look(instance, None)
        (home / "data" / "tiny" / "corpus.yaml").write_text("student: {epochs: 0}\n")
        job = build_definitions().resolve_job_def("label_corpus")
        at_work = instance.create_run_for_job(
            job, status=dg.DagsterRunStatus.STARTED, tags={"dagster/partition": "tiny"}
        )
        during, cursor = look(instance, cursor)
        instance.report_run_canceled(at_work)
        after, _ = look(instance, cursor)
        assert (set(during), set(after)) == (set(), {"tiny"})


def test_a_changed_folder_asks_for_one_run_of_all_that_follows_and_no_second(home: Path) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        definitions, asked = build_definitions(), list[set[str]]()

        def tick(cursor: Any) -> Any:
            found = dg.evaluate_automation_conditions(defs=definitions, instance=instance, cursor=cursor)
            asked.append({name for name in TABLES if found.get_requested_partitions(dg.AssetKey(name))})
            return found.cursor

        automation_cursor = tick(None)
        _, cursor = look(instance, None)
        automation_cursor = tick(automation_cursor)  # a new corpus: everything
        run(instance)
        automation_cursor = tick(automation_cursor)  # what the run itself made asks for nothing
        (home / "data" / "tiny" / "corpus.yaml").write_text("student: {epochs: 0}\nreference: {kind: adjudicated}\n")
        look(instance, cursor)
        automation_cursor = tick(automation_cursor)
        automation_cursor = tick(automation_cursor)
        run(instance)
        automation_cursor = tick(automation_cursor)
        run(instance, "refresh_labels")  # a night in which nothing changed
        tick(automation_cursor)
    assert asked == [set(), set(TABLES), set(), set(TABLES), set(), set(), set()]


def test_schedules_ask_for_every_corpus(home: Path) -> None:
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        instance.add_dynamic_partitions("corpus", ["one", "two"])
        for schedule in automation.SCHEDULES:
            found = list(schedule(dg.build_schedule_context(instance=instance)))
            assert [request.partition_key for request in found] == ["one", "two"]


@pytest.mark.parametrize(
    ("setting", "said"),
    [("", "{'STOPPED'}"), ("off", "{'STOPPED'}"), ("on", "{'RUNNING'}"), ("yes", "It is on or off")],
)
def test_one_line_turns_it_on(home: Path, setting: str, said: str) -> None:
    code = (
        "from relabel_assets import automation as a; "
        "print({s.default_status.value for s in [*a.SENSORS, *a.SCHEDULES]})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"RELABEL_AUTOMATION": setting}, capture_output=True, text=True, check=False
    )  # fmt: skip
    assert said in done.stdout + done.stderr


def test_labels_are_refreshed_without_a_student(home: Path) -> None:
    graph = build_definitions().resolve_asset_graph()
    chosen = {key.to_user_string() for key in automation.REFRESH_LABELS.selection.resolve(graph)}
    assert chosen == {"seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels"}
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    assert {name for name, node in nodes.items() if node.automation_condition} == set(TABLES)
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
