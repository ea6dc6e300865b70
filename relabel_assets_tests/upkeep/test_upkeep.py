"""Backup, restore and doctor, on a real home."""

import os
import shutil
import socket
import subprocess
import sys
import tarfile
import threading
import time
from pathlib import Path

import dagster as dg
import duckdb
import polars as pl
import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.graph.project import Project
from relabel_assets.home import Home
from relabel_assets.running import runner
from relabel_assets.running.dagster_state import HOST_TAG, PROCESS_TAG, open_instance
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.ledger.lines import RequestMetadata, request_line
from relabel_assets.teacher.requests import request_key
from relabel_assets.upkeep.backup import back_up, restore
from relabel_assets.upkeep.doctor import examine
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel


@pytest.fixture
def copy(finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home of this test's own."""
    shutil.copytree(finished_home, tmp_path / "home")
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELABEL_DATA", str(finished_home.parent / "data"))
    return tmp_path / "home"


def test_a_restored_home_equals_the_one_that_was_backed_up(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "backup.tar.gz"
    done = relabel("backup", str(file))
    assert done.returncode == 0, done.stderr
    assert relabel("backup", str(file)).returncode == 4
    assert "already" in relabel("restore", str(file)).stderr
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "other"))
    assert relabel("restore", str(file)).returncode == 0
    old, new = (Warehouse.at(home / "warehouse.duckdb") for home in (copy, tmp_path / "other"))
    for table in TABLES:
        query = f"select * from {table} order by all"
        assert new.query(query).equals(old.query(query))
        assert new.read_replica(query).equals(old.query(query))
    assert "up to date" in relabel("plan").stdout
    assert relabel("doctor").returncode == 0


def test_a_backup_holds_rows_models_ledger_and_reports_and_no_scratch_files(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    included = ("models/tiny/s1/student.json", "ledger/tiny/1.jsonl", "reports/tiny.html")
    left_out = (
        "models/tiny/.s2.half/student.json",
        "ledger/tiny/.1.jsonl.half",
        "ledger/tiny/1.jsonl.lock",
        "dagster/dagster.yaml",
        "scratch/index/x",
        "parquet/seed_docs/rows.parquet",
        "labels.duckdb",
    )
    for name in (*included, *left_out):
        (home.path / name).parent.mkdir(parents=True, exist_ok=True)
        (home.path / name).write_bytes(b"x")
    back_up(home, Warehouse.at(home.warehouse), tmp_path / "backup.tar.gz")
    with tarfile.open(tmp_path / "backup.tar.gz") as tar:
        assert sorted(tar.getnames()) == sorted(("warehouse.duckdb", *included))
    assert not list(home.path.glob(".backup-*"))


def test_a_backup_that_fails_leaves_no_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = Home(tmp_path / "home")
    (home.path / "models").mkdir(parents=True)
    (home.path / "models" / "weights").touch()

    def fail(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tarfile.TarFile, "add", fail)
    with pytest.raises(ConfigError, match="cannot be written"):
        back_up(home, Warehouse.at(home.warehouse), tmp_path / "backup.tar.gz")
    assert not list(tmp_path.glob("*backup*"))
    with pytest.raises(ConfigError, match="there is no folder"):
        back_up(home, Warehouse.at(home.warehouse), tmp_path / "nowhere" / "backup.tar.gz")
    assert not list(home.path.glob(".backup-*"))


@pytest.mark.parametrize("part", ["warehouse.duckdb", "models", "ledger", "reports"])
def test_restore_refuses_a_home_that_has_any_part_of_a_backup(tmp_path: Path, part: str) -> None:
    old, home = Home(tmp_path / "old"), Home(tmp_path / "home")
    old.path.mkdir()
    back_up(old, Warehouse.at(old.warehouse), tmp_path / "backup.tar.gz")
    (home.path / part).mkdir(parents=True)
    with pytest.raises(ConfigError, match=f"already has {part}"):
        restore(home, Warehouse.at(home.warehouse), tmp_path / "backup.tar.gz")
    assert [path.name for path in home.path.iterdir()] == [part]


def problems(home: Path, *, is_fixing: bool = False) -> dict[str, str]:
    project = Project(home_path=str(home), data_path=str(home.parent / "data"))
    findings = examine(project, Warehouse.at(home / "warehouse.duckdb"), is_fixing=is_fixing)
    return {finding.subject: finding.problem for finding in findings if finding.problem}


@pytest.mark.parametrize(("n_free", "is_problem"), [(999_999_999, True), (1_000_000_000, False)])
def test_doctor_reports_less_than_a_gigabyte_of_free_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_free: int, is_problem: bool
) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=n_free)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    assert ("disk" in problems(tmp_path)) == is_problem


