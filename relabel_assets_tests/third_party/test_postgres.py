"""The files of deploy/ on one machine: Postgres, a code server, a daemon and a command."""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._config import process_config
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext

from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import write_corpus

DEPLOY = Path(__file__).parents[2] / "deploy"
# Debian keeps the server's programs off the PATH.
_PROGRAMS = [
    Path(os.path.realpath(shutil.which("initdb") or "")),
    *Path("/usr/lib/postgresql").glob("*/bin/initdb"),
]
BIN = next((path.parent for path in _PROGRAMS if path.name == "initdb"), Path("nowhere"))


@pytest.fixture
def postgres() -> Iterator[str]:
    """The URL of a Postgres that lives as long as the test."""
    if not (BIN / "initdb").exists():
        (pytest.fail if os.environ.get("CI") else pytest.skip)("Postgres is not installed")
    user = "postgres" if os.geteuid() == 0 else None  # Postgres does not start as root
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="pg"))
    if user:
        shutil.chown(folder, user)
    data = folder / "data"
    create = [BIN / "initdb", "-D", data, "-U", "dagster", "-A", "trust"]
    subprocess.run(create, user=user, check=True, capture_output=True, cwd=folder)
    command = [BIN / "postgres", "-D", data, "-p", str(port), "-h", "127.0.0.1", "-k", str(folder)]
    with (folder / "log").open("wb") as log:
        server = subprocess.Popen(command, user=user, stdout=log, stderr=log, cwd=folder)
    try:
        for _ in range(100):
            is_ready = [BIN / "pg_isready", "-h", "127.0.0.1", "-p", str(port)]
            if subprocess.run(is_ready, capture_output=True, check=False).returncode == 0:
                break
            time.sleep(0.1)
        yield f"postgresql+psycopg2://dagster@127.0.0.1:{port}/postgres"
    finally:
        server.terminate()
        server.wait()
        shutil.rmtree(folder, ignore_errors=True)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


