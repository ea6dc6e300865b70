"""Dagster's state in RELABEL_HOME: opening it safely, and marking dead runs as failed.

What belongs here: keeping that state usable. What does not: starting runs (runner.py), and runs on
other machines, which Dagster's daemon watches.
"""

import errno
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
from relabel_assets.intake.text import one_line

HOST_TAG, PROCESS_TAG = "relabel/host", "relabel/process"
# The statuses of a run that has a process; a queued run has none yet.
_UNFINISHED = [
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
    dg.DagsterRunStatus.CANCELING,
]
# The errors that damaged or unwritable state raises while it is used.
_UNUSABLE = (OSError, sqlalchemy.exc.DBAPIError, alembic.util.CommandError)
_LONGEST_CAUSE = 300  # characters: some messages of Dagster dump a whole schema
# Dagster creates its files within seconds, so many processes can queue for two minutes.
_OPENING_S = 120
# A process starts before its run. Its start time is rounded and depends on the boot time:
# 5 s cover that error.
_CLOCK_ERROR_S = 5


def open_instance(home: Home) -> dg.DagsterInstance:
    """The Dagster instance of `home`, to be used in a `with`.

    Serialised by a lock: two processes that create Dagster's SQLite files at once write two schema
    versions, and Dagster then never opens them again.

    Raises WarehouseError where the files cannot be read or written, whatever Dagster raises then.
    """
    settings = home.dagster / "dagster.yaml"
    try:
        if settings.is_fifo():  # Dagster would wait for its writer for ever
            raise OSError(errno.EINVAL, "it is a pipe", str(settings))
        with filelock.FileLock(home.dagster / "opening.lock", timeout=_OPENING_S):
            return dg.DagsterInstance.from_config(str(home.dagster))
    except Exception as error:  # dagster.yaml may name any storage, and each has errors of its own
        raise _unusable(home, error) from error


@contextmanager
def usable_instance(home: Home) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of `home`, for the length of a `with`.

    Raises WarehouseError where its files cannot be read or written, now or while it is used.
    """
    try:
        with open_instance(home) as instance:
            yield instance
    except _UNUSABLE as error:
        raise _unusable(home, error) from error


def _unusable(home: Home, error: Exception) -> WarehouseError:
    cause: object = error.orig if isinstance(error, sqlalchemy.exc.DBAPIError) else error
    if isinstance(error, dg.DagsterInvalidConfigError) and error.errors:
        cause = error.errors[0].message  # the whole text begins with a dump of the schema
    message = one_line(str(cause)[:_LONGEST_CAUSE]).rstrip(".")
    return WarehouseError(
        f"Dagster's state in {home.dagster} cannot be used: {message}. Make room, or set "
        "RELABEL_HOME to a folder you may write to. A damaged folder can be moved away: it "
        "holds runs and no rows. Finished tables are kept."
    )


def dead_runs(instance: dg.DagsterInstance) -> list[dg.DagsterRun]:
    """The unfinished runs of this machine whose process has ended.

    A run of `relabel run` is tagged with its host. A run of the UI or of `dagster` has no host: it
    counts as this machine's if Dagster's state is in SQLite, which only one machine uses.
    """
    is_local = isinstance(instance.run_storage, SqliteRunStorage)
    dead = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED)):
        run = record.dagster_run
        began_s = record.start_time or record.create_timestamp.timestamp()
        host = run.tags.get(HOST_TAG)
        is_own = host == socket.gethostname() if host else is_local
        if not is_own:
            continue
        process = run.tags.get(PROCESS_TAG) or _process_in_log(instance, run.run_id)
        if process is not None and not _is_alive(int(process), began_s):
            dead.append(run)
    return dead


def mark_failed(instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    """Mark a dead run as failed, and free its slots in pools."""
    instance.report_run_failed(
        run, "Its process ended before the run did: it was killed, or the machine went down."
    )
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def mark_dead_runs_failed(instance: dg.DagsterInstance) -> None:
    """Mark every dead run of this machine as failed."""
    for run in dead_runs(instance):
        mark_failed(instance, run)


def _process_in_log(instance: dg.DagsterInstance, run_id: str) -> str | None:
    """The process id that the run's executor logged; None where the run was killed before that."""
    for entry in instance.all_logs(run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        pid = entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if pid is not None:
            return str(pid.value)
    return None


def _is_alive(process: int, began_s: float) -> bool:
    """Whether `process` still runs and began before the run. A later process may reuse its number."""
    try:
        candidate = psutil.Process(process)
        is_running = candidate.status() != psutil.STATUS_ZOMBIE
        return is_running and candidate.create_time() < began_s + _CLOCK_ERROR_S
    except psutil.Error:
        return False
