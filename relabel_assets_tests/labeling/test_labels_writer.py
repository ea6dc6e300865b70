"""Merging parts into one labels file: formats, order, and a file that cannot be written."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.labeling.labels_writer import (
    in_order_of_parts,
    in_order_of_rows,
    merge_parts,
    writer_of,
)


@pytest.fixture
def parts(tmp_path: Path) -> Path:
    """Two parts of two rows; the third row has no grade."""
    folder = tmp_path / "parts"
    folder.mkdir()
    labels = pl.DataFrame(
        {
            "row": [0, 1, 2, 3],
            "status": ["ok", "ok", "set_aside", "ok"],
            "status_reason": [None, None, "no text", None],
            "grade_probs": [[1.0, 0.0], [0.25, 0.75], None, [0.5, 0.5]],
        }
    )
    labels[:2].write_parquet(folder / "00000000.parquet")
    labels[2:].write_parquet(folder / "00000001.parquet")
    return folder


READERS = {"parquet": pl.read_parquet, "csv": pl.read_csv, "jsonl": pl.read_ndjson}


@pytest.mark.parametrize("ending", list(READERS))
def test_rows_come_in_the_order_of_parts_in_every_format(parts: Path, ending: str) -> None:
    out = parts.with_name(f"labels.{ending}")
    counts = merge_parts(in_order_of_parts(parts), parts, out)
    labels = READERS[ending](out)
    assert labels["row"].to_list() == [0, 1, 2, 3]
    assert labels["status_reason"].to_list() == [None, None, "no text", None]
    assert counts.rows() == [("ok", None, 3), ("set_aside", "no text", 1)]


def test_rows_of_buckets_are_sorted_a_window_at_a_time(tmp_path: Path) -> None:
    for number, rows in enumerate(([0, 3, 4, 9], [1, 2, 5, 6], [7, 8])):
        pl.DataFrame({"row": rows}).write_parquet(tmp_path / f"{number:08}.parquet")
    windows = in_order_of_rows(tmp_path, n_rows=10, rows_per_window=4)
    assert [window["row"].to_list() for window in windows] == [[0, 1, 2, 3], [4, 5, 6, 7], [8, 9]]


def test_probabilities_of_a_csv_are_joined_by_semicolons(parts: Path) -> None:
    merge_parts(in_order_of_parts(parts), parts, parts.with_name("labels.csv"))
    probs = pl.read_csv(parts.with_name("labels.csv"))["grade_probs"].to_list()
    assert probs == ["1.0;0.0", "0.25;0.75", None, "0.5;0.5"]


def test_parts_are_kept_if_the_labels_file_cannot_be_written(parts: Path) -> None:
    out = parts.with_name("labels.parquet")
    out.mkdir()
    with pytest.raises(ConfigError, match=r"cannot be written.*run this again"):
        merge_parts(in_order_of_parts(parts), parts, out)
    assert len(list(parts.iterdir())) == 2
    assert not list(parts.parent.glob(".labels*"))


def test_an_unknown_ending_is_refused_and_known_ones_are_named() -> None:
    with pytest.raises(ConfigError, match=r"Endings: \.parquet, \.csv, \.jsonl\."):
        writer_of(Path("labels.json"))
