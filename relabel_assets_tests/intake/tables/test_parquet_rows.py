"""Parquet rows, read by a process of its own: cells, refused columns, damage, limits."""

import datetime as dt
import io
import os
import signal
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables import limited_rows as module
from relabel_assets.intake.tables import parquet_rows as parquet
from relabel_assets.intake.tables.parquet_rows import parquet_rows


def read(
    tmp_path: Path, table: pa.Table | bytes, wanted: Sequence[str] = ("id", "at")
) -> list[Any]:
    file = tmp_path / "rows.parquet"
    if isinstance(table, bytes):
        file.write_bytes(table)
    else:
        pq.write_table(table, file)
    with file.open("rb") as opened:
        rows = list(parquet_rows(opened, lambda names: [name for name in wanted if name in names]))
    assert [number for number, _ in rows] == list(range(1, len(rows) + 1))
    return [row.message if isinstance(row, SetAside) else row for _, row in rows]


def test_cells_are_texts_and_numbers(tmp_path: Path) -> None:
    table = pa.table(
        {
            "id": pa.array(["a", "b\0c"]).dictionary_encode(),
            "other": [[1], [2]],
            "at": [dt.datetime(2026, 2, 1, 8, 30), None],
        }
    )
    assert read(tmp_path, table) == [
        {"id": "a", "at": "2026-02-01T08:30:00"},
        {"id": "b\ufffdc", "at": None},
    ]
    assert read(tmp_path, pa.table({"id": [7, 1.5]})) == [{"id": 7.0}, {"id": 1.5}]


@pytest.mark.parametrize(
    "far",
    [
        pa.scalar(2**62, pa.timestamp("us")),
        pa.scalar(2**50, pa.timestamp("s")),
        pa.scalar(2**30, pa.date32()),
    ],
)
def test_a_date_beyond_the_year_9999_costs_its_row(tmp_path: Path, far: pa.Scalar) -> None:
    moments = pa.array([far, pa.scalar(0, far.type)], far.type)
    cut, kept = read(tmp_path, pa.table({"id": ["a", "b"], "at": moments}))
    assert cut == "at is a date outside the years 1 to 9999"
    assert kept["at"].startswith("1970-01-01")


def test_a_file_of_20_000_columns_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PARSER_IDLE_S", 15)  # generous: it takes one
    columns = {f"c{number}": [1] for number in range(20_000)}
    assert read(tmp_path, pa.table({"id": ["a"], **columns})) == [{"id": "a"}]


def test_a_type_is_named_in_short(tmp_path: Path) -> None:
    table = pa.table({"id": [{f"field{number}": 1 for number in range(1000)}]})
    with pytest.raises(SetAside, match="id is struct<field0") as raised:
        read(tmp_path, table)
    assert len(raised.value.message) < 200


def test_bytes_that_are_not_utf_8_cost_nobody(tmp_path: Path) -> None:
    offsets = pa.array([0, 1, 3], pa.int32()).buffers()[1]
    ids = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"ab\xff")])
    assert read(tmp_path, pa.table({"id": ids})) == [{"id": "a"}, {"id": "b\ufffd"}]


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table([["a"], ["b"]], names=["id", "id"]), "'id' is there twice"),
        (pa.table({"id": [["a"]]}), "id is list.* not text or a number"),
        (pa.table({"id": [b"a"]}), "id is binary, not text or a number"),
        (pa.table({"id": [True]}), "id is bool, not text or a number"),
        (b"", "cannot be read as Parquet"),
        (b"PAR1" + b"\0" * 100 + b"PAR1", "cannot be read as Parquet"),
    ],
)
def test_a_file_that_cannot_be_used_is_refused(
    tmp_path: Path, table: pa.Table | bytes, message: str
) -> None:
    with pytest.raises(SetAside, match=message) as raised:
        read(tmp_path, table)
    assert raised.value.remedy


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    whole = io.BytesIO()
    pq.write_table(pa.table({"id": ["a" * 50] * 50}), whole)
    content = whole.getvalue()
    for length in range(0, len(content) - 1, len(content) // 6):
        with pytest.raises(SetAside, match="cannot be read as Parquet"):
            read(tmp_path, content[:length])


def test_a_file_that_unpacks_beyond_the_memory_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PARSER_MEMORY_BYTES", 2**30)
    table = pa.table({"id": ["x" * 2_000_000] * 1_000})  # 2 GB in a kilobyte
    with pytest.raises(SetAside, match="more than 1 GiB"):
        read(tmp_path, table)


def test_a_parser_that_is_idle_or_crashes_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    child = tmp_path / "child.py"
    monkeypatch.setattr(parquet, "_CHILD", child)
    monkeypatch.setattr(module, "PARSER_IDLE_S", 0.3)
    child.write_text("import time; time.sleep(600)")
    started = time.monotonic()
    with pytest.raises(SetAside, match=r"took more than 0\.3 s"):
        read(tmp_path, b"")
    assert time.monotonic() - started < 60
    monkeypatch.setattr(module, "PARSER_IDLE_S", 60)
    child.write_text(f"import os; os.kill(os.getpid(), {int(signal.SIGSEGV)})")
    with pytest.raises(SetAside, match="parser crashed"):
        read(tmp_path, b"")


def test_reading_only_the_first_rows_ends_the_process(tmp_path: Path) -> None:
    file = tmp_path / "rows.parquet"
    pq.write_table(pa.table({"id": ["x" * 100] * 100_000}), file)
    with file.open("rb") as opened:
        rows = parquet_rows(opened, lambda names: ["id"])
        assert next(rows)[0] == 1
        rows.close()
        assert len(list(parquet_rows(opened, lambda names: ["id"]))) == 100_000


def test_nothing_of_the_environment_is_imported_by_the_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "json.py").write_text("raise SystemExit(3)")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert read(tmp_path, pa.table({"id": ["a"]})) == [{"id": "a"}]
    assert sys.executable and os.environ["PYTHONPATH"]
