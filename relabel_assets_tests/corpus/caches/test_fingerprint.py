"""Fingerprints: the same with and without a cache, and which files are read again."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from relabel_assets.corpus.caches import content_hashes
from relabel_assets.corpus.caches.cache_file import CacheFile
from relabel_assets.corpus.caches.content_hashes import ContentHashes
from relabel_assets.corpus.caches.fingerprint import fingerprint
from relabel_assets.corpus.corpus_files import PARTS, CorpusFiles

_NOW = time.time_ns


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of three files, long ago: none of them is racy."""
    root = tmp_path / "corpus"
    root.mkdir()
    for name in ("a.md", "b.md", "c.md"):
        (root / name).write_text(name)
    wait(monkeypatch)
    return root


def wait(monkeypatch: pytest.MonkeyPatch, seconds: float = 10.0) -> None:
    """Let `seconds` pass, as far as looks at files can tell."""
    monkeypatch.setattr(time, "time_ns", lambda: _NOW() + int(seconds * 1e9))


def read_again(root: Path, cache: Path) -> int:
    """How many files a look reads."""
    with CacheFile(cache) as kept:
        hashes = ContentHashes(root, kept)
        for file in sorted(file.name for file in root.iterdir()):
            hashes.of(file)
        return hashes.n_read


def print_of(root: Path, cache: Path | None = None) -> str:
    return fingerprint(root, lambda file: True, cache=cache)


def test_an_unchanged_file_is_not_read_again(root: Path, tmp_path: Path) -> None:
    assert read_again(root, tmp_path / "cache") == 3
    assert read_again(root, tmp_path / "cache") == 0
    assert print_of(root, tmp_path / "cache") == print_of(root)


def restore_times(file: Path, content: str) -> None:
    """Write `content`, and set the modification time back, as rsync and tar do."""
    status = file.stat()
    file.write_text(content)
    os.utime(file, ns=(status.st_atime_ns, status.st_mtime_ns))


def replace(file: Path, content: str) -> None:
    scratch = file.with_suffix(".new")
    scratch.write_text(content)
    os.utime(scratch, ns=(file.stat().st_atime_ns, file.stat().st_mtime_ns))
    scratch.replace(file)


@pytest.mark.parametrize(
    "change",
    [
        lambda file: file.write_text("B.MD"),
        lambda file: file.write_text("longer"),
        lambda file: restore_times(file, "B.MD"),
        lambda file: replace(file, "B.MD"),
    ],
    ids=["content", "size", "time set back", "replaced, time set back"],
)
def test_a_changed_file_alone_is_read_again(
    root: Path, tmp_path: Path, change: Callable[[Path], object]
) -> None:
    cache = tmp_path / "cache"
    before = print_of(root, cache)
    change(root / "b.md")
    with CacheFile(cache) as kept:
        hashes = ContentHashes(root, kept)
        for file in ("a.md", "b.md", "c.md"):
            hashes.of(file)
        assert hashes.n_read == 1
    assert print_of(root, cache) == print_of(root) != before


def test_a_touched_file_has_the_same_fingerprint(root: Path, tmp_path: Path) -> None:
    before = print_of(root, tmp_path / "cache")
    (root / "b.md").touch()
    assert print_of(root, tmp_path / "cache") == before


