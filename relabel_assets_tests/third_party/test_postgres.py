"""Dagster's state in a real Postgres, as deploy/ has it: two processes in folders of their own run two corpora at once."""

import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest
import yaml

from relabel_assets.resources.warehouse import Warehouse
from relabel_assets.tables import TABLES
from relabel_assets_tests.conftest import write_corpus

pytest.importorskip("dagster_postgres", reason="the extra `deploy` is not installed")
DEPLOY = Path(__file__).parents[2] / "deploy"
BIN = Path(os.path.realpath(shutil.which("initdb") or "/nowhere/initdb")).parent


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of a Postgres that lives as long as the test."""
    if not (BIN / "initdb").exists():
        pytest.skip("Postgres is not installed")
    user = "postgres" if os.geteuid() == 0 else None  # Postgres does not start as root
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    subprocess.run([BIN / "initdb", "-D", data, "-U", "dagster", "-A", "trust"], user=user, check=True, capture_output=True, cwd=folder)  # fmt: skip
    command = [BIN / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, user=user, stdout=log, stderr=log, cwd=folder)
    try:
        for _ in range(100):
            if subprocess.run([BIN / "pg_isready", "-h", "127.0.0.1", "-p", str(port)], capture_output=True, check=False).returncode == 0:  # fmt: skip
                break
            time.sleep(0.1)
        yield f"postgresql+psycopg2://dagster@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def test_two_processes_share_postgres_and_one_home(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = tmp_path / "home"
    (home / "dagster").mkdir(parents=True)
    shutil.copy(DEPLOY / "dagster.yaml", home / "dagster" / "dagster.yaml")
    env = {"RELABEL_HOME": str(home), "RELABEL_DATA": str(tmp_path / "data"), "DAGSTER_POSTGRES_URL": postgres}
    processes = []
    for name in ("one", "two"):
        write_corpus(tmp_path / "data" / name)
        (tmp_path / name).mkdir()
        command = [sys.executable, "-m", "relabel_assets.cli", "run", "-c", name]
        processes.append(subprocess.Popen(command, cwd=tmp_path / name, env=os.environ | env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))  # fmt: skip
    said = [process.communicate(timeout=300)[0] for process in processes]
    assert [process.returncode for process in processes] == [0, 0], "\n".join(said)
    receipts = Warehouse.at(home / "warehouse.duckdb").receipts()
    assert set(receipts) == {(name, table) for name in ("one", "two") for table in TABLES}
    monkeypatch.setenv("DAGSTER_POSTGRES_URL", postgres)
    with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
        assert [run.status for run in instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS] * 2
        assert set(instance.get_dynamic_partitions("corpus")) == {"one", "two"}


def test_compose_names_files_and_commands_that_are_there() -> None:
    found = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())
    assert set(found["services"]) == {"postgres", "code", "web", "daemon"}
    assert (DEPLOY / found["services"]["code"]["build"]["dockerfile"].split("/")[1]).exists()
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())
    assert workspace["load_from"][0]["grpc_server"]["host"] in found["services"]
