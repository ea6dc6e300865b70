"""The loaded graph: its use of the environment, its imports, and the effect of its settings."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

import relabel_assets
from relabel_assets.definitions import build_definitions
from relabel_assets.errors import ConfigError
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import RECIPES
from relabel_assets.home import settings_from_environment
from relabel_assets.tables.tables import TABLES

pytestmark = pytest.mark.slow

PACKAGE = Path(relabel_assets.__file__).parent
BELOW_DEFINITIONS = [
    f"relabel_assets.{room}.{file.stem}"
    for room in ("graph", "assets")
    for file in sorted((PACKAGE / room).glob("[a-z]*.py"))
]


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return Project(home_path=str(tmp_path / "home"), data_path=str(tmp_path / "data"))


def python(code: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """`code` in a fresh interpreter."""
    command = [sys.executable, "-W", "ignore", "-c", code]
    return subprocess.run(
        command, env=os.environ | environment, capture_output=True, text=True, check=False
    )


def test_only_definitions_reads_the_environment_when_it_is_imported(tmp_path: Path) -> None:
    code = f"""
import importlib
for name in {BELOW_DEFINITIONS}:
    importlib.import_module(name)
print("the others are imported")
import relabel_assets.definitions
"""
    done = python(code, RELABEL_AUTOMATION="nonsense", RELABEL_BACKFILL="nonsense")
    assert done.stdout.strip() == "the others are imported", done.stderr
    assert "RELABEL_AUTOMATION is 'nonsense'. Allowed: on or off. Default: off." in done.stderr


def test_the_code_location_takes_its_settings_from_the_environment(tmp_path: Path) -> None:
    code = """
import sys
from relabel_assets.definitions import defs
repository = defs.get_repository_def()
print({sensor.default_status.value for sensor in repository.sensor_defs})
nodes = repository.asset_graph.asset_nodes
print({node.backfill_policy.policy_type.name for node in nodes if node.backfill_policy})
print(defs.resources["project"].home_path)
print([name for name in ("torch", "openai", "transformers", "peft", "sklearn") if name in sys.modules])
"""
    home = tmp_path / "home"
    settings = {"RELABEL_AUTOMATION": "on", "RELABEL_BACKFILL": "single_run"}
    done = python(code, RELABEL_HOME=str(home), **settings)
    assert done.stdout.splitlines() == ["{'RUNNING'}", "{'SINGLE_RUN'}", str(home), "[]"], (
        done.stderr
    )


@pytest.mark.parametrize(
    ("variable", "value", "message"),
    [
        ("RELABEL_AUTOMATION", "yes", "RELABEL_AUTOMATION is 'yes'. Allowed: on or off"),
        ("RELABEL_BACKFILL", "none", "is 'none'. Allowed: run_per_corpus or single_run"),
    ],
)
def test_a_wrong_setting_is_refused_with_what_is_allowed(
    monkeypatch: pytest.MonkeyPatch, variable: str, value: str, message: str
) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(ConfigError, match=message):
        settings_from_environment()


def test_absent_and_empty_settings_have_their_defaults(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("RELABEL_AUTOMATION", raising=False)
    monkeypatch.setenv("RELABEL_BACKFILL", "")
    settings = settings_from_environment()
    assert (settings.automation, settings.backfill) == ("off", "run_per_corpus")


def statuses(definitions: dg.Definitions) -> dict[str, str]:
    """The default status of each sensor and schedule."""
    sensors_and_schedules: list[Any] = [
        *(definitions.sensors or []),
        *(definitions.schedules or []),
    ]
    return {each.name: each.default_status.value for each in sensors_and_schedules}


def backfills(definitions: dg.Definitions) -> dict[str, str]:
    """The policy of each table's backfills."""
    nodes = definitions.resolve_asset_graph().asset_nodes
    policies = {node.key.to_user_string(): node.backfill_policy for node in nodes}
    return {name: policy.policy_type.name for name, policy in policies.items() if policy}


def test_two_graphs_in_one_process_have_settings_of_their_own(project: Project) -> None:
    off = build_definitions(project)
    on = build_definitions(project, automation="on", backfill="single_run")
    switched = ("keep_fresh", "failed_runs", "nightly_labels", "weekly_students")
    always_on = {"corpus_folders": "RUNNING"}
    assert statuses(on) == dict.fromkeys(switched, "RUNNING") | always_on
    assert statuses(off) == dict.fromkeys(switched, "STOPPED") | always_on
    assert backfills(on) == dict.fromkeys(TABLES, "SINGLE_RUN")
    assert backfills(off) == dict.fromkeys(TABLES, "MULTI_RUN")
    assert backfills(build_definitions(project)) == backfills(off)


def test_files_assets_and_tables_have_the_same_names(project: Project) -> None:
    graph = build_definitions(project).resolve_asset_graph()
    assets = {key.to_user_string() for key in graph.get_all_asset_keys()}
    files = {file.stem for file in (PACKAGE / "assets").glob("[a-z]*.py")}
    assert assets - {"corpus_folder"} == files == set(TABLES) == set(RECIPES)
