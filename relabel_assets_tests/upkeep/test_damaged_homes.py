"""Commands on a home that is unwritable, full, or left behind by a killed run."""

import os
import shutil
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from relabel_assets.errors import WarehouseError
from relabel_assets.home import Home
from relabel_assets.running.dagster_state import open_instance, usable_instance
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel
from relabel_assets_tests.upkeep.killed_runs import ended_process, started_run


@pytest.mark.parametrize(
    "file", ["labels.duckdb", "parquet/teacher_labels/corpus=tiny/rows.parquet"]
)
def test_the_next_run_publishes_what_a_killed_run_committed(own_home: Path, file: str) -> None:
    # A SIGKILL between the commit and the copies leaves the old copies, and half of a new one.
    warehouse = Warehouse.at(own_home / "warehouse.duckdb")
    behind = {
        path: path.read_bytes()
        for path in (own_home / file, *(own_home / "parquet" / "teacher_labels").rglob("*.parquet"))
    }
    receipt = warehouse.receipt("teacher_labels", "tiny")
    rows = warehouse.read("teacher_labels", "tiny").with_columns(rationale=pl.lit("again"))
    assert receipt is not None
    warehouse.replace(
        "teacher_labels", "tiny", rows, input_hash=receipt.input_hash, inputs=receipt.inputs
    )
    for path, content in behind.items():
        path.write_bytes(content)
        path.with_name(f".{path.name}.half").write_bytes(content[:100])
    assert "problem  copies for readers" in relabel("doctor").stdout
    assert relabel("run", "-s", "teacher_labels").returncode == 0
    assert not list(own_home.rglob("*.half"))
    query = "select count(*) from teacher_labels where rationale = 'again'"
    assert warehouse.read_replica(query).item() == rows.height
    assert pl.read_parquet(own_home / "parquet" / "teacher_labels" / "**" / "*.parquet")[
        "rationale"
    ].unique().to_list() == ["again"]


@pytest.mark.parametrize("words", [("run",), ("plan",), ("doctor",), ("metrics",), ("ui",)])
def test_every_command_reports_a_home_that_cannot_be_created(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]
) -> None:
    (tmp_path / "file").touch()
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "file" / "home"))
    done = relabel(*words)
    assert (done.returncode, "RELABEL_HOME cannot be created" in done.stderr) == (6, True), (
        done.stderr
    )


@pytest.mark.parametrize(
    ("lock", "words"),
    [
        ("warehouse.duckdb.lock", ("run",)),
        ("warehouse.duckdb.lock", ("plan",)),
        ("dagster/opening.lock", ("run", "--force")),
        ("dagster/opening.lock", ("run",)),
        ("dagster/opening.lock", ("metrics",)),
        ("dagster/opening.lock", ("ui",)),
    ],
)
def test_a_read_only_home_is_reported_and_not_changed(
    own_home: Path, lock: str, words: tuple[str, ...]
) -> None:
    (own_home / lock).unlink(missing_ok=True)
    (
        own_home / lock
    ).mkdir()  # no process can take this lock, not even root, as on a read-only disk
    before = (own_home / "warehouse.duckdb").read_bytes()
    done = relabel(*words)
    assert (
        done.returncode,
        "Set RELABEL_HOME to a folder you may write to" in done.stderr.replace("set RE", "Set RE"),
    ) == (6, True)
    assert "Traceback" not in done.stderr
    assert (own_home / "warehouse.duckdb").read_bytes() == before


def test_a_run_does_not_start_on_a_full_disk(
    own_home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = shutil.disk_usage(own_home)._replace(free=1_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    before = (own_home / "warehouse.duckdb").read_bytes()
    done = relabel("run", "--force")
    assert (done.returncode, "Make room" in done.stderr) == (6, True), done.stderr
    assert (own_home / "warehouse.duckdb").read_bytes() == before


def test_a_run_with_nothing_to_do_marks_a_killed_run_as_failed(own_home: Path) -> None:
    run = started_run("0" * 32, ended_process())
    with open_instance(Home(own_home)) as instance:
        instance.add_run(run)
    done = relabel("run")
    assert (done.returncode, "up to date" in done.stdout) == (0, True), done.stdout + done.stderr
    with open_instance(Home(own_home)) as instance:
        stored_run = instance.get_run_by_id(run.run_id)
        assert stored_run is not None
        assert stored_run.status == dg.DagsterRunStatus.FAILURE


@pytest.mark.parametrize(
    "content",
    [
        b"a: [b",
        b"nonsense: 1",
        b"\xff\x00",
        b"- 1",
        b"run_storage: {module: no_such_module, class: X}",
        b"storage: {postgres: {postgres_url: {env: NO_SUCH_VARIABLE}}}",
    ],
)
def test_settings_of_dagster_that_cannot_be_read_are_named(tmp_path: Path, content: bytes) -> None:
    home = Home(tmp_path)
    home.dagster.mkdir()
    (home.dagster / "dagster.yaml").write_bytes(content)
    with (
        pytest.raises(WarehouseError, match=r"Dagster's state in .* A damaged folder can be moved"),
        usable_instance(home),
    ):
        pass


def test_a_pipe_in_place_of_dagsters_settings_is_an_error_and_no_wait(tmp_path: Path) -> None:
    home = Home(tmp_path)
    home.dagster.mkdir()
    os.mkfifo(home.dagster / "dagster.yaml")
    with pytest.raises(WarehouseError, match=r"it is a pipe: .*dagster\.yaml"):
        open_instance(home)
