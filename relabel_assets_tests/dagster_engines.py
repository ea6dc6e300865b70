"""Dagster's SQLite files in tests: one engine a file, and no wait for the disk.

What belongs here: making Dagster's own storage quicker. What does not: any other behaviour of it.

Dagster creates an engine for every connection, and each engine compiles every statement again: a quarter
of the time of a run of the corpus `tiny`. Waiting for the disk protects from a power cut, which no test has;
a killed process loses nothing without it.
"""

from functools import lru_cache
from typing import Any


def use_one_engine_a_file() -> None:
    """Let Dagster's SQLite storages of this process share engines. Other processes are as they are."""
    from dagster._core.storage.event_log.sqlite import sqlite_event_log
    from dagster._core.storage.runs.sqlite import sqlite_run_storage
    from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage

    for storage in (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage):
        storage.create_engine = _create_engine  # type: ignore[attr-defined]


def _create_engine(url: str, **settings: Any) -> Any:
    return _engine(url, (settings.get("connect_args") or {}).get("timeout", 5.0))


@lru_cache(maxsize=32)  # each run has a file of its own
def _engine(url: str, timeout_s: float) -> Any:
    import sqlalchemy
    from sqlalchemy.pool import NullPool

    engine = sqlalchemy.create_engine(url, poolclass=NullPool, connect_args={"timeout": timeout_s})

    @sqlalchemy.event.listens_for(engine, "connect")
    def _do_not_wait(connection: Any, record: Any) -> None:
        connection.execute("pragma synchronous = off")

    return engine
