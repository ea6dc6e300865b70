"""Rows on the disk: sorted in buckets, and gone with the object that holds them."""

import random
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.errors import WarehouseError
from relabel_assets.warehouse import spool as module
from relabel_assets.warehouse.spool import Spool


def rows(*ids: str) -> pl.DataFrame:
    texts = [None if doc_id == "null" else doc_id * 3 for doc_id in ids]
    return pl.DataFrame(
        {"doc_id": ids, "body": texts}, schema={"doc_id": pl.String, "body": pl.String}
    )


@pytest.mark.parametrize("bucket_bytes", [1, 50, 1_000_000])
def test_rows_are_sorted_by_the_bytes_of_their_keys_however_many_buckets(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bucket_bytes: int
) -> None:
    monkeypatch.setattr(module, "_BUCKET_BYTES", bucket_bytes)
    ids = [f"{letter}{n}" for letter in ("a", "é", "Z", "雪") for n in range(20)] + ["null"]
    random.Random(1).shuffle(ids)
    spool = Spool(tmp_path, "doc_id")
    for start in range(0, len(ids), 7):
        spool.add(rows(*ids[start : start + 7]))
    expected = pl.concat(spool).sort("doc_id")
    assert pl.concat(spool.sorted()).equals(expected)
    assert spool.sorted().height == len(ids)
    assert pl.concat(spool)["doc_id"].to_list() == ids


def test_buckets_have_a_bounded_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is an open file."""
    monkeypatch.setattr(module, "_BUCKET_BYTES", 1)
    monkeypatch.setattr(module, "_MOST_BUCKETS", 4)
    spool = Spool(tmp_path, "doc_id")
    spool.add(rows(*(f"{n:03}" for n in range(100))))
    assert 2 <= spool._first_of_buckets().len() <= 4


def test_frames_of_sorted_rows_are_bounded_by_their_text(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_FRAME_BYTES", 20)
    spool = Spool(tmp_path, "doc_id")
    spool.add(rows("a", "b", "c" * 100, "d", "e"))
    assert max(frame.height for frame in spool.sorted()) < 5


def test_head_goes_over_frames(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "doc_id")
    for doc_id in ("b", "a", "c"):
        spool.add(rows(doc_id))
    assert spool.head(2)["doc_id"].to_list() == ["b", "a"]
    assert spool.head(9).height == 3


def test_an_empty_spool_is_empty(tmp_path: Path) -> None:
    spool = Spool(tmp_path, "doc_id")
    assert spool.is_empty()
    assert list(spool.sorted()) == []


def test_nothing_is_left_in_the_folder(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "scratch", "doc_id")
    spool.add(rows("a"))
    assert list((tmp_path / "scratch").iterdir()) == []


def test_a_folder_that_cannot_be_used_is_a_warehouse_error(tmp_path: Path) -> None:
    (tmp_path / "scratch").write_text("a file in its place")
    with pytest.raises(WarehouseError, match=r"scratch.*RELABEL_HOME"):
        Spool(tmp_path / "scratch", "doc_id")