def test_a_file_that_was_written_just_now_is_read_again(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It may be written again within one step of the file system's clock."""
    wait(monkeypatch, 1.0)
    cache = tmp_path / "cache"
    assert [read_again(root, cache), read_again(root, cache)] == [3, 3]
    wait(monkeypatch, 3.0)
    assert [read_again(root, cache), read_again(root, cache)] == [3, 0]


def test_a_link_is_always_followed(root: Path, tmp_path: Path) -> None:
    """The status of a link tells nothing of what it leads to."""
    (root / "link.md").symlink_to("a.md")
    cache = tmp_path / "cache"
    assert [read_again(root, cache), read_again(root, cache)] == [4, 1]


def test_a_link_in_place_of_a_file_is_not_taken_for_it(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    print_of(root, cache)
    (tmp_path / "secret").write_text("a.md")
    (root / "a.md").unlink()
    (root / "a.md").symlink_to(tmp_path / "secret")
    assert print_of(root, cache) == print_of(root)


@pytest.mark.parametrize("content", [b"no database", b"SQLite format 3\0" + b"\xff" * 5000, b""])
def test_a_damaged_cache_costs_time_alone(root: Path, tmp_path: Path, content: bytes) -> None:
    cache = tmp_path / "cache"
    cache.mkdir()
    (cache / "files.sqlite").write_bytes(content)
    assert print_of(root, cache) == print_of(root)
    print_of(root, cache)
    assert read_again(root, cache) == 0


def test_a_cache_of_another_version_is_begun_again(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    print_of(root, cache)
    with sqlite3.connect(cache / "files.sqlite") as con:
        con.execute("pragma user_version = 99")
        con.execute("drop table hashes")
    con.close()
    assert [read_again(root, cache), read_again(root, cache)] == [3, 0]


def test_a_cache_that_cannot_be_written_is_no_error(root: Path, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("a file in place of the folder")
    assert print_of(root, tmp_path / "cache") == print_of(root)


def test_a_cache_that_another_process_holds_is_no_error(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relabel_assets.corpus.caches.cache_file._LOCK_TIMEOUT_S", 0.05)
    cache = tmp_path / "cache"
    print_of(root, cache)
    with sqlite3.connect(cache / "files.sqlite") as con:
        con.execute("begin exclusive")
        assert print_of(root, cache) == print_of(root)
    con.close()


def test_an_interrupted_look_keeps_what_it_read(root: Path, tmp_path: Path) -> None:
    cache = tmp_path / "cache"

    def interrupted(file: str) -> bool:
        if file == "c.md":
            raise KeyboardInterrupt
        return True

    with pytest.raises(KeyboardInterrupt):
        fingerprint(root, interrupted, cache=cache)
    assert read_again(root, cache) == 1


def test_rows_of_files_that_are_gone_do_not_pile_up(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(content_hashes, "_SPARE_ROWS", 0)
    cache = tmp_path / "cache"
    print_of(root, cache)
    (root / "a.md").unlink()
    (root / "b.md").unlink()
    print_of(root, cache)
    with sqlite3.connect(cache / "files.sqlite") as con:
        assert con.execute("select count(*) from hashes").fetchone()[0] <= 2
    con.close()


def test_folders_that_can_hold_no_file_of_a_part_are_not_walked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = """
        documents/a.md documents/runs/a.run queries.jsonl/a.jsonl queries.csv teacher_labels.csv
        qrels/test.tsv qrels/deep/test.tsv reference_labels/a.jsonl reference_labels.qrels labelers/a.jsonl
        reviews/a.jsonl reviews/samples/a.jsonl runs/a.run runs/systems.yaml other/a.run
    """
    for file in files.split():
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / file).write_text(file)
    outside = tmp_path.parent
    (tmp_path / "teacher_labels.jsonl").symlink_to(outside, target_is_directory=True)
    corpus = CorpusFiles("demo", tmp_path)
    walked, scandir = list[str](), os.scandir

    def see(path: Path) -> "Iterator[os.DirEntry[str]]":
        walked.append(path.name)
        return scandir(path)

    monkeypatch.setattr(os, "scandir", see)
    for part, (_, is_part) in PARTS.items():
        walked.clear()
        quick = corpus.fingerprint(part)
        assert ("documents" in walked) == (part in ("documents", "everything"))
        assert "other" not in walked or part == "everything"
        assert quick == fingerprint(tmp_path, is_part)
    assert len({corpus.fingerprint(part) for part in PARTS}) == len(PARTS)