def test_code_server_daemon_and_command_share_postgres_and_one_home(
    tmp_path: Path, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The daemon runs one corpus from its queue, `relabel run` another, each in its own folder."""
    home, port = tmp_path / "home", free_port()
    (home / "dagster").mkdir(parents=True)
    shutil.copy(DEPLOY / "dagster.yaml", home / "dagster" / "dagster.yaml")
    workspace = (
        (DEPLOY / "workspace.yaml")
        .read_text()
        .replace("host: code, port: 4000", f"host: 127.0.0.1, port: {port}")
    )
    (home / "dagster" / "workspace.yaml").write_text(workspace)
    env = os.environ | {
        "RELABEL_HOME": str(home),
        "RELABEL_DATA": str(tmp_path / "data"),
        "DAGSTER_POSTGRES_URL": postgres,
        "DAGSTER_HOME": str(home / "dagster"),
        "RELABEL_AUTOMATION": "on",
    }
    write_corpus(tmp_path / "data" / "one")
    services = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())["services"]
    code = services["code"]["command"].replace("0.0.0.0", "127.0.0.1").replace("4000", str(port))
    daemon = services["daemon"]["command"].replace("/opt/dagster", str(home / "dagster"))

    def start(name: str, command: list[str]) -> subprocess.Popen[bytes]:
        folder = tmp_path / name
        folder.mkdir()
        with (folder / "log").open("wb") as log:
            return subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)

    def log_of(name: str) -> str:
        return (tmp_path / name / "log").read_text()

    monkeypatch.setenv("DAGSTER_POSTGRES_URL", postgres)
    partitions = {(name, table) for name in ("one", "two") for table in TABLES}
    processes = []
    try:
        for name, command in (("code", code), ("daemon", daemon)):
            program, *arguments = shlex.split(command)
            processes.append(
                start(name, [str(Path(sys.executable).with_name(program)), *arguments])
            )
        write_corpus(tmp_path / "data" / "two")
        command_line = start(
            "command", [sys.executable, "-m", "relabel_assets.cli.main", "run", "-c", "two"]
        )
        processes.append(command_line)
        warehouse, end = Warehouse.at(home / "warehouse.duckdb"), time.monotonic() + 600
        while set(warehouse.receipts()) != partitions and time.monotonic() < end:
            time.sleep(2)
        assert command_line.wait(timeout=300) == 0, log_of("command")
        assert set(warehouse.receipts()) == partitions, (
            log_of("daemon")[-4000:] + log_of("code")[-4000:]
        )
        with dg.DagsterInstance.from_config(str(home / "dagster")) as instance:
            # The sensor may request one more run at any moment: wait until every run has ended.
            while (
                not all(run.is_finished for run in instance.get_runs()) and time.monotonic() < end
            ):
                time.sleep(1)
            runs = instance.get_runs()
            assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
            # A run of both corpora has their range in place of a partition, from "one" to "two".
            queued = {
                run.tags.get(name)
                for run in runs
                if "dagster/sensor_name" in run.tags
                for name in ("dagster/partition", "dagster/asset_partition_range_start")
            }
            assert "one" in queued
        lines = [json.loads(line) for line in log_of("code").splitlines() if line.startswith("{")]
        assert {(line["corpus"], line["asset"]) for line in lines if "seconds" in line} >= {
            ("one", "seed_docs")
        }
    finally:
        for process in processes:
            process.terminate()
        for process in processes:
            process.wait(60)


def compose() -> dict[str, Any]:
    services: dict[str, Any] = yaml.safe_load((DEPLOY / "docker-compose.yaml").read_text())
    return services


def test_compose_names_files_and_volumes_that_exist() -> None:
    declared = compose()
    dockerfile = (DEPLOY / "Dockerfile").read_text()
    services = declared["services"]
    assert set(services) == {"postgres", "code", "web", "daemon"}
    for service in (services[name] for name in ("code", "web", "daemon")):
        root = (DEPLOY / service["build"]["context"]).resolve()
        assert (root / service["build"]["dockerfile"]).exists()
        for source in re.findall(r"^COPY (.+) \S+$", dockerfile, re.MULTILINE):
            assert all((root / name).exists() for name in source.split()), source
        mounts = dict(volume.split(":")[:2] for volume in service["volumes"])
        named = {name for name in mounts if not name.startswith(".")}
        assert named <= set(declared["volumes"]) and (DEPLOY / "../data").exists()
        settings = dict(
            re.findall(r"(\w+)=(\S+)", re.findall(r"^ENV (.+)$", dockerfile, re.MULTILINE)[0])
        )
        assert {settings["RELABEL_HOME"], settings["RELABEL_DATA"]} == set(mounts.values())
        assert set(service["depends_on"]) <= set(services)
    workspace = yaml.safe_load((DEPLOY / "workspace.yaml").read_text())["load_from"][0][
        "grpc_server"
    ]
    assert (
        workspace["host"] in services
        and f"-p {workspace['port']}" in services[workspace["host"]]["command"]
    )


def test_kubernetes_values_are_accepted_by_runs_and_their_launcher() -> None:
    values = yaml.safe_load((DEPLOY / "kubernetes.yaml").read_text())
    launcher = {
        snake(key): value
        for key, value in values["runLauncher"]["config"]["k8sRunLauncher"].items()
    }
    settings = {
        "dagster_home": "/opt/dagster",
        "instance_config_map": "dagster-instance",
        "service_account_name": "dagster",
    }
    result = process_config(dg.Shape(K8sRunLauncher.config_type()), settings | launcher)
    assert result.success, result.errors
    deployment = values["dagster-user-deployments"]["deployments"][0]
    assert deployment["includeConfigInLaunchedRuns"]["enabled"]
    context = {
        "env_vars": [f"{variable['name']}={variable['value']}" for variable in deployment["env"]],
        "env_secrets": [secret["name"] for secret in deployment["envSecrets"]],
        "volumes": deployment["volumes"], "volume_mounts": deployment["volumeMounts"],
    }  # fmt: skip
    run_context = K8sContainerContext.create_from_config({"k8s": context})
    mounted = {
        mount["mount_path"]
        for mount in run_context.run_k8s_config.container_config["volume_mounts"]
    }
    assert mounted == {volume.split(":")[1] for volume in compose()["services"]["code"]["volumes"]}
    assert (
        deployment["codeServerArgs"] == shlex.split(compose()["services"]["code"]["command"])[-2:]
    )


def snake(key: str) -> str:
    """The chart's camelCase as the launcher's snake_case."""
    return re.sub(r"(?<=[a-z])([A-Z])", lambda match: f"_{match.group(1).lower()}", key)
