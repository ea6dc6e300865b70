"""A segment: its entries come back, and any damage is noticed."""

from pathlib import Path

import pytest

from relabel_assets.student.vectors.segment import DamagedSegmentError, Segment, write_segment

ENTRIES = {bytes([n]) * 32: bytes([n]) * (n * 20) for n in range(4)}  # the first one is empty


@pytest.fixture
def path(tmp_path: Path) -> Path:
    path = tmp_path / "a.vectors"
    write_segment(path, ENTRIES)
    return path


def read_all(path: Path) -> dict[bytes, bytes]:
    segment = Segment.open(path)
    keys = segment.keys
    return {keys[row]: content for row, content in segment.read(range(len(keys)))}


def test_entries_come_back(path: Path) -> None:
    assert read_all(path) == ENTRIES


def test_rows_are_read_in_the_order_of_the_file(path: Path) -> None:
    assert [row for row, _ in Segment.open(path).read([3, 1])] == [1, 3]


def test_a_segment_without_entries_is_one(tmp_path: Path) -> None:
    write_segment(tmp_path / "b.vectors", {})
    assert read_all(tmp_path / "b.vectors") == {}


def test_no_flipped_bit_goes_unnoticed(path: Path) -> None:
    whole = path.read_bytes()
    for place in range(len(whole)):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(DamagedSegmentError):
            read_all(path)


def test_no_cut_goes_unnoticed(path: Path) -> None:
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(DamagedSegmentError):
            read_all(path)


def test_a_damaged_entry_costs_itself(path: Path) -> None:
    whole = path.read_bytes()
    path.write_bytes(whole[:-1] + b"x")
    segment = Segment.open(path)
    assert dict(segment.read([1, 2])) == {1: b"\1" * 20, 2: b"\2" * 40}
    with pytest.raises(DamagedSegmentError, match="an entry has another checksum"):
        dict(segment.read([3]))


def test_a_failed_write_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "a.vectors").mkdir()
    with pytest.raises(OSError, match="no regular file"):
        write_segment(tmp_path / "a.vectors", ENTRIES)
    assert list(tmp_path.iterdir()) == [tmp_path / "a.vectors"]
