"""Labeling on a Ray cluster: the chunks, labeler and files of local labeling, on many machines.

What belongs here: passing chunks to Ray Data and reporting the finished ones. Only this module uses
ray (extra `ray`). What does not: reading PAIRS and making OUT (label_file.py).

The part files are the checkpoint: each chunk's labels are one file, renamed into place when it is
complete. A chunk of a lost node is graded again into the same file, and a rerun grades only chunks
without a file. So no row is lost or repeated. All nodes must share OUT.parts and the student's folder.
"""

import json
import logging
import socket
from collections.abc import Callable, Iterable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl

from relabel_assets.errors import ConfigError
from relabel_assets.files import whole
from relabel_assets.labeling.chunk import GradeChunks, PairChunk, write_part
from relabel_assets.student.vectors.store import VectorStore

_ROWS_SUFFIX = ".in"  # ending of the file from which a node reads a chunk's rows and texts
_CONNECT_S = 10  # not measured: a reachable cluster answers in well under a second


class _Actor:
    """A student on a node, loaded once for all chunks."""

    def __init__(self, student: str, vectors: Path | None, max_vector_bytes: int) -> None:
        from relabel_assets.student import Labeler

        self.store = VectorStore(vectors, max_vector_bytes)
        self.labeler = Labeler.load(student, store=self.store)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """Grade the parts that `batch` names; a batch has one row here.

        Returns their names, and the counts of the documents that this took as JSON.
        """
        self.store.counts.clear()
        for name in batch["part"]:
            part = Path(str(name))
            if not part.exists():
                write_part(part, pl.read_parquet(part.with_suffix(_ROWS_SUFFIX)), self.labeler)
        names = np.array([str(name) for name in batch["part"]])
        return {"part": names, "counts": np.array([json.dumps(self.store.counts)] * len(names))}


def on_ray(
    student: Path, *, address: str, n_actors: int = 1, store: VectorStore | None = None
) -> GradeChunks:
    """The engine that grades on the Ray cluster at `address` with `n_actors` students.

    The address "local" starts a cluster on this machine. The students share `store`, whose counts become
    those of all. Raises ConfigError where ray is not
    installed or no cluster answers.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--engine ray needs Ray: pip install 'relabel-assets[ray]'.") from error

    store = store or VectorStore()

    def grade(chunks: Iterable[PairChunk], on_done: Callable[[PairChunk], None]) -> None:
        waiting = {str(chunk.part): _staged(chunk) for chunk in chunks}
        if not waiting:
            return
        _check_answers(address)
        ray.init(
            address=address,
            ignore_reinit_error=True,
            log_to_driver=False,
            logging_level=logging.ERROR,
        )
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        ray.data.DataContext.get_current().enable_progress_bars = False
        items = [{"part": part} for part in waiting]
        parts = ray.data.from_items(items, override_num_blocks=len(items))
        graded = parts.map_batches(
            _Actor,
            batch_size=1,
            fn_constructor_args=(str(student), store.folder, store.max_bytes),
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=n_actors),
        )
        for row in graded.iter_rows():
            store.counts.update(json.loads(row["counts"]))
            on_done(waiting[row["part"]])
            Path(row["part"]).with_suffix(_ROWS_SUFFIX).unlink(missing_ok=True)

    return grade


def _staged(chunk: PairChunk) -> PairChunk:
    """`chunk` with its rows in a file for the nodes: in memory, all chunks would be all of PAIRS."""
    staged = chunk.part.with_suffix(_ROWS_SUFFIX)
    with whole(staged) as scratch:
        chunk.rows().write_parquet(scratch)
    return PairChunk(chunk.part, partial(pl.read_parquet, staged), chunk.n_rows)


def _check_answers(address: str) -> None:
    """Raises ConfigError where nothing listens at a HOST:PORT address.

    Ray itself would retry for minutes and then give no reason.
    """
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster at {address!r}: {error}. Start one with `ray start --head`."
        ) from error
