"""The vector store: what is kept, what goes, and what happens to a store that cannot be used."""

import logging
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from relabel_assets.student.vectors import store as module
from relabel_assets.student.vectors.store import VectorStore, stored_files

BASE = "base"


def key(name: str) -> bytes:
    return name.encode().ljust(32, b".")


def keep(
    folder: Path, *names: str, base: str = BASE, n_bytes: int = 100, **settings: int
) -> VectorStore:
    """A new store that keeps `names`, in one segment."""
    store = VectorStore(folder, **settings)
    store.put(base, {key(name): name.encode() * n_bytes for name in names})
    store.flush()
    return store


def has(folder: Path, *names: str, base: str = BASE) -> list[str]:
    """Those of `names` that a new store finds."""
    found = VectorStore(folder).get(base, [key(name) for name in names])
    return [name for name in names if key(name) in found]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "vectors"


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Iterator[list[str]]:
    """The notices, in a list that grows."""
    caplog.set_level(logging.WARNING, "relabel_assets.progress")
    logger = logging.getLogger("relabel_assets.progress")
    was, logger.propagate = logger.propagate, True
    messages: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: messages.append(record.getMessage())  # type: ignore[method-assign]
    logger.addHandler(handler)
    yield messages
    logger.removeHandler(handler)
    logger.propagate = was


def one_used_earlier(folder: Path, seconds: float = 1000) -> None:
    """Move the last use of every segment into the past."""
    for file in stored_files(folder):
        os.utime(file.path, (file.last_used_at - seconds, file.last_used_at - seconds))


def test_what_one_store_keeps_the_next_one_has(folder: Path) -> None:
    keep(folder, "a", "b")
    assert VectorStore(folder).get(BASE, [key("b"), key("x")]) == {key("b"): b"b" * 100}


def test_entries_are_of_their_base_alone(folder: Path) -> None:
    keep(folder, "a", base="one")
    assert has(folder, "a", base="one") == ["a"]
    assert has(folder, "a", base="other") == []


def test_a_store_has_what_waits_for_a_full_segment(folder: Path) -> None:
    store = VectorStore(folder)
    store.put(BASE, {key("a"): b"1"})
    assert store.get(BASE, [key("a")]) == {key("a"): b"1"}
    assert not folder.exists()


def test_a_full_segment_is_written_without_a_flush(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_SEGMENT_BYTES", 200)
    store = VectorStore(folder)
    store.put(BASE, {key("a"): b"1" * 199})
    assert has(folder, "a") == []
    store.put(BASE, {key("b"): b"1"})
    assert has(folder, "a", "b") == ["a", "b"]


def test_an_open_store_finds_what_another_one_writes(folder: Path) -> None:
    reader = VectorStore(folder)
    assert reader.get(BASE, [key("a")]) == {}
    keep(folder, "a")
    assert reader.get(BASE, [key("a")]).keys() == {key("a")}


@pytest.mark.parametrize("store", [VectorStore(), VectorStore(Path("/nowhere"), max_bytes=0)])
def test_without_a_folder_or_with_no_bytes_nothing_is_kept(store: VectorStore) -> None:
    store.put(BASE, {key("a"): b"1"})
    store.flush()
    assert store.get(BASE, [key("a")]) == {}
    assert not store.is_on


def test_the_folder_is_private(folder: Path) -> None:
    keep(folder, "a")
    assert [path.stat().st_mode & 0o077 for path in (folder, folder / BASE)] == [0, 0]


# The limit


def size_of_one(folder: Path) -> int:
    keep(folder, "a")
    (file,) = stored_files(folder)
    return file.n_bytes


def test_the_least_recently_used_segment_goes_first(folder: Path) -> None:
    limit = 2 * size_of_one(folder)
    keep(folder, "b")
    one_used_earlier(folder)
    assert has(folder, "a") == ["a"]  # b was used longer ago now
    keep(folder, "c", max_bytes=limit)
    assert has(folder, "a", "b", "c") == ["a", "c"]


def test_reading_an_entry_makes_its_segment_the_last_used(folder: Path) -> None:
    keep(folder, "a")
    keep(folder, "b")
    one_used_earlier(folder)
    before = {file.path: file.last_used_at for file in stored_files(folder)}
    assert has(folder, "a") == ["a"]
    later = [file for file in stored_files(folder) if file.last_used_at > before[file.path]]
    assert [b"a" * 100 in file.path.read_bytes() for file in later] == [True]


def test_the_limit_is_of_all_bases_together(folder: Path) -> None:
    limit = size_of_one(folder)
    one_used_earlier(folder)
    keep(folder, "b", base="other", max_bytes=limit)
    assert (has(folder, "a"), has(folder, "b", base="other")) == ([], ["b"])


def test_a_store_that_is_exactly_full_removes_nothing(folder: Path) -> None:
    limit = size_of_one(folder) + 100  # the bytes of one more entry
    one_used_earlier(folder)
    keep(folder, "b", max_bytes=limit)
    assert has(folder, "a", "b") == ["a", "b"]


def test_what_was_used_since_the_store_was_opened_stays(folder: Path, said: list[str]) -> None:
    limit = size_of_one(folder)
    one_used_earlier(folder)
    store = VectorStore(folder, limit)
    assert store.get(BASE, [key("a")])
    store.put(BASE, {key("b"): b"b" * 100})
    store.flush()
    assert has(folder, "a", "b") == ["a"]
    assert len(said) == 1 and "it is full" in said[0] and "RELABEL_VECTORS_GB" in said[0]
    store.put(BASE, {key("c"): b"c"})  # and it is not tried again
    store.flush()
    assert len(said) == 1


def test_an_entry_larger_than_the_limit_removes_nothing(folder: Path) -> None:
    limit = size_of_one(folder)
    one_used_earlier(folder)
    keep(folder, "b", n_bytes=10_000, max_bytes=limit)
    assert has(folder, "a", "b") == ["a"]


@pytest.mark.parametrize(("n_spare", "expected"), [(100, ["a", "b"]), (99, ["b"])])
def test_two_gigabytes_of_the_disk_stay_free(
    folder: Path, monkeypatch: pytest.MonkeyPatch, n_spare: int, expected: list[str]
) -> None:
    size_of_one(folder)
    one_used_earlier(folder)
    usage = shutil.disk_usage(folder)._replace(free=2_000_000_000 + n_spare)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage)
    keep(folder, "b")
    assert has(folder, "a", "b") == expected


