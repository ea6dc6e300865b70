"""The copies for readers: `labels.duckdb`, a replica of the warehouse, and Parquet partitions.

What belongs here: writing and checking these copies. What does not: reading them (reading.py), and the
warehouse itself (warehouse.py).

Readers never wait for a run and never see a half-written one. Two rules ensure that:

1. A rename replaces the old copy. A reader keeps the file that it opened.
2. `labels.duckdb` is copied after *every* checkpoint, and never gets shorter.

The reason of rule 2: DuckDB opens a file by its name twice, for the header and for the rest. So a
reader may get the old header and the new rest. One checkpoint keeps the blocks of the old header,
because it writes beside them. The second checkpoint may overwrite them.

Two cheaper designs were measured (`relabel_assets_tests/benchmarks/readers_copies.py`) and rejected:

- One copy at the end of a run. Most readers that open the file during the rename get wrong rows without
  an error.
- Views over the Parquet files. They need absolute paths, which break when the home moves or is mounted
  elsewhere. They need access to other files, which lets SQL write files. Two tables of one query may come
  from before and after a write.

A copy costs a millisecond at any size where the file system shares blocks between files (XFS, Btrfs).
Elsewhere (ext4) it costs writing the whole file.
"""

import logging
import os
import shutil
from collections.abc import Iterable
from datetime import UTC
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

import polars as pl

from relabel_assets.files import whole
from relabel_assets.warehouse.reading import REPLICA
from relabel_assets.warehouse.receipt import Receipt

if TYPE_CHECKING:
    import duckdb

LOG = logging.getLogger("relabel_assets.warehouse")
PARQUET = "parquet"
# In a Parquet file's metadata: the time of the receipt whose rows it copies.
_WRITTEN_AT = "relabel_assets.written_at"


class ReaderCopies:
    """The copies beside the warehouse file `database`."""

    def __init__(self, database: Path) -> None:
        self.database = database
        self.replica = database.with_name(REPLICA)
        self.parquet = database.with_name(PARQUET)

    def publish(
        self,
        con: "duckdb.DuckDBPyConnection",
        partitions: Iterable[tuple[Receipt, Iterable[pl.DataFrame]]] = (),
    ) -> None:
        """Copy the warehouse file to the replica, then these committed partitions to Parquet.

        `con` is the only connection to the warehouse. A failed copy (a full disk) is logged and loses
        no rows: the next materialization copies again.
        """
        import duckdb

        try:
            # A checkpoint moves the write-ahead log into the file, so the file is complete.
            con.execute("checkpoint")
            with whole(self.replica) as scratch:
                copy_file(self.database, scratch)
                _keep_length(self.replica, scratch)
            for receipt, frames in partitions:
                with whole(self._parquet_file(receipt)) as scratch:
                    _write_parquet(scratch, frames, {_WRITTEN_AT: _timestamp(receipt)})
        except (OSError, pl.exceptions.PolarsError, duckdb.Error) as error:
            LOG.warning("%s and %s are behind the warehouse: %s", self.replica, self.parquet, error)

    def is_current(self, receipt: Receipt) -> bool:
        """Whether the copies hold the partition of this receipt.

        The Parquet file is written after the replica, so checking it checks both.
        """
        try:
            metadata = pl.read_parquet_metadata(self._parquet_file(receipt))
        except (OSError, pl.exceptions.PolarsError):
            return False
        return metadata.get(_WRITTEN_AT) == _timestamp(receipt)

    def remove(self, corpus: str) -> None:
        """Remove the Parquet files of a corpus that has no rows any more."""
        for folder in self.parquet.glob(f"*/corpus={corpus}"):
            shutil.rmtree(folder, ignore_errors=True)

    def _parquet_file(self, receipt: Receipt) -> Path:
        return self.parquet / receipt.table_name / f"corpus={receipt.corpus}" / "rows.parquet"


def _write_parquet(path: Path, frames: Iterable[pl.DataFrame], metadata: dict[str, str]) -> None:
    """Write `frames`, at least one, as the row groups of one Parquet file."""
    import pyarrow.parquet as pq

    rest = iter(frames)
    first, second = next(rest), next(rest, None)
    if second is None:
        first.write_parquet(path, metadata=metadata)
        return
    schema = first.to_arrow().schema
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for frame in chain((first, second), rest):
            writer.write_table(frame.to_arrow().cast(schema))
        writer.add_key_value_metadata(metadata)


def copy_file(source: Path, target: Path) -> None:
    """Copy `source` over `target`, sharing blocks where the file system can.

    `shutil.copyfile` never shares blocks in Python 3.11. Raises OSError if the copy cannot be written.
    """
    try:
        _copy_in_kernel(source, target)
    except (AttributeError, OSError):  # macOS has no such call; some file systems refuse it
        shutil.copyfile(source, target)


def _copy_in_kernel(source: Path, target: Path) -> None:
    with source.open("rb") as reader, target.open("wb") as writer:
        n_left = os.fstat(reader.fileno()).st_size
        while n_left > 0:
            n_copied = os.copy_file_range(reader.fileno(), writer.fileno(), n_left)
            if n_copied == 0:
                raise OSError(f"{source} got shorter while it was copied")
            n_left -= n_copied


def _keep_length(old: Path, new: Path) -> None:
    """Append the tail of `old` to `new` if `new` is shorter.

    A reader with the header of `old` and the rest of `new` needs the blocks at the end of `old`.
    DuckDB ignores blocks that no header names.
    """
    if not old.exists():
        return
    with old.open("rb") as before, new.open("ab") as after:
        before.seek(after.tell())
        shutil.copyfileobj(before, after)


def _timestamp(receipt: Receipt) -> str:
    return receipt.written_at.astimezone(UTC).isoformat()