def test_doctor_removes_leftovers_untouched_for_an_hour(tmp_path: Path) -> None:
    now = time.time()
    for name, age_s in (("old", 3700), ("new", 3500)):
        half = tmp_path / "models" / f".{name}.half"
        index = tmp_path / "scratch" / name
        backup = tmp_path / f".backup-{name}"
        half.parent.mkdir(exist_ok=True)
        half.touch()
        for path in (half, index, backup):
            if path != half:
                path.mkdir(parents=True)
            os.utime(path, (now - age_s, now - age_s))
    assert sorted(problems(tmp_path)) == [".backup-old", "models/.old.half", "scratch/old"]
    assert len(problems(tmp_path, is_fixing=True)) == 3
    assert problems(tmp_path) == {}
    assert (tmp_path / "scratch" / "new").exists() and (tmp_path / "models" / ".new.half").exists()


def test_doctor_names_a_dagster_state_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").touch()
    (tmp_path / "dagster" / "history").touch()  # Dagster keeps a folder of this name
    reported = problems(tmp_path, is_fixing=True)
    assert list(reported) == ["Dagster's state"]
    assert f"move {tmp_path / 'dagster'} away" in reported["Dagster's state"]


def test_doctor_reports_a_missing_parquet_file_and_rewrites_it(tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    rows = pl.DataFrame(
        {"query_id": ["q"], "doc_id": ["d"], "assessor": ["ana"], "grade": [2], "kind": ["human"]}
    )
    warehouse.replace("reference_labels", "tiny", rows, input_hash="0" * 64)
    (file,) = tmp_path.rglob("rows.parquet")
    file.unlink()
    assert list(problems(tmp_path)) == ["copies for readers"]
    problems(tmp_path, is_fixing=True)
    assert problems(tmp_path) == {}
    assert pl.read_parquet(file).height == 1


@pytest.mark.parametrize("content", [b"", b"not a tar", b"empty tar"])
def test_restore_refuses_a_file_that_is_no_backup_and_leaves_nothing(
    content: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    file = tmp_path / "backup.tar.gz"
    file.write_bytes(content)
    if content == b"empty tar":
        with tarfile.open(file, "w:gz") as tar:
            (tmp_path / "x").touch()
            tar.add(tmp_path / "x", "../../x")
    done = relabel("restore", str(file))
    assert done.returncode == 4
    assert "backup" in done.stderr
    assert {path.name for path in (tmp_path / "home").iterdir()} <= {"dagster"}


def test_doctor_reports_no_problem_in_a_sound_home(copy: Path) -> None:
    done = relabel("doctor")
    assert done.returncode == 0, done.stdout
    assert "problem" not in done.stdout


def test_doctor_names_each_problem_and_repairs_the_safe_ones(copy: Path) -> None:
    half = copy / "models" / "tiny" / ".student.half"
    half.mkdir()
    os.utime(half, (0, 0))
    (copy / "labels.duckdb").unlink()
    (copy / "reports" / "tiny.html").unlink()
    report = relabel("doctor")
    assert report.returncode == 6
    for message in (
        ".student.half",
        "copies for readers: labels.duckdb or parquet/ is behind",
        "missing: reports/tiny.html",
        "relabel run -c tiny -s benchmark",
    ):
        assert message in report.stdout
    assert half.exists()
    repaired = relabel("doctor", "--fix")
    assert repaired.returncode == 6
    assert repaired.stdout.count("repaired") == 2
    assert not half.exists()
    assert relabel("run").returncode == 0
    assert relabel("doctor").returncode == 0


def test_doctor_names_a_damaged_warehouse_and_does_not_touch_it(copy: Path) -> None:
    (copy / "warehouse.duckdb").write_bytes(b"damaged" * 1000)
    report = relabel("doctor", "--fix")
    assert report.returncode == 6
    assert "problem  warehouse" in report.stdout
    assert "Traceback" not in report.stderr
    assert (copy / "warehouse.duckdb").read_bytes() == b"damaged" * 1000


def test_doctor_names_changed_rows_and_a_student_without_its_settings(copy: Path) -> None:
    with duckdb.connect(str(copy / "warehouse.duckdb")) as con:
        con.execute("update teacher_labels set grade = 0 where query_id = 'q00' and doc_id = 'd0'")
        (path,) = con.execute("select path from student_model where is_current").fetchall()[0]
    (copy / path / "student.json").unlink()
    report = relabel("doctor")
    assert report.returncode == 6
    assert "tiny / teacher_labels: its rows were changed after a run wrote them" in report.stdout
    assert (
        f"missing: {path}/student.json. Compute it again: relabel run -c tiny -s "
        "student_model+ --force" in report.stdout
    )


def test_doctor_replaces_a_damaged_copy_for_readers(copy: Path) -> None:
    (copy / "labels.duckdb").write_bytes(b"damaged" * 1000)
    failed = relabel("sql", "select 1")
    assert (failed.returncode, "relabel doctor --fix" in failed.stderr) == (6, True), failed.stderr
    assert "repaired  copies for readers" in relabel("doctor", "--fix").stdout
    assert relabel("sql", "select count(*) as n from labels", "-f", "csv").returncode == 0


@pytest.mark.parametrize(
    "file", ["labels.duckdb", "parquet/teacher_labels/corpus=tiny/rows.parquet"]
)
def test_the_next_run_publishes_what_a_killed_run_committed(copy: Path, file: str) -> None:
    # A SIGKILL between the commit and the copies leaves the old copies, and half of a new one.
    warehouse = Warehouse.at(copy / "warehouse.duckdb")
    behind = {
        path: path.read_bytes()
        for path in (copy / file, *(copy / "parquet" / "teacher_labels").rglob("*.parquet"))
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
    assert not list(copy.rglob("*.half"))
    query = "select count(*) from teacher_labels where rationale = 'again'"
    assert warehouse.read_replica(query).item() == rows.height
    assert pl.read_parquet(copy / "parquet" / "teacher_labels" / "**" / "*.parquet")[
        "rationale"
    ].unique().to_list() == ["again"]


def test_a_torn_ledger_line_is_a_note_and_a_changed_one_a_problem(copy: Path) -> None:
    body = {"model": "m", "messages": []}
    line = request_line(request_key(body), body, RequestMetadata("tiny", "grading", "m"))
    ledger = copy / "ledger" / "tiny" / "2026-01-01.jsonl"
    ledger.parent.mkdir(parents=True, exist_ok=True)
    ledger.write_bytes(line + line[:40])
    torn = relabel("doctor")
    assert (torn.returncode, "ok  ledger: 1 line torn or damaged" in torn.stdout) == (0, True), (
        torn.stdout
    )
    ledger.write_bytes(line.replace(b'"model":"m","messages"', b'"model":"n","messages"'))
    changed = relabel("doctor", "--fix")
    assert (changed.returncode, "problem  ledger: 1 line changed" in changed.stdout) == (6, True), (
        changed.stdout
    )


@pytest.mark.parametrize(
    "words", [("run",), ("plan",), ("doctor",), ("metrics",), ("sql", "select 1"), ("ui",)]
)
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
    copy: Path, lock: str, words: tuple[str, ...]
) -> None:
    (copy / lock).unlink(missing_ok=True)
    (copy / lock).mkdir()  # a lock that no process can take, root's neither, as on a read-only disk
    before = (copy / "warehouse.duckdb").read_bytes()
    done = relabel(*words)
    assert (
        done.returncode,
        "Set RELABEL_HOME to a folder you may write to" in done.stderr.replace("set RE", "Set RE"),
    ) == (6, True)
    assert "Traceback" not in done.stderr
    assert (copy / "warehouse.duckdb").read_bytes() == before


def test_a_run_does_not_start_on_a_full_disk(copy: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runner, "_LEAST_FREE_BYTES", 10**18)  # no disk has so much
    before = (copy / "warehouse.duckdb").read_bytes()
    done = relabel("run", "--force")
    assert (done.returncode, "Make room" in done.stderr) == (6, True), done.stderr
    assert (copy / "warehouse.duckdb").read_bytes() == before


def ended_process() -> int:
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    return ended.pid


def started_run(run_id: str, process: int) -> dg.DagsterRun:
    tags = {HOST_TAG: socket.gethostname(), PROCESS_TAG: str(process)}
    return dg.DagsterRun(
        job_name="__ASSET_JOB", run_id=run_id, tags=tags, status=dg.DagsterRunStatus.STARTED
    )


def test_a_run_with_nothing_to_do_marks_a_killed_run_as_failed(copy: Path) -> None:
    run = started_run("0" * 32, ended_process())
    with open_instance(Home(copy)) as instance:
        instance.add_run(run)
    done = relabel("run")
    assert (done.returncode, "up to date" in done.stdout) == (0, True), done.stdout + done.stderr
    with open_instance(Home(copy)) as instance:
        stored_run = instance.get_run_by_id(run.run_id)
        assert stored_run is not None
        assert stored_run.status == dg.DagsterRunStatus.FAILURE


def test_doctor_removes_leftovers_of_killed_processes_and_marks_their_runs_as_failed(
    copy: Path,
) -> None:
    index = copy / "scratch" / "bm25-left"
    index.mkdir(parents=True)
    os.utime(index, (0, 0))
    at_work = copy / "scratch" / "bm25-at-work"
    at_work.mkdir()
    run = started_run("0" * 32, ended_process())
    own_run = started_run("1" * 32, os.getpid())
    with open_instance(Home(copy)) as instance:
        instance.add_run(run)
        instance.add_run(own_run)
    report = relabel("doctor")
    assert "problem  scratch/bm25-left" in report.stdout
    assert f"problem  run {run.run_id}" in report.stdout
    assert own_run.run_id not in report.stdout
    assert relabel("doctor", "--fix").returncode == 0
    assert (index.exists(), at_work.exists()) == (False, True)
    assert relabel("doctor").returncode == 0


def test_a_backup_is_consistent_while_a_run_adds_and_removes_files(
    copy: Path, tmp_path: Path
) -> None:
    is_done, folder = threading.Event(), copy / "models" / "tiny" / "passing"

    def come_and_go() -> None:
        while not is_done.is_set():
            folder.mkdir(exist_ok=True)
            for number in range(50):
                (folder / f"{number}.bin").write_bytes(b"x")
            shutil.rmtree(folder)

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        for number in range(3):
            back_up(
                Home(copy), Warehouse.at(copy / "warehouse.duckdb"), tmp_path / f"{number}.tar.gz"
            )
    finally:
        is_done.set()
        thread.join()
    restored = Home(tmp_path / "other")
    restore(restored, Warehouse.at(restored.warehouse), tmp_path / "2.tar.gz")
    assert (
        Warehouse.at(restored.warehouse).receipts()
        == Warehouse.at(copy / "warehouse.duckdb").receipts()
    )
