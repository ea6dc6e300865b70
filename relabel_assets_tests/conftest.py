"""Fixtures for all tests: a home with the corpus `tiny`, and one with a finished run."""

import os
import signal
from pathlib import Path

import hypothesis
import pytest

from relabel_assets_tests.builders import write_corpus, write_runs
from relabel_assets_tests.dagster_engines import use_one_engine_a_file

ROOT = Path(__file__).parent
# Folders whose tests start servers, kill processes, drive a browser or need a third party.
SLOW_FOLDERS = {"faults", "third_party", "browser"}
# Fixtures that run Dagster or a whole graph.
SLOW_FIXTURES = {"home", "finished_home"}


# The same examples in every run, so that a test that passed does not fail by chance. Look for new ones with
# HYPOTHESIS_PROFILE=default.
hypothesis.settings.register_profile("repeatable", derandomize=True, deadline=None, database=None)
hypothesis.settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "repeatable"))


def pytest_configure() -> None:
    # A shell's background jobs ignore SIGINT and so do their children; Dagster's services then
    # ignore SIGTERM too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # nohup ignores it
    # A worker has one core: two threads of torch in each of two workers wait for each other. Measured on
    # a whole run of `tiny`: 39 CPU-seconds in place of 54.
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    # pytest loads readline, which sets COLUMNS for the workers: a command's pipe would be as wide.
    os.environ.pop("COLUMNS", None)


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Do not import slow files for `make test-fast`: their imports would take half of its time."""
    if config.getoption("markexpr") != "not slow" or collection_path.suffix != ".py":
        return None
    if SLOW_FOLDERS.intersection(collection_path.relative_to(ROOT).parts):
        return True
    is_slow = "\npytestmark = pytest.mark.slow\n" in collection_path.read_text(encoding="utf-8")
    return True if is_slow else None


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark integration tests as slow, so that `make test-fast` skips them, and run their files first.

    A worker takes a whole file. With a slow file left for the end, the other worker would wait for it.
    """
    for item in items:
        folder = item.path.relative_to(ROOT).parts[0]
        if folder in SLOW_FOLDERS or SLOW_FIXTURES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)
    slow_files = {item.path for item in items if item.get_closest_marker("slow")}
    if slow_files and config.getoption("markexpr") != "not slow":
        use_one_engine_a_file()
    items.sort(key=lambda item: item.path not in slow_files)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """RELABEL_HOME and RELABEL_DATA in a temporary folder, with the corpus `tiny`."""
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELABEL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    write_corpus(tmp_path / "data" / "tiny")
    return tmp_path


@pytest.fixture(scope="session")
def finished_home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home with a finished run of `tiny`, whose corpus is in ../data. Tests must only read it."""
    from relabel_assets.running import runner
    from relabel_assets.tables.tables import TABLES

    folder = tmp_path_factory.mktemp("finished")
    write_runs(write_corpus(folder / "data" / "tiny") / "runs")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELABEL_HOME", str(folder / "home"))
        patch.setenv("RELABEL_DATA", str(folder / "data"))
        project, _ = runner.from_environment()
        outcome = runner.run_corpus(project, "tiny", list(TABLES))
    assert outcome.is_success, outcome.failures
    return folder / "home"
