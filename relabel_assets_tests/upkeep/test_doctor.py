"""The doctor: each problem of a home that it reports, and the ones that it repairs."""

import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import duckdb
import polars as pl
import pytest

from relabel_assets.graph.project import Project
from relabel_assets.home import Home
from relabel_assets.running.dagster_state import open_instance
from relabel_assets.teacher.ledger.lines import RequestMetadata, request_line
from relabel_assets.teacher.requests import request_key
from relabel_assets.upkeep.doctor import examine
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel
from relabel_assets_tests.upkeep.killed_runs import ended_process, started_run

pytestmark = pytest.mark.slow


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
        spilled = tmp_path / f"{name}.duckdb.tmp"
        half.parent.mkdir(exist_ok=True)
        half.touch()
        for path in (half, index, backup, spilled):
            if path != half:
                path.mkdir(parents=True)
            os.utime(path, (now - age_s, now - age_s))
    old = [".backup-old", "models/.old.half", "old.duckdb.tmp", "scratch/old"]
    assert sorted(problems(tmp_path)) == old
    assert len(problems(tmp_path, is_fixing=True)) == len(old)
    assert problems(tmp_path) == {}
    assert (tmp_path / "scratch" / "new").exists() and (tmp_path / "models" / ".new.half").exists()


def test_doctor_names_a_dagster_state_that_cannot_be_read(tmp_path: Path) -> None:
    (tmp_path / "dagster").mkdir()
    (tmp_path / "dagster" / "dagster.yaml").touch()
    (tmp_path / "dagster" / "history").touch()  # Dagster keeps a folder of this name
    reported = problems(tmp_path, is_fixing=True)
    assert list(reported) == ["Dagster's state"]
    assert f"{tmp_path / 'dagster'} cannot be used" in reported["Dagster's state"]
    assert "A damaged folder can be moved away" in reported["Dagster's state"]


