"""Sensors, schedules and the automation condition on a real Dagster instance."""

import json
from pathlib import Path
from typing import Any

import dagster as dg

from relabel_assets.definitions import build_definitions
from relabel_assets.graph import automation
from relabel_assets.graph.project import Project
from relabel_assets.running import runner
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.graph.sensor_ticks import look_at_folders


def run(instance: dg.DagsterInstance, name: str = "label_corpus") -> None:
    job = build_definitions(Project.from_environment()).resolve_job_def(name)
    assert job.execute_in_process(instance=instance, partition_key="tiny").success


def test_a_changed_folder_requests_all_tables_once(
    home: Path,
) -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        definitions, requested_tables = (
            build_definitions(Project.from_environment()),
            list[set[str]](),
        )

        def tick(cursor: Any) -> Any:
            result = dg.evaluate_automation_conditions(
                defs=definitions, instance=instance, cursor=cursor
            )
            requested_tables.append(
                {name for name in TABLES if result.get_requested_partitions(dg.AssetKey(name))}
            )
            return result.cursor

        automation_cursor = tick(None)
        _, cursor = look_at_folders(instance, None)
        automation_cursor = tick(automation_cursor)  # a new corpus: everything
        run(instance)
        automation_cursor = tick(automation_cursor)  # the tables of the run itself request nothing
        (home / "data" / "tiny" / "corpus.yaml").write_text(
            "student: {epochs: 0}\nreference: {kind: adjudicated}\n"
        )
        look_at_folders(instance, cursor)
        automation_cursor = tick(automation_cursor)
        automation_cursor = tick(automation_cursor)
        run(instance)
        automation_cursor = tick(automation_cursor)
        run(instance, "refresh_labels")  # a night in which nothing changed
        tick(automation_cursor)
    assert requested_tables == [set(), set(TABLES), set(), set(TABLES), set(), set(), set()]


def test_schedules_request_a_run_of_every_corpus(home: Path) -> None:
    with dg.DagsterInstance.local_temp(str(home)) as instance:
        instance.add_dynamic_partitions("corpus", ["one", "two"])
        for schedule in automation.schedules("off"):
            requests = list(schedule(dg.build_schedule_context(instance=instance)))
            assert [request.partition_key for request in requests] == ["one", "two"]


def test_refresh_labels_trains_no_student(home: Path) -> None:
    graph = build_definitions(Project.from_environment()).resolve_asset_graph()
    chosen = {key.to_user_string() for key in automation.REFRESH_LABELS.selection.resolve(graph)}
    assert chosen == {
        "seed_docs",
        "synthetic_queries",
        "reference_labels",
        "bm25_candidates",
        "teacher_labels",
    }
    nodes = {key.to_user_string(): graph.get(key) for key in graph.get_all_asset_keys()}
    assert {name for name, node in nodes.items() if node.automation_condition} == set(TABLES)
    assert {pool for node in nodes.values() for pool in node.pools} == {"teacher", "student"}


def test_a_failed_run_is_reported_with_its_steps_and_cost(home: Path) -> None:
    (home / "data" / "tiny" / "documents.jsonl").write_text("")
    project, _ = runner.from_environment()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("corpus", ["tiny"])
        job = build_definitions(project).resolve_job_def("refresh_labels")
        result = job.execute_in_process(
            instance=instance, partition_key="tiny", raise_on_error=False
        )
        assert not result.success
        event = next(
            event for event in result.all_events if event.event_type_value == "PIPELINE_FAILURE"
        )
        context = dg.build_run_status_sensor_context(
            sensor_name="failed_runs",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=result.dagster_run,
            resources={"project": project},
        ).for_run_failure()
        (sensor,) = (each for each in automation.sensors("off") if each.name == "failed_runs")
        sensor(context)
    (line,) = (project.home.path / "failures.jsonl").read_text().splitlines()
    failure = json.loads(line)
    assert (failure["corpus"], failure["cost_usd"]) == ("tiny", 0.0)
    assert "seed_docs" in failure["failed"]
