"""Dagster's state in RELABEL_HOME: opening it safely, and closing runs that were stopped or killed.

What belongs here: keeping that state usable. What does not: starting runs (runner.py), and runs on
other machines, which Dagster's daemon watches.
"""

import errno
import shutil
import socket
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import alembic.util
import dagster as dg
import filelock
import psutil
import sqlalchemy.exc
from dagster._core.event_api import PartitionKeyFilter
from dagster._core.storage.asset_check_execution_record import AssetCheckExecutionRecordStatus
from dagster._core.storage.runs import SqliteRunStorage

from relabel_assets import stopping
from relabel_assets.errors import WarehouseError
from relabel_assets.graph.checks.all_checks import ALL_CHECKS
from relabel_assets.home import Home
from relabel_assets.intake.text import one_line

# The UI hides tags with this prefix: they say nothing to a reader.
HOST_TAG, PROCESS_TAG = ".dagster/relabel_host", ".dagster/relabel_process"
# The statuses of a run that has a process; a queued run has none yet.
UNFINISHED = [
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
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        run = record.dagster_run
        began_s = record.start_time or record.create_timestamp.timestamp()
        host = run.tags.get(HOST_TAG)
        is_own = host == socket.gethostname() if host else is_local
        if not is_own:
            continue
        process = process_of(instance, run)
        if process is not None and not _is_alive(process, began_s):
            dead.append(run)
    return dead


def close_dead_run(instance: dg.DagsterInstance, run: dg.DagsterRun, home: Home) -> None:
    """Mark a dead run as canceled if it was killed after Ctrl-C, else as failed; free its slots."""
    mark = home.stopped / run.tags.get(PROCESS_TAG, "none")
    if run.status == dg.DagsterRunStatus.CANCELING or _is_of(mark, instance, run):
        instance.report_run_canceled(run, "It was stopped with Ctrl-C or SIGTERM.")
    else:
        instance.report_run_failed(
            run, "Its process ended before the run did: it was killed, or the machine went down."
        )
    instance.event_log_storage.free_concurrency_slots_for_run(run.run_id)


def close_dead_runs(instance: dg.DagsterInstance, home: Home) -> None:
    """Close every dead run of this machine."""
    for run in dead_runs(instance):
        close_dead_run(instance, run, home)
    shutil.rmtree(home.stopped, ignore_errors=True)


@contextmanager
def cancelled_when_stopped(instance: dg.DagsterInstance, run_id: str) -> Iterator[None]:
    """Within the block, Ctrl-C and SIGTERM cancel the run: Dagster alone would call it failed.

    Raises KeyboardInterrupt after a stop, also where Dagster dropped the exception.
    """

    def report_canceling() -> None:
        run = instance.get_run_by_id(run_id)
        if run and not run.is_finished:
            instance.report_run_canceling(run, "Stopped with Ctrl-C or SIGTERM.")

    try:
        with stopping.before_interrupt(report_canceling):
            yield
        stopping.check()
    except (KeyboardInterrupt, dg.DagsterExecutionInterruptedError) as stop:
        run = instance.get_run_by_id(run_id)
        if run and not run.is_finished:
            instance.report_run_canceled(run, "Stopped with Ctrl-C or SIGTERM.")
            instance.event_log_storage.free_concurrency_slots_for_run(run_id)
        raise KeyboardInterrupt from stop


def unrecorded_tables(
    instance: dg.DagsterInstance, corpus: str, tables: Sequence[str]
) -> list[str]:
    """The tables whose last attempt in Dagster has no materialization, or a check without a result.

    A stop or a crash between the commit of the rows and Dagster's record leaves them red in the UI.
    An attempt of a run that is not finished does not count.
    """
    keys = [key for checks in ALL_CHECKS for key in checks.check_keys]
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key
    planned = {
        key.asset_key.to_user_string(): record.run_id
        for key, record in latest(keys, PartitionKeyFilter(key=corpus)).items()
        if record.status == AssetCheckExecutionRecordStatus.PLANNED
    }

    def is_finished(run_id: str) -> bool:
        run = instance.get_run_by_id(run_id)
        return run is None or run.is_finished

    unrecorded = []
    for table in tables:
        attempts = _attempts_without_materialization(instance, table)
        runs = [run_id for run_id in (attempts.get(corpus), planned.get(table)) if run_id]
        if any(is_finished(run_id) for run_id in runs):
            unrecorded.append(table)
    return unrecorded


def _attempts_without_materialization(instance: dg.DagsterInstance, table: str) -> dict[str, str]:
    """The run of each partition's last attempt, where it ended without a materialization."""
    storage, key = instance.event_log_storage, dg.AssetKey(table)
    latest = storage.get_latest_asset_partition_materialization_attempts_without_materializations
    return {partition: run_id for partition, (run_id, _) in latest(key).items()}


def _is_of(mark: Path, instance: dg.DagsterInstance, run: dg.DagsterRun) -> bool:
    """Whether the mark of a stopped process is of this run's, and not of an earlier one."""
    record = instance.get_run_record_by_id(run.run_id)
    began_s = record.create_timestamp.timestamp() if record else 0.0
    return mark.exists() and mark.stat().st_mtime > began_s - _CLOCK_ERROR_S


def process_of(instance: dg.DagsterInstance, run: dg.DagsterRun) -> int | None:
    """The process id of a run: its tag, or what its executor logged. None if it was killed before that."""
    if PROCESS_TAG in run.tags:
        return int(run.tags[PROCESS_TAG])
    for entry in instance.all_logs(run.run_id, of_type=dg.DagsterEventType.ENGINE_EVENT):
        pid = entry.get_dagster_event().engine_event_data.metadata.get("pid")
        if pid is not None:
            return int(str(pid.value))
    return None


def _is_alive(process: int, began_s: float) -> bool:
    """Whether `process` still runs and began before the run. A later process may reuse its number."""
    try:
        candidate = psutil.Process(process)
        is_running = candidate.status() != psutil.STATUS_ZOMBIE
        return is_running and candidate.create_time() < began_s + _CLOCK_ERROR_S
    except psutil.Error:
        return False
