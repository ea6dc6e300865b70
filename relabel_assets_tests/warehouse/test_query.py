"""Queries that somebody typed: what is refused, what is bounded, and what a result may hold."""

import os
import pty
import signal
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import psutil
import pytest

from relabel_assets.cli.printing.output_frames import print_frame, write_frame
from relabel_assets.errors import WarehouseError
from relabel_assets.warehouse import query as query_module
from relabel_assets.warehouse.query import read_only
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.warehouse.rows import HASH, labels

pytestmark = pytest.mark.slow


@pytest.fixture
def file(warehouse: Warehouse) -> Path:
    warehouse.replace("student_labels", "c", labels("q1"), input_hash=HASH)
    return warehouse.replica


def read(file: Path, sql: str) -> pl.DataFrame:
    return read_only(file, sql, remedy="Copy it again.")


@pytest.mark.parametrize(
    "statement",
    [
        "call enable_logging()",
        "from enable_logging()",
        "pragma enable_verification",
        "set threads = 1",
        "begin",
        "checkpoint",
        "load httpfs",
        "update extensions",
        "use memory",
        "import database 'x'",
        "execute x",
        "prepare x as select 1",
        "create temp table x as select 1",
        "explain analyze delete from seed_docs",
        "with gone as (delete from seed_docs returning *) from gone",
        "from '/etc/passwd'",
        "from glob('/*')",
        "from query('delete from seed_docs')",
        "-- no statement",
    ],
)
def test_whatever_is_not_one_query_is_refused(file: Path, statement: str) -> None:
    before = file.read_bytes()
    with pytest.raises(
        WarehouseError, match=r"can only read the labels|does not exist|locked|SELECT"
    ):
        read(file, statement)
    assert file.read_bytes() == before
    assert sorted(path.name for path in file.parent.iterdir()) == sorted(
        ["labels.duckdb", "parquet", "warehouse.duckdb", "warehouse.duckdb.lock"]
    )


def test_two_statements_are_refused_and_a_pivot_is_one_query(file: Path) -> None:
    with pytest.raises(WarehouseError, match="more than one statement"):
        read(file, "select 1; select 2")
    pivoted = read(file, "pivot (select query_id, grade from student_labels) on grade")
    assert pivoted.columns == ["query_id", "2"]


def test_a_name_of_this_program_is_no_table(file: Path) -> None:
    frame = pl.DataFrame({"a": [1]})
    with pytest.raises(WarehouseError, match="frame does not exist"):
        read(file, "from frame")
    assert frame.height == 1


@pytest.mark.parametrize(
    "value",
    [
        "interval 1 day",
        "340282366920938463463374607431768211455::uhugeint",  # Polars reads it as -1
        "timetz '12:00:00+01'",  # Polars loses the offset
        "union_value(number := 2)",
        "map {'a': 1}",
        "'101'::bit",
        "['x'::blob]",
        "{'a': interval 1 day}",
    ],
)
def test_a_type_that_a_format_would_lose_is_refused_by_name(file: Path, value: str) -> None:
    with pytest.raises(WarehouseError, match=r"column v is .* Cast it to varchar"):
        read(file, f"select {value} as v")
    assert read(file, f"select ({value})::varchar as v").height == 1


@pytest.mark.parametrize(
    ("value", "is_read"),
    [
        ("date '9999-12-30'", True),
        ("date '0001-01-02'", True),
        ("date '10000-01-02'", False),
        ("date '0044-03-15 (BC)'", False),
        ("'infinity'::date", False),
        ("'-infinity'::timestamp", False),
        ("timestamp_s '290000-01-01'", False),
        ("['infinity'::timestamptz]", False),
        ("{'day': ['infinity'::date]}", False),
    ],
)
def test_a_date_that_python_lacks_is_refused(file: Path, value: str, is_read: bool) -> None:
    if is_read:
        assert read(file, f"select {value} as v").height == 1
        return
    with pytest.raises(WarehouseError, match="column v has a date outside the years 1 to 9999"):
        read(file, f"select {value} as v")


