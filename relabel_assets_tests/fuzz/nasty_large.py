"""Hostile corpora of megabytes and gigabytes: for use by hand, because each takes seconds to write.

What belongs here: quantities. What does not: hostile things that are small (the other nasty_*.py).
"""

import gzip
import json
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from relabel_assets_tests.fuzz import nasty_files, nasty_rows
from relabel_assets_tests.fuzz.good_corpus import write_good
from relabel_assets_tests.fuzz.nasty_values import UNITS

_MIB = 1024**2


def long_line(rng: Random, folder: Path) -> str:
    return nasty_files.long_line(rng, folder, 40 * _MIB)


def many_rows(rng: Random, folder: Path) -> str:
    return nasty_rows.many_rows(rng, folder, 100_000)


def equal_queries(rng: Random, folder: Path) -> str:
    """10,000 queries that are equal, nearly equal, or of a few kinds."""
    write_good(folder, "jsonl")
    kind, n_kinds = rng.randrange(3), rng.choice((1, 2, 100, 5_000))
    with (folder / "queries.jsonl").open("a") as out:
        for number in range(10_000):
            words = (
                f"leave rules {number % n_kinds}",
                f"how long is parental leave {number:05}",
                "word " * 700,
            )[kind]
            out.write(json.dumps({"query_id": f"n{number}", "text": words}) + "\n")
    return f"{n_kinds} kinds"


def wide_csv(rng: Random, folder: Path) -> str:
    path = write_good(folder, "csv")
    n = rng.choice((10_000, 100_000))
    path.write_text(
        ",".join(["doc_id", "body", *(f"c{number}" for number in range(n))])
        + "\nd1,b"
        + ",x" * n
        + "\n"
    )
    return f"{n} columns"


def packed_csv(rng: Random, folder: Path) -> str:
    """Gzip bytes that are a gigabyte of CSV when unpacked."""
    path = write_good(folder, "csv")
    with gzip.GzipFile(path, "wb", mtime=0) as out:
        out.write(b"doc_id,body\n")
        for _ in range(1_024):
            out.write(b"d,x\n" * (_MIB // 4))
    return "1 GiB unpacked"


def packed_parquet(rng: Random, folder: Path) -> str:
    """A few kilobytes of Parquet that are gigabytes when unpacked."""
    path = write_good(folder, "parquet")
    n = rng.choice((100_000, 1_000_000))
    dictionary = pa.array(["x" * 20_000])
    bodies = pa.DictionaryArray.from_arrays(pa.array([0] * n, pa.int32()), dictionary)
    table = pa.Table.from_arrays(
        [pa.array([f"n{number}" for number in range(n)]), bodies], names=["doc_id", "body"]
    )
    pq.write_table(table, path, compression="zstd")
    return f"{n} bodies of 20,000 characters"


def row_groups(rng: Random, folder: Path) -> str:
    path = write_good(folder, "parquet")
    n = rng.choice((10_000, 100_000))
    table = pa.Table.from_pydict(
        {"doc_id": [f"n{number}" for number in range(n)], "body": ["x"] * n}
    )
    pq.write_table(table, path, row_group_size=1)
    return f"{n} row groups"


def large_document(rng: Random, folder: Path) -> str:
    root = write_good(folder, "markdown")
    n = rng.choice((_MIB, 4 * _MIB, 15 * _MIB, 17 * _MIB))
    unit = rng.choice(UNITS)
    (root / "large.md").write_text(
        unit * (n // len(unit.encode("utf-8", "replace"))), errors="replace", newline=""
    )
    return f"{n} bytes of {unit!r}"


FAMILIES = (
    long_line, many_rows, equal_queries, wide_csv, packed_csv, packed_parquet, row_groups, large_document,
)  # fmt: skip
