"""Labeling on a Ray cluster: the same batches, labeler and files, on as many machines as there are.

What belongs here: handing batches to Ray Data and hearing which are done. The only module that uses ray (extra `ray`). What
does not: reading PAIRS and making OUT (bulk_labels.py).

The checkpoint is the files themselves: a batch's labels are one file with one name, put in its place whole. A batch that a
lost node had begun is graded again into the same file, and a rerun grades only batches that have none; so no row is lost and
none comes twice. PAIRS.parts and the student must be on storage that all nodes share.
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
from relabel_assets.labeling.label_file import Batch, Engine, write_part

_STAGED = ".in"


class _Actor:
    """A student on a node: loaded once, it grades batch after batch."""

    def __init__(self, student: str) -> None:
        from relabel_assets.student import Labeler

        self.labeler = Labeler.load(student)

    def __call__(self, batch: dict[str, Any]) -> dict[str, Any]:
        for name in batch["part"]:
            part = Path(str(name))
            if not part.exists():
                write_part(part, pl.read_parquet(part.with_suffix(_STAGED)), self.labeler)
        return {"part": np.array([str(name) for name in batch["part"]])}


def _must_answer(address: str) -> None:
    """Raises ConfigError where nothing listens at a HOST:PORT address: Ray itself tries for minutes, and says little."""
    host, found, port = address.removeprefix("ray://").rpartition(":")
    if not found:
        return
    try:
        socket.create_connection((host, int(port)), timeout=10).close()
    except (OSError, ValueError) as error:
        raise ConfigError(f"no Ray cluster at {address!r}: {error}. Start one with `ray start --head`.") from error


def on_ray(student: Path, *, address: str, n_actors: int = 1) -> Engine:
    """The engine that grades on the Ray cluster at `address` ("local" starts one here), with `n_actors` students.

    Raises ConfigError where ray is not installed or no cluster answers.
    """
    try:
        import ray
    except ImportError as error:
        raise ConfigError("--engine ray needs Ray: pip install 'relabel-assets[ray]'.") from error

    def grade(batches: Iterable[Batch], done: Callable[[Batch], None]) -> None:
        waiting = {}
        for batch in batches:
            staged = batch.part.with_suffix(_STAGED)
            half = staged.with_suffix(".half")
            batch.rows().write_parquet(half)
            half.replace(staged)
            # The rows are in the file now: keeping them here too would hold all of PAIRS in memory.
            waiting[str(batch.part)] = Batch(batch.part, partial(pl.read_parquet, staged), batch.n_rows)
        if not waiting:
            return
        _must_answer(address)
        ray.init(address=address, ignore_reinit_error=True, log_to_driver=False, logging_level=logging.ERROR)
        logging.getLogger("ray.data").setLevel(logging.WARNING)
        ray.data.DataContext.get_current().enable_progress_bars = False
        parts = ray.data.from_items([{"part": part} for part in waiting], override_num_blocks=len(waiting))
        found = parts.map_batches(
            _Actor, batch_size=1, fn_constructor_args=(str(student),), num_cpus=1,
            compute=ray.data.ActorPoolStrategy(min_size=1, max_size=n_actors),
        )  # fmt: skip
        for row in found.iter_rows():
            done(waiting[row["part"]])
            Path(row["part"]).with_suffix(_STAGED).unlink(missing_ok=True)

    return grade
