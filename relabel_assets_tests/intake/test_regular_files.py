"""Files of a corpus: only regular ones inside its folder are opened."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from relabel_assets.intake import regular_files
from relabel_assets.intake.input_limits import MAX_FOLDER_DEPTH, MAX_LINE_BYTES
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.regular_files import (
    numbered_lines,
    open_regular,
    open_text,
    read_regular,
    walk,
)


def _socket(path: Path) -> None:
    # A socket's path is at most 107 bytes: bind by the name alone.
    before = Path.cwd()
    os.chdir(path.parent)
    try:
        socket.socket(socket.AF_UNIX).bind(path.name)
    finally:
        os.chdir(before)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (os.mkfifo, "it is a pipe"),
        (os.mkdir, "it is a folder"),
        (_socket, "it "),
        (lambda path: path.symlink_to("/dev/zero"), "link out of the corpus"),
        (lambda path: path.symlink_to("/etc/hostname"), "link out of the corpus"),
        (lambda path: path.symlink_to(path), "link to nothing"),
        (lambda path: path.symlink_to(path.with_name("gone")), "no such file"),
        (lambda path: path.symlink_to(b"\xff".decode("utf-8", "surrogateescape")), "no such file"),
        (lambda path: None, "no such file"),
    ],
)
def test_anything_but_a_regular_file_is_set_aside(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    make(tmp_path / "rows.jsonl")
    with pytest.raises(SetAside, match=message) as raised:
        open_regular(tmp_path, "rows.jsonl", max_bytes=100)
    assert raised.value.remedy


@pytest.mark.parametrize("name", ["../secret", "/etc/hostname", "a/../../secret"])
def test_a_name_outside_the_folder_is_set_aside(tmp_path: Path, name: str) -> None:
    (tmp_path / "secret").write_text("x")
    root = tmp_path / "corpus"
    root.mkdir()
    with pytest.raises(SetAside, match="outside the corpus folder"):
        open_regular(root, name, max_bytes=100)


def test_a_link_inside_the_folder_is_followed_and_the_folder_may_be_a_link(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "real" / "a.md").write_text("text")
    (tmp_path / "real" / "b.md").symlink_to("a.md")
    (tmp_path / "corpus").symlink_to("real")
    assert read_regular(tmp_path / "corpus", "b.md", max_bytes=4) == b"text"


def test_the_limit_of_bytes_is_inclusive(tmp_path: Path) -> None:
    (tmp_path / "a.md").write_bytes(b"12345")
    assert read_regular(tmp_path, "a.md", max_bytes=5) == b"12345"
    with pytest.raises(SetAside, match="it has 5 bytes; at most 4 are read"):
        read_regular(tmp_path, "a.md", max_bytes=4)


@pytest.mark.parametrize(
    ("start", "packer"),
    [(b"\x1f\x8b\x08", "gzip"), (b"PK\x03\x04", "zip"), (b"BZh9", "bzip2"), (b"\xfd7zXZ\0", "xz")],
)
def test_a_packed_file_is_not_text(tmp_path: Path, start: bytes, packer: str) -> None:
    (tmp_path / "documents.csv").write_bytes(start + b"rest")
    with pytest.raises(SetAside, match=rf"packed \({packer}\)"):
        open_text(tmp_path, "documents.csv", max_bytes=100)


def test_a_long_line_is_cut_and_later_lines_keep_their_numbers(tmp_path: Path) -> None:
    with (tmp_path / "rows").open("wb") as file:
        file.write(b"one\n" + b"x" * (3 * MAX_LINE_BYTES) + b"\nthree\n" + b"x" * MAX_LINE_BYTES)
    with open_text(tmp_path, "rows", max_bytes=2**40) as file:
        lines = [(number, len(raw)) for number, raw in numbered_lines(file)]
    assert lines == [(1, 4), (2, MAX_LINE_BYTES + 1), (3, 6), (4, MAX_LINE_BYTES)]


def test_walking_names_each_file_once_in_the_order_of_paths(tmp_path: Path) -> None:
    for name in ("b.md", "a/z.md", "a.md", "a/b/c.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path)
    (tmp_path / "gone.md").symlink_to("nowhere")
    found = [(name, fault and fault.message) for name, fault in walk(tmp_path)]
    assert found == [
        ("a/b/c.md", None),
        ("a/z.md", None),
        ("a.md", None),
        ("b.md", None),
        ("gone.md", None),
        ("loop", "it is a link to a folder around it, a loop"),
    ]


def found_in(root: Path, inside: Path) -> dict[str, str | None]:
    return {name: fault and fault.message for name, fault in walk(root, inside=inside)}


def test_a_link_to_a_folder_is_followed_inside_the_corpus_and_named_elsewhere(
    tmp_path: Path,
) -> None:
    corpus, documents = tmp_path / "c", tmp_path / "c" / "documents"
    for folder in (documents / "a", corpus / "shared" / "deep", tmp_path / "other"):
        folder.mkdir(parents=True)
        (folder / "x.md").write_text("x")
    (documents / "shared").symlink_to("../shared")
    (documents / "again").symlink_to("a")
    (documents / "other").symlink_to(tmp_path / "other")
    (corpus / "shared" / "deep" / "up").symlink_to("..")
    (corpus / "shared" / "deep" / "all").symlink_to(corpus)
    out, loop = (
        "it is a link to a folder out of the corpus",
        "it is a link to a folder around it, a loop",
    )
    assert found_in(documents, corpus) == {
        "a/x.md": None,
        "again/x.md": None,
        "other": out,
        "shared/deep/all": loop,
        "shared/deep/up": loop,
        "shared/deep/x.md": None,
    }
    assert found_in(documents, documents)["shared"] == out


def test_links_that_multiply_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Twelve folders with two links each to the next are 4,096 paths to the last."""
    monkeypatch.setattr(regular_files, "MAX_LINKED_FILES", 50)
    for n in range(12):
        (tmp_path / f"d{n}").mkdir()
        (tmp_path / f"d{n}" / "x.md").write_text("x")
        for name in ("one", "two"):
            (tmp_path / f"d{n}" / name).symlink_to(f"../d{n + 1}")
    faults = [fault for fault in found_in(tmp_path, tmp_path).values() if fault]
    assert any("more than 50 files" in fault for fault in faults)
    assert len(faults) < 200


def test_folders_are_walked_to_a_depth(tmp_path: Path) -> None:
    deepest = tmp_path.joinpath(*["d"] * MAX_FOLDER_DEPTH)
    (deepest / "e").mkdir(parents=True)
    (deepest / "in.md").write_text("x")
    (deepest / "e" / "out.md").write_text("x")
    faults = {name.rpartition("/")[2]: fault for name, fault in walk(tmp_path)}
    assert faults["in.md"] is None
    assert "folders deep" in faults["e"].message
    assert "out.md" not in faults
