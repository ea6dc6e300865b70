"""Dagster's own state, in the home: opening it beside other processes, and closing runs whose process is gone.

What belongs here: what keeps that state whole. What does not: starting runs (runner.py), and runs on other machines, which
Dagster's daemon watches.
"""

import socket
from collections.abc import Iterator
from contextlib import contextmanager

import alembic.util
import dagster as dg
import filelock
import psutil
import sqlalchemy.exc
from dagster._core.storage.runs import SqliteRunStorage

from relabel_assets.errors import WarehouseError
from relabel_assets.home import Home

HOST_TAG, PROCESS_TAG = "relabel/host", "relabel/process"
_BEGUN = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
UNUSABLE = (OSError, sqlalchemy.exc.DBAPIError, alembic.util.CommandError)  # what damaged or unwritable state raises
_OPENING_S = 120
_SAME_PROCESS_S = 5  # a run begins after its process; clocks and boot times are rounded


def open_instance(home: Home) -> dg.DagsterInstance:
    """The Dagster instance of `home`, to be used in a `with`; one process at a time gets through here, because two that
    begin the same SQLite files at once leave each with two schema versions, which Dagster then refuses for ever.

    Raises one of UNUSABLE where the files cannot be read or written.
    """
    with filelock.FileLock(home.dagster / "opening.lock", timeout=_OPENING_S):
        return dg.DagsterInstance.from_config(str(home.dagster))


@contextmanager
def usable_instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of `home`, for the length of a `with`.

    Raises WarehouseError where its files cannot be read or written, now or while it is used.
    """
    try:
        with open_instance(home) as instance:
            yield instance
    except UNUSABLE as error:
        said = str(error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error).rstrip(".")
        raise WarehouseError(
            f"Dagster's state in {home.dagster} cannot be used: {said}. Make room, or set RELABEL_HOME to a folder you "
            "may write to; a damaged folder can be moved away, it holds runs and no rows. What was finished is kept."
        ) from error


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The runs of this machine that Dagster holds for running, and whose process is not there.

    A run of `relabel run` carries its host. One that the UI or `dagster` started says only its process: it is of this
    machine where Dagster's state is, in SQLite.
    """
    is_local = isinstance(instance.run_storage, SqliteRunStorage)
    found = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_BEGUN)):
        run, began_s = record.dagster_run, record.start_time or record.create_timestamp.timestamp()
        host = run.tags.get(HOST_TAG)
        if host != socket.gethostname() if host else not is_local:
            continue
        process = run.tags.get(PROCESS_TAG) or _process_in_log(instance, run.run_id)
        if process is not None and not _is_alive(int(process), began_s):
            found.append(run)
    return found


def bury(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Mark a dead run as failed, and free what it held of a pool."""
    instance.report_run_failed(run, "Its process ended before it did: killed, or the machine went down.")
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def bury_dead_runs(instance: dg.DagsterInstance) -> None:
    for run in dead_runs(instance):
        bury(instance, run)


def _process_in_log(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """The process that the run's executor said it is; None where the run did not get so far."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        pid = entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if pid is not None:
            return str(pid.value)
    return None


def _is_alive(process: int, began_s: float) -> bool:
    """Whether `process` runs, and is not another that was given its number after the run began."""
    try:
        found = psutil.Process(process)
        return found.status() != psutil.STATUS_ZOMBIE and found.create_time() < began_s + _SAME_PROCESS_S
    except psutil.Error:
        return False
