"""Partitions in frames: the same rows, hash and copies as those of one frame."""

from pathlib import Path

import duckdb
import polars as pl
import pytest

from relabel_assets.errors import ContractError
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse import frames, partition
from relabel_assets.warehouse.spool import Spool
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.warehouse.rows import HASH

pytestmark = pytest.mark.slow
_NULLABLE = [
    name for name, column in TABLES["seed_docs"].schema.columns().items() if column.nullable
]


def documents(*ids: str) -> pl.DataFrame:
    frame = pl.DataFrame({"doc_id": ids, "body": [f"{doc_id} " * 50 for doc_id in ids]})
    nothing = [pl.lit(None, pl.String).alias(name) for name in _NULLABLE]
    return frame.with_columns(pl.lit(HASH).alias("content_hash"), *nothing)


def spool_of(folder: Path, *parts: pl.DataFrame) -> Spool:
    spool = Spool(folder, "doc_id")
    for part in parts:
        spool.add(part)
    return spool


def test_a_spool_and_a_frame_make_the_same_partition(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relabel_assets.warehouse.spool._BUCKET_BYTES", 300)
    monkeypatch.setattr(frames, "_BATCH_CHARACTERS", 300)
    ids = [f"d{n}" for n in range(20)]
    whole = warehouse.replace("seed_docs", "a", documents(*ids), input_hash=HASH)
    parts = documents(*ids[10:]), documents(*ids[:3]), documents(*ids[3:10])
    spooled = warehouse.replace("seed_docs", "b", spool_of(tmp_path, *parts), input_hash=HASH)
    assert warehouse.read("seed_docs", "b").equals(warehouse.read("seed_docs", "a"))
    renamed = spooled.content_hash != whole.content_hash  # the corpus is a column
    again = warehouse.replace("seed_docs", "b", documents(*ids), input_hash=HASH)
    assert renamed and again.content_hash == spooled.content_hash
    assert spooled.n_rows == 20
    batches = list(warehouse.read_batches("seed_docs", "b"))
    assert len(batches) > 3
    assert pl.concat(batches).equals(warehouse.read("seed_docs", "b"))


def test_the_parquet_copy_of_a_spool_has_its_rows_and_is_known_as_current(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relabel_assets.warehouse.spool._BUCKET_BYTES", 300)
    rows = spool_of(tmp_path, documents(*(f"d{n:02}" for n in range(20))))
    receipt = warehouse.replace("seed_docs", "c", rows, input_hash=HASH)
    assert warehouse.is_published(receipt)
    file = warehouse._copies._parquet_file(receipt)
    assert pl.read_parquet(file).equals(warehouse.read("seed_docs", "c"))
    warehouse.publish_all()
    assert warehouse.is_published(receipt)


@pytest.mark.parametrize("is_far", [False, True], ids=["in one frame", "in two frames"])
def test_a_key_that_comes_twice_writes_nothing(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, is_far: bool
) -> None:
    monkeypatch.setattr("relabel_assets.warehouse.spool._FRAME_ROWS", 1 if is_far else 100)
    before = warehouse.replace("seed_docs", "c", documents("old"), input_hash=HASH)
    rows = spool_of(tmp_path, documents("a", "b"), documents("b", "c"))
    with pytest.raises(ContractError):
        warehouse.replace("seed_docs", "c", rows, input_hash=HASH)
    assert warehouse.receipt("seed_docs", "c") == before
    assert warehouse.read("seed_docs", "c")["doc_id"].to_list() == ["old"]


def test_an_empty_spool_is_an_empty_partition(warehouse: Warehouse, tmp_path: Path) -> None:
    receipt = warehouse.replace("seed_docs", "c", Spool(tmp_path, "doc_id"), input_hash=HASH)
    assert receipt.n_rows == 0
    assert [frame.height for frame in warehouse.frames("seed_docs", "c")] == [0]


def test_a_write_has_a_limit_of_memory_and_reports_its_rows(
    warehouse: Warehouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("relabel_assets.warehouse.spool._FRAME_ROWS", 2)
    settings, write = list[tuple[str, int]](), partition._insert

    def insert(con: duckdb.DuckDBPyConnection, table: str, rows: pl.DataFrame) -> None:
        query = "select current_setting('memory_limit'), current_setting('threads')"
        settings.extend(con.execute(query).fetchall())
        write(con, table, rows)

    monkeypatch.setattr(partition, "_insert", insert)
    reports = list[tuple[str, int, int]]()
    warehouse.replace(
        "seed_docs",
        "c",
        spool_of(tmp_path, documents("a", "b", "c")),
        input_hash=HASH,
        progress=lambda step, done, total, note="": reports.append((step, done, total)),
    )
    assert set(settings) == {("244.1 MiB", 2)}
    steps = ("checking, rows", "writing, rows")
    assert reports == [(step, done, 3) for step in steps for done in (2, 3)]


def test_a_write_that_is_stopped_keeps_the_old_rows(warehouse: Warehouse, tmp_path: Path) -> None:
    warehouse.replace("seed_docs", "c", documents("old"), input_hash=HASH)

    def stop(step: str, done: int, total: int, note: str = "") -> None:
        if step == "writing, rows":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        spool = spool_of(tmp_path, documents("new"))
        warehouse.replace("seed_docs", "c", spool, input_hash=HASH, progress=stop)
    assert warehouse.read("seed_docs", "c")["doc_id"].to_list() == ["old"]
