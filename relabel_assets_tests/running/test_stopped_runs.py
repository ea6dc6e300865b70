"""What a stop leaves behind in Dagster, and what the next run makes of it."""

import os
import threading
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from relabel_assets import stopping
from relabel_assets.running import runner
from relabel_assets.running.dagster_state import (
    cancelled_when_stopped,
    close_dead_runs,
    open_instance,
    unrecorded_tables,
)
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.running.homes import use_copy
from relabel_assets_tests.upkeep.killed_runs import ended_process, started_run

TABLES = ["seed_docs", "synthetic_queries"]


def statuses(home: Path) -> list[str]:
    project, _ = runner.from_environment()
    with open_instance(project.home) as instance:
        return [run.status.value for run in instance.get_runs()]


def test_rows_that_a_stop_left_red_are_kept_and_recorded(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, warehouse = runner.from_environment()
    commit = Warehouse.replace

    def commit_and_stop(*arguments: Any, **options: Any) -> None:
        commit(*arguments, **options)
        raise KeyboardInterrupt  # Dagster has no record of the rows

    with monkeypatch.context() as patch:
        patch.setattr(Warehouse, "replace", commit_and_stop)
        with pytest.raises(KeyboardInterrupt):
            runner.bring_up_to_date(project, warehouse, "tiny", TABLES)
    receipt = warehouse.receipts()["tiny", "seed_docs"]
    with open_instance(project.home) as instance:
        assert unrecorded_tables(instance, "tiny", TABLES) == TABLES
    outcome = runner.bring_up_to_date(project, warehouse, "tiny", TABLES)
    assert outcome and outcome.is_success
    assert warehouse.receipts()["tiny", "seed_docs"] == receipt
    with open_instance(project.home) as instance:
        assert unrecorded_tables(instance, "tiny", TABLES) == []
    assert runner.bring_up_to_date(project, warehouse, "tiny", TABLES) is None


@pytest.mark.parametrize("is_dropped", [True, False])
def test_a_run_is_canceled_by_a_stop_even_if_dagster_drops_it(
    home: Path, monkeypatch: pytest.MonkeyPatch, is_dropped: bool
) -> None:
    project, _ = runner.from_environment()
    run = started_run("6f3c1d2e-0000-4000-8000-000000000001", os.getpid())
    requested = threading.Event()
    requested.set()
    with open_instance(project.home) as instance:
        instance.add_run(run)
        with pytest.raises(KeyboardInterrupt), cancelled_when_stopped(instance, run.run_id):
            if not is_dropped:
                raise dg.DagsterExecutionInterruptedError
            monkeypatch.setattr(stopping, "_requested", requested)
    assert statuses(home) == ["CANCELED"]


@pytest.mark.parametrize(("is_marked", "status"), [(True, "CANCELED"), (False, "FAILURE")])
def test_a_dead_run_was_canceled_if_its_command_was_stopped(
    home: Path, is_marked: bool, status: str
) -> None:
    project, _ = runner.from_environment()
    process = ended_process()
    with open_instance(project.home) as instance:
        instance.add_run(started_run("6f3c1d2e-0000-4000-8000-000000000002", process))
        if is_marked:
            project.home.stopped.mkdir()
            (project.home.stopped / str(process)).touch()
        close_dead_runs(instance, project.home)
    assert statuses(home) == [status]
    assert not project.home.stopped.exists()


def test_a_table_of_a_run_in_progress_is_not_due(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_copy(monkeypatch, finished_home.parent, tmp_path)
    project, _ = runner.from_environment()
    run = started_run("6f3c1d2e-0000-4000-8000-000000000003", os.getpid())
    with open_instance(project.home) as instance:
        instance.add_run(run)
        planned = dg.DagsterEvent(
            event_type_value=dg.DagsterEventType.ASSET_MATERIALIZATION_PLANNED.value,
            job_name=run.job_name,
            event_specific_data=planned_data("seed_docs"),
        )
        instance.report_dagster_event(planned, run.run_id)
        assert unrecorded_tables(instance, "tiny", TABLES) == []
        instance.report_run_canceled(run)
        assert unrecorded_tables(instance, "tiny", TABLES) == ["seed_docs"]


def planned_data(table: str) -> object:
    from dagster._core.events import AssetMaterializationPlannedData

    return AssetMaterializationPlannedData(dg.AssetKey(table), partition="tiny")
