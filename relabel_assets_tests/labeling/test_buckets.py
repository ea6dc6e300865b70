"""Buckets of whole queries: sizes, slices, and staging that was stopped."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.labeling import buckets
from relabel_assets.labeling.buckets import Bucket, staged_buckets
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
from relabel_assets_tests.labeling.graders import no_texts

pytestmark = pytest.mark.slow


def write(folder: Path, queries: list[str]) -> Path:
    """A file with a row for each of `queries`, each about a document of its own."""
    rows = pl.DataFrame({"query": queries, "body": [f"d{row}" for row in range(len(queries))]})
    rows.write_parquet(folder / "pairs.parquet")
    return folder / "pairs.parquet"


def staged(pairs: Path, rows_per_bucket: int = 50) -> list[Bucket]:
    (pairs.parent / "parts").mkdir(exist_ok=True)
    return list(staged_buckets(pairs, pairs.parent / "parts", no_texts, rows_per_bucket))


def all_rows(found: list[Bucket]) -> pl.DataFrame:
    return pl.concat(bucket.rows().with_columns(number=bucket.number) for bucket in found)


def test_a_query_is_in_one_bucket_wherever_its_rows_stand(tmp_path: Path) -> None:
    found = staged(write(tmp_path, [f"q{row % 40}" for row in range(400)]))
    rows = all_rows(found)
    assert sorted(rows["row"]) == list(range(400))
    assert rows.group_by("query").agg(pl.col("number").n_unique())["number"].to_list() == [1] * 40
    assert rows["slice"].unique().to_list() == [0]
    assert len(found) > 4


def test_rows_of_a_bucket_are_in_the_order_of_the_file(tmp_path: Path) -> None:
    for bucket in staged(write(tmp_path, [f"q{row % 40}" for row in range(400)])):
        rows = bucket.rows()
        assert rows.height == bucket.n_rows and rows["row"].is_sorted()
        assert rows["body"].to_list() == [f"d{row}" for row in rows["row"]]


def test_a_query_with_too_many_rows_has_slices_and_no_bucket_grows_with_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "PAIRS_PER_SLICE", 20)
    found = staged(write(tmp_path, ["big"] * 1_000 + ["small"] * 20), rows_per_bucket=100)
    rows = all_rows(found)
    sizes = rows.filter(pl.col("query") == "big").group_by("slice").len()["len"]
    assert len(sizes) == 50
    assert max(sizes) < 40  # by chance, not exactly 20
    assert rows.filter(pl.col("query") == "small")["slice"].unique().to_list() == [0]
    assert max(bucket.n_rows for bucket in found) < 300


def test_a_repeated_pair_is_in_the_slice_of_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(buckets, "PAIRS_PER_SLICE", 20)
    pairs = write(tmp_path, ["big"] * 100)
    pl.concat([pl.read_parquet(pairs)] * 2).write_parquet(pairs)
    rows = all_rows(staged(pairs)).sort("row")
    assert rows["slice"][:100].to_list() == rows["slice"][100:].to_list()
    assert rows["number"][:100].to_list() == rows["number"][100:].to_list()


def test_an_id_and_its_text_are_one_query(tmp_path: Path) -> None:
    def texts(column: str, ids: pl.Series) -> pl.DataFrame:
        if column == "query_id":
            return pl.DataFrame({"query_id": ["q1"], "text": ["parental leave"]})
        return pl.DataFrame(schema=dict.fromkeys(("doc_id", *DOCUMENT_COLUMNS), pl.String))

    rows = [{"query_id": "q1", "body": "a"}, {"query": "parental leave", "body": "b"}]
    rows += [{"query": f"other {number}", "body": "c"} for number in range(20)]
    pl.DataFrame(rows).write_parquet(tmp_path / "pairs.parquet")
    (tmp_path / "parts").mkdir()
    found = staged_buckets(tmp_path / "pairs.parquet", tmp_path / "parts", texts, 2)
    (bucket,) = (bucket for bucket in found if {0, 1} & set(bucket.rows()["row"]))
    assert {0, 1} <= set(bucket.rows()["row"])


def test_staging_that_was_stopped_begins_anew_and_a_finished_one_is_kept(tmp_path: Path) -> None:
    pairs = write(tmp_path, [f"q{row}" for row in range(100)])
    first = [(bucket, bucket.file.stat().st_mtime_ns) for bucket in staged(pairs)]
    again = [(bucket, bucket.file.stat().st_mtime_ns) for bucket in staged(pairs)]
    assert again == first
    (tmp_path / "parts" / "staged.json").unlink()  # as a kill leaves it: no mark, some rows
    (tmp_path / "parts" / "00000099.rows").write_text('{"row": 5}\n')
    assert sorted(all_rows(staged(pairs))["row"]) == list(range(100))
    assert not (tmp_path / "parts" / "00000099.rows").exists()


@pytest.mark.parametrize("content", ["", '{"row": 5}\n', "no JSON"])
def test_a_damaged_bucket_is_refused_so_that_no_row_is_lost(content: str, tmp_path: Path) -> None:
    bucket = staged(write(tmp_path, ["q"] * 10))[0]
    bucket.file.write_text(content)
    with pytest.raises(ConfigError, match=r"is damaged\. Remove .*parts"):
        bucket.rows()