@pytest.mark.parametrize("chosen", ["table", "csv", "json", "parquet"])
def test_every_other_type_is_printed_and_written_in_every_format(
    file: Path, tmp_path: Path, chosen: str
) -> None:
    frame = read(
        file,
        """select 170141183460469231731687303715884105727 as huge, uuid() as id, 1.5::decimal(38, 10) as sum,
        'a'::enum('a', 'b') as choice, time '12:00' as at, [[1, null]] as nested, [1, 2]::int[2] as two,
        {'day': date '2024-02-29'} as day, row(1, 'x') as tuple, null as nothing, [] as empty,
        timestamp_ns '2024-01-01 00:00:00.123456789' as ns, 1 as a, 2 as a, 'x' || chr(0) as nul,
        '{"a": 1}'::json, 'nan'::double as nan""",
    )
    assert frame.columns[12:14] == ["a", "a_1"]
    if chosen != "parquet":
        print_frame(frame, chosen)
    if chosen != "table":
        write_frame(frame, chosen, tmp_path / "out")
        assert (tmp_path / "out").stat().st_size


def test_a_result_over_the_limit_is_refused(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(query_module, "MAX_RESULT_BYTES", 1_000_000)
    assert read(file, "from range(100000)").height == 100_000
    with pytest.raises(WarehouseError, match="Select fewer rows"):
        read(file, "from range(1000000000000)")


def test_texts_that_are_too_long_for_one_batch_are_refused(file: Path) -> None:
    with pytest.raises(WarehouseError, match="too long together"):
        read(file, "select repeat('x', 100000000) from range(100)")


def test_a_query_over_the_memory_limit_is_refused(
    file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {**query_module._SETTINGS, "memory_limit": "100MB", "max_temp_directory_size": "1MB"}
    monkeypatch.setattr(query_module, "_SETTINGS", settings)
    with pytest.raises(WarehouseError, match="GiB of memory"):
        read(file, "select list(range) from range(100000000)")


def test_a_crash_of_duckdb_is_a_message(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    crashing = tmp_path / "child.py"
    crashing.write_text("import os\nos.abort()\n")
    monkeypatch.setattr(query_module, "CHILD", crashing)
    with pytest.raises(WarehouseError, match=r"SIGABRT.*Copy it again"):
        read(file, "select 1")


def test_ctrl_c_ends_a_query_that_never_ends(file: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from relabel_assets.warehouse.query import read_only\n"
        "print('started', flush=True)\n"
        "read_only(Path(sys.argv[1]), 'with recursive t as (select 1 as n union all select n + 1 from t)"
        " select max(n) from t', remedy='')"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code, str(file)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        time.sleep(2)  # the query is running; earlier, Ctrl-C would end something else
        os.killpg(process.pid, signal.SIGINT)
        _, stderr = process.communicate(timeout=30)
    assert b"KeyboardInterrupt" in stderr


def test_control_characters_reach_a_pipe_and_no_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    frame = pl.DataFrame({"title": ["red \x1b[31m"]})
    print_frame(frame, "csv")
    assert "\x1b" in capsys.readouterr().out
    print_frame(frame, "table")
    assert "\x1b" not in capsys.readouterr().out
    reader, writer = pty.openpty()
    with os.fdopen(writer, "w", encoding="utf-8") as terminal:
        monkeypatch.setattr(sys, "stdout", terminal)
        print_frame(frame, "csv")
        terminal.flush()
        printed = os.read(reader, 1000)
    os.close(reader)
    assert b"red \\x1b[31m" in printed


@pytest.mark.parametrize(("stop", "code"), [(signal.SIGKILL, -9), (signal.SIGTERM, 130)])
def test_the_process_of_a_query_ends_with_a_killed_command(
    file: Path, monkeypatch: pytest.MonkeyPatch, stop: signal.Signals, code: int
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(file.parent))
    endless = "select sum(hash(a.range, b.range)) from range(1000000000) a, range(1000000000) b"
    command = [sys.executable, "-m", "relabel_assets.cli.main", "sql", endless]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as parent:
        started = psutil.Process(parent.pid)
        until = time.monotonic() + 60
        while len(children := started.children(recursive=True)) < 2 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(1)
        parent.send_signal(stop)
        assert parent.wait(30) == code
    assert psutil.wait_procs(children, 30)[1] == []
