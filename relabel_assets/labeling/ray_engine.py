"""Labeling on a Ray cluster: the same chunks, labeler and files, on as many machines as there are.

What belongs here: handing chunks to Ray Data, and hearing which are done. The only module that uses
ray (extra `ray`). What does not: reading PAIRS and making OUT (label_file.py).

The checkpoint is the files themselves: a chunk's labels are one file with one name, put in its
place whole. A chunk that a lost node had begun is graded again into the same file, and a rerun
grades only chunks that have none; so no row is lost and none comes twice. PAIRS.parts and the
student must be on storage that all nodes share.
"""

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

_ROWS = ".in"  # ending of the file that hands a chunk's rows and texts to the nodes
_CONNECT_S = 10


class _Actor:
    """A student on a node: loaded once, it grades chunk after chunk."""

    def __init__(self, student: str) -> None:
        from relabel_assets.student import Labeler

        self.labeler = Labeler.load(student)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        """`batch` is Ray Data's word for rows that come together: here one row, the name of a part."""
        for name in batch["part"]:
            part = Path(str(name))
            if not part.exists():
                write_part(part, pl.read_parquet(part.with_suffix(_ROWS)), self.labeler)
        return {"part": np.array([str(name) for name in batch["part"]])}


def on_ray(student: Path, *, address: str, n_actors: int = 1) -> GradeChunks:
    """The engine that grades on the Ray cluster at `address` ("local" starts one here), with
    `n_actors` students.

    Raises ConfigError where ray is not installed or no cluster answers.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--engine ray needs Ray: pip install 'relabel-assets[ray]'.") from error

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
            fn_constructor_args=(str(student),),
            num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=n_actors),
        )
        for row in graded.iter_rows():
            on_done(waiting[row["part"]])
            Path(row["part"]).with_suffix(_ROWS).unlink(missing_ok=True)

    return grade


def _staged(chunk: PairChunk) -> PairChunk:
    """`chunk` with its rows in a file: nodes read them there, and here they would hold all of PAIRS
    in memory."""
    staged = chunk.part.with_suffix(_ROWS)
    with whole(staged) as scratch:
        chunk.rows().write_parquet(scratch)
    return PairChunk(chunk.part, partial(pl.read_parquet, staged), chunk.n_rows)


def _check_answers(address: str) -> None:
    """Raises ConfigError where nothing listens at a HOST:PORT address: Ray itself tries for
    minutes, and says little."""
    host, separator, port = address.removeprefix("ray://").rpartition(":")
    if not separator:
        return
    try:
        socket.create_connection((host, int(port)), timeout=_CONNECT_S).close()
    except (OSError, ValueError) as error:
        raise ConfigError(
            f"no Ray cluster at {address!r}: {error}. Start one with `ray start --head`."
        ) from error
