"""Dates and authors of files by the history of git: a real repository, and what git is kept from running."""

import subprocess
from pathlib import Path

import pytest

from relabel_assets.corpus.documents_folder.file_documents import documents_from_files
from relabel_assets.corpus.documents_folder.git_dates import LastChange, last_changes
from relabel_assets.intake.set_aside import SetAside
from relabel_assets_tests.corpus.files import folder, write

OLD, NEW = "2020-01-02T03:04:05+00:00", "2024-05-06T07:08:09+02:00"


def git(where: Path, *arguments: str) -> None:
    subprocess.run(["git", *arguments], cwd=where, check=True, capture_output=True)


def commit(where: Path, date: str, author: str) -> None:
    git(where, "add", "-A")
    settings = ("-c", f"user.name={author}", "-c", f"user.email={author}@x.org")
    git(where, *settings, "commit", "-q", "-m", "x", "--date", date)


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    write(
        tmp_path / "data" / "c",
        {"documents/hr/a.md": "a", "documents/ü 1.md": "u", "other.txt": "x"},
    )
    git(tmp_path, "init", "-q")
    commit(tmp_path, OLD, "Ana")
    write(tmp_path / "data" / "c", {"documents/hr/a.md": "changed", "other.txt": "y"})
    commit(tmp_path, NEW, "Bo")
    write(tmp_path / "data" / "c", {"documents/new.md": "not committed"})
    return tmp_path / "data" / "c"


def test_each_file_has_the_date_and_author_of_its_last_commit(corpus: Path) -> None:
    names = ["hr/a.md", "ü 1.md", "new.md"]
    assert last_changes(corpus / "documents", names) == {
        "hr/a.md": LastChange(NEW, "Bo"),
        "ü 1.md": LastChange(OLD, "Ana"),
    }
    assert last_changes(corpus / "documents", ["hr/a.md"]) == {"hr/a.md": LastChange(NEW, "Bo")}


def test_a_file_at_the_edge_of_a_shallow_clone_has_no_date(corpus: Path, tmp_path: Path) -> None:
    git(tmp_path, "clone", "-q", "--depth", "1", tmp_path.as_uri(), "shallow")
    assert last_changes(tmp_path / "shallow/data/c/documents", ["hr/a.md", "ü 1.md"]) == {}


def test_without_a_history_there_is_a_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "documents").mkdir()
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    with pytest.raises(SetAside, match="not a git repository"):
        last_changes(tmp_path / "documents", ["a.md"])
    monkeypatch.setenv("PATH", "")
    with pytest.raises(SetAside, match="No such file"):
        last_changes(tmp_path / "documents", ["a.md"])


def test_the_settings_of_a_hostile_repository_run_nothing(corpus: Path, tmp_path: Path) -> None:
    marker = tmp_path / "ran"
    program = tmp_path / "evil.sh"
    program.write_text(f"#!/bin/sh\ntouch {marker}\n")
    program.chmod(0o755)
    for key in ("core.fsmonitor", "core.pager", "diff.external", "gpg.program", "diff.x.textconv"):
        git(tmp_path, "config", key, str(program))
    git(tmp_path, "config", "log.showSignature", "true")
    (tmp_path / ".git" / "info" / "attributes").write_text("* diff=x\n")
    assert last_changes(corpus / "documents", ["hr/a.md"])
    assert not marker.exists()


def test_a_document_that_states_a_date_keeps_it() -> None:
    files = [("a.md", b"---\ndate: 2021-01-01\n---\nText."), ("b.md", b"Text.")]
    changes = {name: LastChange(NEW, "Bo") for name, _ in files}
    stated, dated = documents_from_files(files, folder="documents", problems=[], changes=changes)
    assert (stated["updated_at"], stated["author"]) == ("2021-01-01", "Bo")
    assert (dated["updated_at"], dated["author"]) == (NEW, "Bo")


def test_the_setting_dates_documents_and_a_new_commit_changes_the_fingerprint(
    tmp_path: Path,
) -> None:
    off = folder(tmp_path, {"documents/a.md": "Text."})
    git(tmp_path, "init", "-q")
    commit(tmp_path, OLD, "Ana")
    assert off.documents().frame["updated_at"].to_list() == [None]
    plain = off.fingerprint("documents")
    on = folder(tmp_path, {"corpus.yaml": "documents: {git_dates: true}"})
    assert on.documents().frame["updated_at"].to_list() == [OLD]
    before = on.fingerprint("documents")
    write(on.path, {"documents/a.md": "Other."})
    commit(tmp_path, NEW, "Bo")
    write(on.path, {"documents/a.md": "Text."})
    assert off.fingerprint("documents") == plain
    assert on.fingerprint("documents") != before


def test_a_setting_without_a_history_is_a_problem_and_all_documents_are_read(
    tmp_path: Path,
) -> None:
    corpus = folder(
        tmp_path, {"corpus.yaml": "documents: {git_dates: true}", "documents/a.md": "Text."}
    )
    reading = corpus.documents()
    assert reading.frame.height == 1
    assert [problem.file for problem in reading.problems] == ["corpus.yaml"]