def test_small_segments_become_one_and_other_stores_find_their_entries(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MAX_SMALL_SEGMENTS", 4)
    for name in "abc":
        keep(folder, name)
    reader = VectorStore(folder)
    assert reader.get(BASE, [key("a")])
    writer = VectorStore(folder)
    assert writer.get(BASE, [key("x")]) == {}  # opens the segments
    writer.put(BASE, {key("d"): b"d"})
    writer.flush()
    assert len(list(stored_files(folder))) == 1
    assert has(folder, *"abcd") == list("abcd")
    assert len(reader.get(BASE, [key(name) for name in "abcd"])) == 4
    keep(folder, "e")
    assert writer.get(BASE, [key("e")]), "a merged store goes on"


# A store that is damaged or cannot be used


def test_a_damaged_segment_is_removed_and_said_once(folder: Path, said: list[str]) -> None:
    keep(folder, "a", "b")
    keep(folder, "c")
    damaged = next(file.path for file in stored_files(folder) if b"aaa" in file.path.read_bytes())
    damaged.write_bytes(damaged.read_bytes().replace(b"aaa", b"aax"))
    store = VectorStore(folder)
    keys = [key(name) for name in "abc"]
    assert key("a") not in store.get(BASE, keys)
    assert key("c") in store.get(BASE, keys)
    assert not damaged.exists()
    assert said == [
        f"{damaged} is damaged (an entry has another checksum). Its documents are read again."
    ]
    store.put(BASE, {key("a"): b"again"})
    store.flush()
    assert VectorStore(folder).get(BASE, [key("a")]) == {key("a"): b"again"}


def test_a_segment_that_is_cut_short_is_removed(folder: Path, said: list[str]) -> None:
    keep(folder, "a")
    (file,) = stored_files(folder)
    os.truncate(file.path, 20)
    assert has(folder, "a") == []
    assert not file.path.exists() and len(said) == 1


def test_a_segment_that_cannot_be_read_is_said_once_and_stays(
    folder: Path, said: list[str]
) -> None:
    keep(folder, "a")
    odd = folder / BASE / "0.vectors"
    odd.mkdir()
    store = VectorStore(folder)
    for name in "ab":
        store.get(BASE, [key(name), key("x")])
    assert said == [f"{odd} cannot be read: Is a directory. Its documents are read again."]
    assert store.get(BASE, [key("a")]) and odd.exists()


def test_a_segment_that_vanishes_is_a_miss_without_a_notice(folder: Path, said: list[str]) -> None:
    keep(folder, "a")
    store = VectorStore(folder)
    assert store.get(BASE, [key("a")])
    shutil.rmtree(folder)
    assert store.get(BASE, [key("a")]) == {}
    store.put(BASE, {key("a"): b"again"})
    store.flush()
    assert has(folder, "a") == ["a"]
    assert said == []


def test_a_folder_that_cannot_be_written_is_said_once(tmp_path: Path, said: list[str]) -> None:
    (tmp_path / "vectors").write_text("a file in the folder's place")
    store = VectorStore(tmp_path / "vectors")
    for name in "ab":
        assert store.get(BASE, [key(name)]) == {}
        store.put(BASE, {key(name): b"1"})
        store.flush()
    (message,) = said
    assert message.startswith(f"vectors of documents are not kept in {tmp_path / 'vectors'}: ")
    assert message.endswith("The next run reads them again.")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_home_without_the_right_to_write_is_still_read(folder: Path, said: list[str]) -> None:
    keep(folder, "a")
    for path in (folder / BASE, folder):
        path.chmod(0o500)
    store = VectorStore(folder)
    assert store.get(BASE, [key("a")])
    store.put(BASE, {key("b"): b"1"})
    store.flush()
    assert len(said) == 1
    for path in (folder, folder / BASE):
        path.chmod(0o700)


def test_scratch_files_of_killed_processes_go_after_an_hour(folder: Path) -> None:
    keep(folder, "a")
    for name, age_s in (("old", 3700), ("new", 3500)):
        half = folder / BASE / f".{name}.vectors.half"
        half.touch()
        os.utime(half, (half.stat().st_mtime - age_s,) * 2)
    keep(folder, "b")
    assert [half.name for half in folder.rglob("*.half")] == [".new.vectors.half"]
    assert has(folder, "a", "b") == ["a", "b"]
