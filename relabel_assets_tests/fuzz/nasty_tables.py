"""Hostile tables: CSV and Parquet files of documents.

What belongs here: the shape, types and bytes of one table. What does not: JSON lines (nasty_rows.py).
"""

import datetime as dt
import decimal
from pathlib import Path
from random import Random

import pyarrow as pa
import pyarrow.parquet as pq

from relabel_assets_tests.fuzz.good_corpus import write_good
from relabel_assets_tests.fuzz.nasty_values import (
    ESCAPES,
    UNITS,
    json_value,
    plain_text,
    size,
    variant,
)

_NAMES = (
    "doc_id",
    "body",
    "title",
    "author",
    "path",
    "updated_at",
    "doc_type",
    "_id",
    "text",
    "content_hash",
    "",
)
_TOO_LATE = 2**55  # microseconds since 1970: beyond the year 9999, where Python's dates end


def csv_table(rng: Random, folder: Path) -> str:
    """A CSV file with a hostile cell, row, header or form."""
    path = write_good(folder, "csv")
    good = path.read_text()
    header, first, *rest = good.splitlines()
    cell, n = plain_text(rng), size(rng)
    changes = (
        good + f'd9,T,"{cell}",A\n', good + f"d9,{cell},b,A\n", good + f"{variant(rng, 'd1')},T,b,A\n",
        good + f'd9,"T,{cell}',
        good + '"' * n, good + "," * n + "\n", good + "d9,T\n", good + "d9\x00,T,b,A\n",
        good + 'd9,T"x",b,A\n', good + "\n" * n,
        good.replace(",", ";"), good.replace(",", "\t"), good.replace("\n", "\r"),
        good.replace("\n", "\r\n"), f"sep=,\n{good}",
        good.replace(header, f"{header},doc_id"), good.replace(header, header.upper()),
        good.replace(header, f" {header}"),
        good.replace(header, '"' + header), good.replace(header, header + "," * n),
        good.replace("doc_id", cell),
        good.replace("author", "body"), good.replace("title", "_id"), good.replace("author", "text"),
        header, header + "\n", "\n" + good,
        "\n".join(rest), good + good, good * 2 + first, f'"{"x" * n}', "a" * n, f"{header}\n" * n,
        "\ufeff\ufeff" + good,
        ",".join(f"c{number}" for number in range(n)) + "\n" + "," * n, f"doc_id,body\n{first}\n{cell}",
        f'doc_id,body\n"{cell}\n',
        good + "".join(f"n{number},,b,\n" for number in range(n)), good + f"d9,T,{json_value(rng)},A\n",
        "doc_id,body\n,\n" * n,
    )  # fmt: skip
    path.write_text(rng.choice(changes), errors="replace", newline="")
    return "CSV"


def parquet_table(rng: Random, folder: Path) -> str:
    """A Parquet file with hostile columns, types or bytes."""
    path = write_good(folder, "parquet")
    kind = rng.choice(("type", "type", "type", "names", "shape", "bytes", "bytes"))
    if kind == "bytes":
        path.write_bytes(_damaged(rng, path.read_bytes()))
        return "Parquet: damaged bytes"
    names = ["doc_id", "body", "title"]
    columns: list[pa.Array] = [
        pa.array(["d1", "d2"]),
        pa.array(["one", "two"]),
        pa.array(["T", None]),
    ]
    if kind == "type":
        place = rng.randrange(3)
        columns[place] = rng.choice(_hostile_columns(rng))
        kind = f"type {columns[place].type}"[:80]
    elif kind == "names":
        names = rng.choice((
            ["doc_id", "doc_id", "body"], ["doc_id", "body", "body"], ["_id", "doc_id", "body"],
            ["doc_id", "body", "text"],
            ["a", "b", "c"], ["", "", ""], [plain_text(rng), "doc_id", "body"],
            ["DOC_ID", "Body", "title"], ["x" * 3000, "b", "c"],
        ))  # fmt: skip
    else:
        n = size(rng, 400)
        names, columns = rng.choice((
            ([], []), (["doc_id"], [pa.array([], pa.string())]),
            (names, [column.slice(0, 0) for column in columns]),
            ([f"c{number}" for number in range(n)], [pa.array(["x"])] * n),
            (names, [pa.array(["x"] * n)] * 3),
            (names,
            [pa.array([f"n{number}" for number in range(n)]), pa.array(["x" * 1000] * n), pa.nulls(n)]),
        ))  # fmt: skip
    table = pa.Table.from_arrays(columns, names=names)
    codec = rng.choice(("none", "snappy", "zstd", "gzip", "lz4", "brotli"))
    pq.write_table(
        table,
        path,
        row_group_size=rng.choice((1, 1000)),
        compression=codec,
        store_schema=rng.random() < 0.8,
    )
    return f"Parquet: {kind}"


