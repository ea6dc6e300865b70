"""Removing a corpus: everything that runs made of it goes, and nothing else."""

import shutil
from pathlib import Path

import pytest

from relabel_assets.errors import CorpusError, Problem
from relabel_assets.graph.partitions import add_partitions
from relabel_assets.graph.project import Project
from relabel_assets.running.dagster_state import open_instance
from relabel_assets.upkeep.remove_corpus import refuse_present, removal_of, remove
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel
from relabel_assets_tests.warehouse.rows import HASH, labels

FILES = ("models/{}/m1/student.json", "models/{}/m2/weights", "reports/{}.html", "cache/{}/cache")
LEDGER = ("ledger/{}/2026-01-01.jsonl", "ledger/{}.batches/state.json")


@pytest.fixture
def project(tmp_path: Path) -> Project:
    (tmp_path / "data" / "kept").mkdir(parents=True)
    project = Project(home_path=str(tmp_path / "home"), data_path=str(tmp_path / "data"))
    for corpus in ("gone", "kept", "gone_too"):
        put(project, corpus)
    return project


def put(project: Project, corpus: str) -> None:
    problem = Problem("a.md", None, "it is empty", "Fill it.")
    warehouse_of(project).replace(
        "student_labels", corpus, labels("q1", "q2"), input_hash=HASH, problems=[problem]
    )
    for place in (*FILES, *LEDGER):
        file = project.home.path / place.format(corpus)
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text("{}")


def warehouse_of(project: Project) -> Warehouse:
    return Warehouse.at(project.home.warehouse)


def files_of(project: Project, corpus: str) -> set[str]:
    home = project.home.path
    return {
        str(path.relative_to(home))
        for path in home.rglob("*")
        if corpus in {part.partition("=")[2] or part for part in path.parts}
        or path.name in (f"{corpus}.html", f"{corpus}.batches")
    }


def test_rows_files_and_copies_of_one_corpus_go_and_the_ledger_stays(project: Project) -> None:
    warehouse = warehouse_of(project)
    others = {name: files_of(project, name) for name in ("kept", "gone_too")}
    removal = removal_of(project, warehouse, "gone")
    assert removal.rows == {
        "student_labels": 2,
        "materializations": 1,
        "grade_history": 2,
        "set_aside": 1,
    }
    assert removal.files == {"models/gone": 4, "reports/gone.html": 2, "cache/gone": 2}
    remove(project, warehouse, removal)
    assert warehouse.rows_of("gone") == {}
    assert {place.split("/")[0] for place in files_of(project, "gone")} == {"ledger"}
    assert warehouse.read_replica("select distinct corpus from labels order by all").rows() == [
        ("gone_too",),
        ("kept",),
    ]
    for name, files in others.items():
        assert files_of(project, name) == files
        assert warehouse.rows_of(name) == removal.rows


def test_the_ledger_goes_where_that_is_asked_for(project: Project) -> None:
    warehouse = warehouse_of(project)
    remove(project, warehouse, removal_of(project, warehouse, "gone"), with_ledger=True)
    assert files_of(project, "gone") == set()
    assert (project.home.ledger / "kept").is_dir()
    with pytest.raises(CorpusError, match="Corpora with rows: gone_too, kept"):
        removal_of(project, warehouse, "gone")


def test_a_removal_that_was_interrupted_after_the_rows_can_be_finished(project: Project) -> None:
    warehouse = warehouse_of(project)
    warehouse.remove("gone")
    rest = removal_of(project, warehouse, "gone")
    assert (rest.rows, len(rest.files)) == ({}, 3)
    remove(project, warehouse, rest)
    assert not (project.home.models / "gone").exists()


def test_a_corpus_whose_folder_is_there_is_refused_and_says_what_to_do(project: Project) -> None:
    with pytest.raises(CorpusError, match=r"Move the folder away.*--keep-folder"):
        refuse_present(project, "kept")
    refuse_present(project, "gone")
    (Path(project.data_path) / "gone").symlink_to("/nowhere")
    with pytest.raises(CorpusError, match="Move the folder away"):
        refuse_present(project, "gone")


@pytest.mark.parametrize("name", ["../kept", "", "a/b", "Gone", "%", ".", "gone\0"])
def test_a_name_that_no_corpus_has_removes_nothing(project: Project, name: str) -> None:
    with pytest.raises(CorpusError, match="is no corpus"):
        removal_of(project, warehouse_of(project), name)


def test_an_empty_home_has_nothing_to_remove(tmp_path: Path) -> None:
    project = Project(home_path=str(tmp_path / "home"), data_path=str(tmp_path / "data"))
    with pytest.raises(CorpusError, match=r"nothing of a corpus 'x'.*Corpora with rows: none"):
        removal_of(project, warehouse_of(project), "x")
    assert not (tmp_path / "home").exists()


@pytest.mark.slow
def test_the_command_prints_what_goes_and_removes_it_with_yes_alone(home: Path) -> None:
    project = Project.from_environment()
    put(project, "gone")
    (project.home.dagster).mkdir(parents=True, exist_ok=True)
    (project.home.dagster / "dagster.yaml").touch()
    with open_instance(project.home) as instance:
        add_partitions(instance, ["gone", "tiny"])
    dry = relabel("corpora", "remove", "gone")
    assert dry.returncode == 0, dry.stderr
    assert "rows of student_labels: 2" in dry.stdout
    assert "Nothing was removed. Add --yes" in dry.stdout
    assert relabel("corpora", "remove", "gone", "--yes", "--dry-run").returncode == 0
    assert warehouse_of(project).rows_of("gone")
    removed = relabel("corpora", "remove", "gone", "--yes", "--with-ledger")
    assert removed.returncode == 0, removed.stderr
    assert not warehouse_of(project).rows_of("gone")
    with open_instance(project.home) as instance:
        assert instance.get_dynamic_partitions("corpus") == ["tiny"]
    refused = relabel("corpora", "remove", "tiny", "--yes")
    assert refused.returncode == CorpusError.exit_code
    put(project, "tiny")
    before = sorted((home / "data" / "tiny").rglob("*"))
    assert relabel("corpora", "remove", "tiny", "--yes", "--keep-folder").returncode == 0
    assert sorted((home / "data" / "tiny").rglob("*")) == before
    shutil.rmtree(home / "home")
