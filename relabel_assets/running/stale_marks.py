"""The mark "Unsynced" of a table in the UI's graph, from the last result of its check is_up_to_date.

What belongs here: that mark, in the web server's process. What does not: the check (graph/checks/), and
the server (web_server.py).

Dagster has such a mark, and computes it for one partition at a time: for a table with partitions as a
whole it always answers "fresh". It would also mark a table whose folder changed in a file that the table
does not read.
"""

from collections.abc import Sequence
from typing import Any

import dagster as dg
from dagster._core.definitions.data_version import (
    CachingStaleStatusResolver,
    StaleCause,
    StaleCauseCategory,
    StaleStatus,
)
from dagster._core.definitions.events import AssetKeyPartitionKey

from relabel_assets.graph.partitions import UP_TO_DATE


def add_stale_marks() -> None:
    """From now on, this process answers for a table as a whole as its check is_up_to_date does."""
    get_status = CachingStaleStatusResolver.get_status
    get_causes = CachingStaleStatusResolver.get_stale_root_causes

    def status(self: Any, key: dg.AssetKey, partition_key: str | None = None) -> StaleStatus:
        if partition_key is None and out_of_date(self._instance, key):
            return StaleStatus.STALE
        return get_status(self, key, partition_key)

    def causes(
        self: Any, key: dg.AssetKey, partition_key: str | None = None
    ) -> Sequence[StaleCause]:
        reason = out_of_date(self._instance, key) if partition_key is None else None
        if reason is None:
            return get_causes(self, key, partition_key)
        return [StaleCause(AssetKeyPartitionKey(key, None), StaleCauseCategory.DATA, reason)]

    CachingStaleStatusResolver.get_status = status  # type: ignore[method-assign]
    CachingStaleStatusResolver.get_stale_root_causes = causes  # type: ignore[method-assign]


def out_of_date(instance: dg.DagsterInstance, table: dg.AssetKey) -> str | None:
    """The reason why the check is_up_to_date of `table` failed the last time; None if it passed."""
    key = dg.AssetCheckKey(table, UP_TO_DATE)
    records = instance.event_log_storage.get_asset_check_execution_history(key, limit=5)
    evaluations = (record.evaluation for record in records)
    last = next((evaluation for evaluation in evaluations if evaluation), None)
    return (last.description or "out of date") if last and not last.passed else None
