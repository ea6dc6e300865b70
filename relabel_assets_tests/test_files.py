"""files.whole: a file is replaced whole or not at all."""

import os
from pathlib import Path

import pytest

from relabel_assets.files import whole


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
