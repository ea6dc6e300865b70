"""Differences between two versions of a partition."""

import polars as pl
import pytest

from relabel_assets.graph.forecast import Changes, Forecast, changes_between
from relabel_assets.tables.tables import TABLES


def labels(*rows: tuple[str, int], latency_s: float = 1.0) -> pl.DataFrame:
    names = [name for name in TABLES["teacher_labels"].schema.column_names() if name != "corpus"]
    values = [
        {"query_id": query_id, "doc_id": "d", "grade": grade, "latency_s": latency_s}
        for query_id, grade in rows
    ]
    return pl.DataFrame([{name: row.get(name) for name in names} for row in values])


def test_added_changed_and_removed_rows_are_counted() -> None:
    before, after = labels(("q1", 1), ("q2", 1), ("q3", 1)), labels(("q2", 1), ("q3", 2), ("q4", 1))
    table = TABLES["teacher_labels"]
    assert changes_between(table, before, after) == Changes(added=1, changed=1, removed=1)


def test_latency_is_not_a_change() -> None:
    before, after = labels(("q1", 1)), labels(("q1", 1), latency_s=9.0)
    assert changes_between(TABLES["teacher_labels"], before, after) == Changes(0, 0, 0)


@pytest.mark.parametrize(
    ("changes", "is_certain"),
    [
        (None, False),
        (Changes(0, 0, 0), False),
        (Changes(0, 0, 3), False),
        (Changes(1, 1, 0, is_upper_bound=True), False),
        (Changes(0, 1, 0), True),
        (Changes(1, 0, 0), True),
    ],
)
def test_a_change_is_certain_if_at_least_one_row_is_added_or_changed(
    changes: Changes | None, is_certain: bool
) -> None:
    assert Forecast(changes).is_certain_change is is_certain
