"""`relabel label` on a real local Ray cluster of several nodes, one of them killed: every row once, the same grades."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.core.student import Labeler
from relabel_assets.errors import ConfigError
from relabel_assets.resources.bulk_labels import Batch, in_process, label_file
from relabel_assets.resources.ray_labels import on_ray

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")


@pytest.fixture
def cluster() -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    found = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield found
    ray.shutdown()
    found.shutdown()


def test_a_lost_node_loses_and_repeats_no_row(made: Path, tmp_path: Path, cluster: Any) -> None:
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    student = next((made / "models" / "tiny").iterdir())
    queries = [f"rules about {word} {number}" for word in ("leave", "badges", "salary") for number in range(20)]
    bodies = [f"All that there is to know about {word}." for word in ("leave", "badges", "salary", "lunch")]
    rows = [{"query_id": q, "query": q, "doc_id": b, "body": b} for q in queries for b in bodies]
    pl.DataFrame(rows).write_parquet(tmp_path / "pairs.parquet")
    given: dict[str, Any] = {
        "texts": lambda column, ids: pl.DataFrame(), "model_id": "m", "model_hash": "h", "rows_a_batch": 12,
    }  # fmt: skip
    killed = threading.Event()

    def kill_after_a_part() -> None:
        while len(list(tmp_path.glob("out.parquet.parts/[0-9]*.parquet"))) < 2:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        killed.set()

    threading.Thread(target=kill_after_a_part, daemon=True).start()
    engine = on_ray(student, address=cluster.address, n_actors=2)
    label_file(tmp_path / "pairs.parquet", tmp_path / "out.parquet", engine=engine, **given)
    assert killed.wait(30)
    found = pl.read_parquet(tmp_path / "out.parquet")
    assert found["row"].to_list() == list(range(len(rows)))
    label_file(tmp_path / "pairs.parquet", tmp_path / "here.parquet", engine=in_process(Labeler.load(student)), **given)
    here = pl.read_parquet(tmp_path / "here.parquet")
    assert found["grade"].to_list() == here["grade"].to_list()
    # A driver that is lost after some batches: a rerun grades the others alone.
    begun: list[Batch] = []

    def lost(batches: Any, done: Any) -> None:
        begun.extend(batches)
        in_process(Labeler.load(student))(begun[:3], done)
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label_file(tmp_path / "pairs.parquet", tmp_path / "again.parquet", engine=lost, **given)
    before = {batch.part: batch.part.stat().st_mtime_ns for batch in begun[:3]}
    times: list[int] = []

    def watched(batches: Any, done: Any) -> None:
        on_ray(student, address=cluster.address, n_actors=1)(batches, done)
        times.extend(part.stat().st_mtime_ns for part in before)

    label_file(tmp_path / "pairs.parquet", tmp_path / "again.parquet", engine=watched, **given)
    assert times == list(before.values())
    assert pl.read_parquet(tmp_path / "again.parquet")["row"].to_list() == list(range(len(rows)))


def test_no_cluster_is_said(tmp_path: Path) -> None:
    batch = Batch(tmp_path / "0.parquet", lambda: pl.DataFrame({"row": [0]}), 1)
    with pytest.raises(ConfigError, match="no Ray cluster"):
        on_ray(tmp_path, address="127.0.0.1:1", n_actors=1)([batch], lambda batch: None)
