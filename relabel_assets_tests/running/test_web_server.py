"""The web server of the UI: reports, marks of tables that are out of date, runs of the command."""

import http.client
import inspect
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._cli import dev

from relabel_assets.graph.partitions import folder_observation, up_to_date_events
from relabel_assets.running import runner, web_server
from relabel_assets.running.stale_marks import out_of_date
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import make

pytestmark = pytest.mark.slow
CSP = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


class Server:
    """A web server in a process of its own."""

    def __init__(self, home: Path, port: int) -> None:
        self.home, self.port = home, port

    def get(self, path: str) -> tuple[int, str, http.client.HTTPMessage]:
        """The answer to a path as it is written: no client shortens it."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.putrequest("GET", path, skip_host=False)
        connection.endheaders()
        response = connection.getresponse()
        return response.status, response.read().decode(), response.headers

    def query(self, graphql: str) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body = json.dumps({"query": graphql})
        connection.request("POST", "/graphql", body, {"content-type": "application/json"})
        answer = json.load(connection.getresponse())
        assert "errors" not in answer, answer
        return answer["data"]


@pytest.fixture
def server(home: Path) -> Iterator[Server]:
    """A server on a home with one finished table and a report."""
    make("seed_docs")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    reports = home / "home" / "reports"
    reports.mkdir()
    (reports / "tiny.html").write_text("<h1>tiny</h1>")
    (home / "home" / "secret.html").write_text("secret")
    (reports / "linked.html").symlink_to(home / "home" / "secret.html")
    (reports / "folder.html").mkdir()
    os.mkfifo(reports / "pipe.html")
    (reports / "Upper <b>.html").write_text("secret")
    module = ["-m", "relabel_assets.running.web_server", "-m", "relabel_assets.definitions"]
    command = [sys.executable, "-W", "ignore", *module, "-h", "127.0.0.1", "-p", str(port)]
    environment = os.environ | {"DAGSTER_HOME": str(home / "home" / "dagster")}
    with (home / "server.log").open("wb") as log:
        process = subprocess.Popen(command, env=environment, cwd=home, stdout=log, stderr=log)
    try:
        running, end = Server(home, port), time.monotonic() + 240
        while True:
            assert process.poll() is None, (home / "server.log").read_text()[-3000:]
            assert time.monotonic() < end, (home / "server.log").read_text()[-3000:]
            try:
                running.get("/server_info")
            except OSError:
                time.sleep(0.5)
                continue
            break
        yield running
    finally:
        process.terminate()
        process.wait(60)


def test_the_server_of_the_ui(server: Server) -> None:
    """One test: a server takes seconds to start."""
    the_reports_are_served_and_nothing_else(server)
    a_run_of_the_command_is_in_the_timeline(server)
    the_graph_is_one_group(server)
    a_table_that_is_out_of_date_is_marked(server)


def the_reports_are_served_and_nothing_else(server: Server) -> None:
    status, page, headers = server.get("/reports/tiny.html")
    assert (status, page) == (200, "<h1>tiny</h1>")
    policy = str(headers["content-security-policy"])
    assert policy.startswith(CSP) and policy.endswith("; sandbox")
    assert headers["x-content-type-options"] == "nosniff"
    _, index, _ = server.get("/reports/")
    assert '<a href="/reports/tiny.html">tiny</a>' in index and "Upper" not in index
    for name in (
        "linked.html", "folder.html", "pipe.html", "nothing.html", "Upper%20%3Cb%3E.html",
        "../secret.html", "%2e%2e/secret.html", "..%2fsecret.html", "tiny.html/../../secret.html",
        "%00.html", "tiny", ".html", "%ff.html", "a/" * 2_000 + "tiny.html",
    ):  # fmt: skip
        status, text, headers = server.get(f"/reports/{name}")
        assert status == 404 and "secret" not in text.replace(name, ""), name
        assert headers["content-type"].startswith("text/plain"), name


def a_run_of_the_command_is_in_the_timeline(server: Server) -> None:
    """The timeline leaves out runs whose code location it does not know."""
    (run,) = server.query(
        "{runsOrError{... on Runs{results{tags{key} repositoryOrigin"
        "{repositoryName repositoryLocationName}}}}}"
    )["runsOrError"]["results"]
    (location,) = server.query(
        "{workspaceOrError{... on Workspace{locationEntries{name locationOrLoadError"
        "{... on RepositoryLocation{repositories{name}}}}}}}"
    )["workspaceOrError"]["locationEntries"]
    (repository,) = location["locationOrLoadError"]["repositories"]
    assert run["repositoryOrigin"] == {
        "repositoryName": repository["name"],
        "repositoryLocationName": location["name"],
    }
    assert {tag["key"] for tag in run["tags"]} == {
        "dagster/code_location",
        "dagster/partition",
        "dagster/partition_set",
    }


def the_graph_is_one_group(server: Server) -> None:
    """The UI opens a graph of several groups folded."""
    nodes = server.query("{assetNodes{groupName}}")["assetNodes"]
    assert len(nodes) == 1 + len(TABLES) and len({node["groupName"] for node in nodes}) == 1


def a_table_that_is_out_of_date_is_marked(server: Server) -> None:
    def marks() -> dict[str, tuple[str, list[str]]]:
        query = "{assetNodes{assetKey{path} staleStatus staleCauses{reason}}}"
        return {
            node["assetKey"]["path"][0]: (
                node["staleStatus"],
                [cause["reason"] for cause in node["staleCauses"]],
            )
            for node in server.query(query)["assetNodes"]
        }

    assert all(causes == [] for _, causes in marks().values())
    project, warehouse = runner.from_environment()
    with (server.home / "data" / "tiny" / "documents.jsonl").open("a") as file:
        file.write('{"doc_id": "new", "body": "One more document."}\n')
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        instance.report_runless_asset_event(folder_observation(project.corpora().open("tiny")))
        for event in up_to_date_events(project, warehouse, ["tiny"]):
            instance.report_runless_asset_event(event)
        assert out_of_date(instance, dg.AssetKey("seed_docs")) == "tiny: changed: files documents"
        assert marks()["seed_docs"] == ("STALE", ["tiny: changed: files documents"])
        assert marks()["corpus_folder"] == ("FRESH", [])
        make("seed_docs")
        assert out_of_date(instance, dg.AssetKey("seed_docs")) is None
        assert marks()["seed_docs"] == ("FRESH", [])


def test_dagster_dev_starts_this_server() -> None:
    commands = list[list[str]]()
    start = web_server._with_this_server(commands.append)
    start([sys.executable, "-m", "dagster_webserver", "--port", "3000"])
    start([sys.executable, "-m", "dagster._daemon", "run"])
    assert [command[2] for command in commands] == [
        "relabel_assets.running.web_server",
        "dagster._daemon",
    ]
    source = inspect.getsource(dev.dev_command_impl)
    assert (
        'open_ipc_subprocess(\n                [sys.executable, "-m", "dagster_webserver"]'
        in source
    )