def _hostile_columns(rng: Random) -> list[pa.Array]:
    """Columns of two rows of every kind of type."""
    two, word = [1, 2], plain_text(rng)
    return [
        pa.array(two), pa.array([2**63 - 1, None]), pa.array([2**64 - 1, 0], pa.uint64()),
        pa.array([float("nan"), -0.0]),
        pa.array([float("inf"), 1e300]), pa.array([True, None]), pa.nulls(2),
        pa.array([b"\xff\x00", b"x"]), pa.array([[], ["x"]]),
        pa.array([{"a": {"b": 1}}, None]), pa.array([[("k", 1)], []], pa.map_(pa.string(), pa.int64())),
        pa.array([word, word]),
        pa.array([decimal.Decimal("1.10"), decimal.Decimal("9" * 36 + ".10")], pa.decimal128(38, 2)),
        pa.array(["", " "]),
        pa.array([decimal.Decimal("9" * 70), None], pa.decimal256(76, 0)),
        pa.array(two).cast(pa.float16()), pa.array(["x", None]),
        pa.array([_TOO_LATE, -_TOO_LATE], pa.timestamp("us")),
        pa.array([_TOO_LATE, 0], pa.timestamp("us", "UTC")),
        pa.array([10_000_000, -10_000_000], pa.date32()), pa.array([dt.date(1, 1, 1), None]),
        pa.array([0, 1], pa.time64("ns")),
        pa.array([0, 1], pa.timestamp("ns", "Mars/Olympus")),
        pa.array([0, 1], pa.timestamp("ns", "+99:99")), pa.array([1, 2**62], pa.duration("ns")),
        pa.array(["a", "a"]).dictionary_encode(), pa.array(["x", "x"], pa.large_string()),
        pa.array([rng.choice(ESCAPES).encode("utf-8", "replace").decode(), "\x00"]),
        pa.array([rng.choice(UNITS) * size(rng, 100_000), word]),
        pa.array([b"x" * 16, None], pa.binary(16)), _nested_lists(rng),
    ]  # fmt: skip


def _nested_lists(rng: Random) -> pa.Array:
    kind = pa.string()
    for _ in range(size(rng, 60)):
        kind = pa.list_(kind)
    return pa.nulls(2, kind)


def _damaged(rng: Random, content: bytes) -> bytes:
    """`content` cut, with flipped bytes, or with numbers of its footer changed."""
    damaged = bytearray(content)
    kind = rng.randrange(4)
    if kind == 0:
        return content[: rng.randrange(len(content))]
    if kind == 1:
        start = rng.randrange(len(content))
        return content[:start] + content[start + size(rng, 100) :]
    # The footer, at the end, holds the sizes that a parser trusts.
    first = len(content) // 2 if kind == 2 else 0
    for _ in range(size(rng, 20)):
        damaged[rng.randrange(first, len(damaged))] = rng.choice(
            (0, 0xFF, 0x7F, rng.randrange(256))
        )
    return bytes(damaged)