def test_doctor_reports_a_missing_parquet_file_and_rewrites_it(tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    grade = {"query_id": "q", "doc_id": "d", "assessor": "ana", "grade": 2, "kind": "human"}
    rows = pl.DataFrame([grade | {"reviewed_at": None, "inclusion_prob": None}])
    warehouse.replace("reference_labels", "tiny", rows, input_hash="0" * 64)
    (file,) = tmp_path.rglob("rows.parquet")
    file.unlink()
    assert list(problems(tmp_path)) == ["copies for readers"]
    problems(tmp_path, is_fixing=True)
    assert problems(tmp_path) == {}
    assert pl.read_parquet(file).height == 1


def test_doctor_reports_no_problem_in_a_sound_home(own_home: Path) -> None:
    done = relabel("doctor")
    assert done.returncode == 0, done.stdout
    assert "problem" not in done.stdout


def test_doctor_names_each_problem_and_repairs_the_safe_ones(own_home: Path) -> None:
    half = own_home / "models" / "tiny" / ".student.half"
    half.mkdir()
    os.utime(half, (0, 0))
    (own_home / "labels.duckdb").unlink()
    (own_home / "reports" / "tiny.html").unlink()
    report = relabel("doctor")
    assert report.returncode == 6
    for message in (
        ".student.half",
        "copies for readers: labels.duckdb or parquet/ is out of date",
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


def test_doctor_names_a_damaged_warehouse_and_does_not_touch_it(own_home: Path) -> None:
    (own_home / "warehouse.duckdb").write_bytes(b"damaged" * 1000)
    report = relabel("doctor", "--fix")
    assert report.returncode == 6
    assert "problem  warehouse" in report.stdout
    assert "Traceback" not in report.stderr
    assert (own_home / "warehouse.duckdb").read_bytes() == b"damaged" * 1000


def test_doctor_names_changed_rows_and_a_student_without_its_settings(own_home: Path) -> None:
    with duckdb.connect(str(own_home / "warehouse.duckdb")) as con:
        con.execute("update teacher_labels set grade = 0 where query_id = 'q00' and doc_id = 'd0'")
        (path,) = con.execute("select path from student_model where is_current").fetchall()[0]
    (own_home / path / "student.json").unlink()
    report = relabel("doctor")
    assert report.returncode == 6
    assert "tiny / teacher_labels: its rows were changed after a run wrote them" in report.stdout
    assert (
        f"missing: {path}/student.json. Compute it again: relabel run -c tiny -s "
        "student_model+ --force" in report.stdout
    )


def test_doctor_replaces_a_damaged_copy_for_readers(own_home: Path) -> None:
    (own_home / "labels.duckdb").write_bytes(b"damaged" * 1000)
    failed = relabel("sql", "select 1")
    assert (failed.returncode, "relabel doctor --fix" in failed.stderr) == (6, True), failed.stderr
    assert "repaired  copies for readers" in relabel("doctor", "--fix").stdout
    assert relabel("sql", "select count(*) as n from labels", "-f", "csv").returncode == 0


def test_a_torn_ledger_line_is_a_note_and_a_changed_one_a_problem(own_home: Path) -> None:
    body = {"model": "m", "messages": []}
    line = request_line(request_key(body), body, RequestMetadata("tiny", "grading", "m"))
    ledger = own_home / "ledger" / "tiny" / "2026-01-01.jsonl"
    ledger.parent.mkdir(parents=True, exist_ok=True)
    ledger.write_bytes(line + line[:40])
    torn = relabel("doctor")
    assert (torn.returncode, "ok  ledger: 1 line torn or damaged" in torn.stdout) == (0, True), (
        torn.stdout
    )
    ledger.write_bytes(line.replace(b'"model":"m","messages"', b'"model":"n","messages"'))
    changed = relabel("doctor", "--fix")
    assert (changed.returncode, "problem  ledger: 1 fault, the first: tiny/" in changed.stdout) == (
        6,
        True,
    ), changed.stdout


def test_doctor_removes_leftovers_of_killed_processes_and_marks_their_runs_as_failed(
    own_home: Path,
) -> None:
    index = own_home / "scratch" / "bm25-left"
    index.mkdir(parents=True)
    os.utime(index, (0, 0))
    at_work = own_home / "scratch" / "bm25-at-work"
    at_work.mkdir()
    run = started_run("0" * 32, ended_process())
    own_run = started_run("1" * 32, os.getpid())
    with open_instance(Home(own_home)) as instance:
        instance.add_run(run)
        instance.add_run(own_run)
    report = relabel("doctor")
    assert "problem  scratch/bm25-left" in report.stdout
    assert f"problem  run {run.run_id}" in report.stdout
    assert own_run.run_id not in report.stdout
    assert relabel("doctor", "--fix").returncode == 0
    assert (index.exists(), at_work.exists()) == (False, True)
    assert relabel("doctor").returncode == 0


def test_doctor_closes_a_home_that_others_can_read(tmp_path: Path) -> None:
    tmp_path.chmod(0o750)  # a group is a choice
    assert problems(tmp_path) == {}
    tmp_path.chmod(0o755)
    assert "other users of this machine can read it" in problems(tmp_path)["RELABEL_HOME"]
    assert tmp_path.stat().st_mode & 0o777 == 0o755
    problems(tmp_path, is_fixing=True)
    assert tmp_path.stat().st_mode & 0o777 == 0o700


def is_yaml_folder(dagster: Path) -> None:
    (dagster / "dagster.yaml").unlink()
    (dagster / "dagster.yaml").mkdir()


@pytest.mark.parametrize(
    "damage",
    [
        lambda dagster: (dagster / "dagster.yaml").write_text("a: [b"),
        lambda dagster: (dagster / "dagster.yaml").write_text("nonsense: 1"),
        lambda dagster: (dagster / "dagster.yaml").write_bytes(b"\xff\x00"),
        is_yaml_folder,
        lambda dagster: (dagster / "history" / "runs.db").write_bytes(b"text" * 1000),
        lambda dagster: (dagster / "history" / "runs" / "index.db").write_bytes(b"text" * 1000),
    ],
)
def test_a_check_that_fails_is_a_finding_and_the_others_go_on(
    own_home: Path, damage: Callable[[Path], object]
) -> None:
    damage(own_home / "dagster")
    (own_home / "reports" / "tiny.html").unlink()
    assert set(problems(own_home)) >= {"tiny / benchmark_report"}
    done = relabel("doctor")
    assert done.returncode == 6 and "Traceback" not in done.stderr
    assert "ledger" in done.stdout


@pytest.mark.parametrize("kind", ["file", "link", "folder"])
def test_copies_that_cannot_be_replaced_are_not_reported_as_fixed(
    own_home: Path, kind: str
) -> None:
    shutil.rmtree(own_home / "parquet")
    if kind == "file":
        (own_home / "parquet").touch()
    elif kind == "link":
        (own_home / "parquet").symlink_to("/nowhere/x")
    else:
        (own_home / "labels.duckdb").unlink()
        (own_home / "labels.duckdb").mkdir()
    assert "cannot be written" in problems(own_home, is_fixing=True)["copies for readers"]
