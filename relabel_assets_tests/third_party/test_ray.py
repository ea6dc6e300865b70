"""`relabel label` on a local Ray cluster that loses a node: every row once, with equal grades."""

import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.labeling.chunk import PairChunk, in_process
from relabel_assets.labeling.label_file import label_file
from relabel_assets.labeling.ray_engine import on_ray
from relabel_assets.student import Labeler
from relabel_assets.student.vectors.store import VectorStore

ray = pytest.importorskip("ray", reason="the extra `ray` is not installed")


DRIVER = """
import sys
from pathlib import Path
import polars as pl
from relabel_assets.labeling.label_file import label_file
from relabel_assets.labeling.ray_engine import on_ray

student, pairs, out = map(Path, sys.argv[1:4])
engine = on_ray(student, address=sys.argv[4], n_actors=1)
label_file(pairs, out, engine=engine, texts=lambda column, ids: pl.DataFrame(), model_id="m", model_hash="h",
           rows_per_chunk=12)
"""


@pytest.fixture
def cluster(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    from ray.cluster_utils import Cluster

    # Ray's workers give way to all others: beside other tests they hardly run.
    monkeypatch.setenv("RAY_worker_niceness", "0")
    ray_cluster = Cluster(initialize_head=True, head_node_args={"num_cpus": 1})
    yield ray_cluster
    ray.shutdown()
    ray_cluster.shutdown()


def test_a_lost_node_loses_and_repeats_no_row(
    finished_home: Path, tmp_path: Path, cluster: Any
) -> None:
    node = cluster.add_node(num_cpus=1)
    cluster.wait_for_nodes()
    student = next((finished_home / "models" / "tiny").iterdir())
    queries = [
        f"rules about {word} {number}"
        for word in ("leave", "badges", "salary")
        for number in range(20)
    ]
    bodies = [
        f"All that there is to know about {word}."
        for word in ("leave", "badges", "salary", "lunch")
    ]
    rows = [{"query_id": q, "query": q, "doc_id": b, "body": b} for q in queries for b in bodies]
    pl.DataFrame(rows).write_parquet(tmp_path / "pairs.parquet")
    settings: dict[str, Any] = {
        "texts": lambda column, ids: pl.DataFrame(),
        "model_id": "m",
        "model_hash": "h",
        "rows_per_chunk": 12,
    }
    killed = threading.Event()

    def kill_after_a_part() -> None:
        while len(list(tmp_path.glob("out.parquet.parts/[0-9]*.parquet"))) < 2:
            time.sleep(0.05)
        cluster.remove_node(node, allow_graceful=False)
        killed.set()

    threading.Thread(target=kill_after_a_part, daemon=True).start()
    store = VectorStore(tmp_path / "vectors")
    engine = on_ray(student, address=cluster.address, n_actors=2, store=store)
    label_file(tmp_path / "pairs.parquet", tmp_path / "out.parquet", engine=engine, **settings)
    assert killed.wait(30)
    # Two students may meet a document at the same time.
    assert len(bodies) <= store.counts["documents_read"] <= 2 * len(bodies)
    labels = pl.read_parquet(tmp_path / "out.parquet")
    assert labels["row"].to_list() == list(range(len(rows)))
    label_file(
        tmp_path / "pairs.parquet",
        tmp_path / "here.parquet",
        engine=in_process(Labeler.load(student, store=(local := VectorStore(store.folder)))),
        **settings,
    )
    assert local.counts == {"documents_read": 0, "documents_from_store": len(bodies)}
    here = pl.read_parquet(tmp_path / "here.parquet")
    assert labels["grade"].to_list() == here["grade"].to_list()
    # A driver that is killed after some batches: a rerun grades the others alone.
    rerun_out = tmp_path / "again.parquet"
    driver = subprocess.Popen(
        [
            sys.executable,
            "-c",
            DRIVER,
            student,
            tmp_path / "pairs.parquet",
            rerun_out,
            cluster.address,
        ]
    )
    parts = rerun_out.with_name("again.parquet.parts")
    while len(list(parts.glob("[0-9]*.parquet"))) < 3 and driver.poll() is None:
        time.sleep(0.02)
    driver.kill()
    assert driver.wait() == -signal.SIGKILL
    before = {part: part.stat().st_mtime_ns for part in parts.glob("[0-9]*.parquet")}
    assert 3 <= len(before) < 20
    times: dict[Path, int] = {}

    def watched(chunks: Any, on_done: Any) -> None:
        on_ray(student, address=cluster.address, n_actors=1)(chunks, on_done)
        times.update({part: part.stat().st_mtime_ns for part in before})

    label_file(tmp_path / "pairs.parquet", rerun_out, engine=watched, **settings)
    assert times == before
    assert pl.read_parquet(rerun_out)["row"].to_list() == list(range(len(rows)))


def test_a_missing_cluster_is_an_error(tmp_path: Path) -> None:
    chunk = PairChunk(tmp_path / "0.parquet", lambda: pl.DataFrame({"row": [0]}), 1)
    with pytest.raises(ConfigError, match="no Ray cluster"):
        on_ray(tmp_path, address="127.0.0.1:1", n_actors=1)([chunk], lambda chunk: None)
