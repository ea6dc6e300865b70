"""files.whole: a file is replaced whole or not at all."""

import os
from pathlib import Path

import pytest

from relabel_assets.files import make_private, whole


def test_an_error_while_writing_leaves_the_old_file_and_no_scratch_file(tmp_path: Path) -> None:
    report = tmp_path / "report.txt"
    report.write_text("old")
    with pytest.raises(KeyboardInterrupt), whole(report) as scratch:
        scratch.write_text("half of the n")
        raise KeyboardInterrupt
    assert report.read_text() == "old"
    assert [file.name for file in tmp_path.iterdir()] == ["report.txt"]


def test_a_durable_file_is_flushed_before_it_gets_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = tmp_path / "state.json"
    names_at_flush: list[list[str]] = []
    monkeypatch.setattr(
        os,
        "fsync",
        lambda descriptor: names_at_flush.append(sorted(file.name for file in tmp_path.iterdir())),
    )
    with whole(state, is_durable=True) as scratch:
        scratch.write_text("{}")
    # The content is flushed first, then the folder with the new name.
    assert names_at_flush == [[".state.json.half"], ["state.json"]]


def test_without_durability_nothing_waits_for_the_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: pytest.fail("fsync is slow and was not asked for")
    )
    with whole(tmp_path / "new" / "page.html") as scratch:
        scratch.write_text("<p>")
    assert (tmp_path / "new" / "page.html").read_text() == "<p>"


@pytest.mark.parametrize("kind", ["folder", "pipe", "device"])
def test_what_is_no_regular_file_is_not_replaced(tmp_path: Path, kind: str) -> None:
    path = tmp_path / "labels.csv"
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to("/dev/null")
    mode = path.lstat().st_mode
    with pytest.raises(OSError, match="no regular file"), whole(path) as scratch:
        scratch.write_text("grade")
    assert path.lstat().st_mode == mode


def test_a_link_in_the_place_of_the_scratch_file_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("kept")
    (tmp_path / ".labels.csv.half").symlink_to(tmp_path / "other")
    with whole(tmp_path / "labels.csv") as scratch:
        scratch.write_text("grade")
    assert (tmp_path / "other").read_text() == "kept"
    assert (tmp_path / "labels.csv").read_text() == "grade"


def test_new_folders_are_private_and_existing_ones_are_not_changed(tmp_path: Path) -> None:
    (tmp_path / "shared").mkdir(mode=0o755)
    make_private(tmp_path / "shared" / "home" / "ledger")
    modes = [path.stat().st_mode & 0o777 for path in sorted(tmp_path.rglob("*"))]
    assert modes == [0o755, 0o700, 0o700]
    (tmp_path / "file").touch()
    with pytest.raises(FileExistsError):
        make_private(tmp_path / "file")
