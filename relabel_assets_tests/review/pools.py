"""Pools of pairs with strata, for the tests of samples."""

import polars as pl

PARTS = ("by_grade", "by_teacher", "by_place", "by_confidence")
AT = "2026-05-04T10:00:00+00:00"


def make_pool(sizes: dict[str, int], *, first: int = 0, need: float = 1.0) -> pl.DataFrame:
    """A pool with this number of pairs in each stratum, numbered from `first`, four pairs a query."""
    names = [name for name, size in sizes.items() for _ in range(size)]
    numbers = range(first, first + len(names))
    return pl.DataFrame(
        {
            "query_id": [f"q{number // 4}" for number in numbers],
            "doc_id": [f"d{number}" for number in numbers],
            "by_grade": names,
            "is_top": [number % 4 < 2 for number in numbers],
            "need": [need] * len(names),
        }
    ).with_columns(pl.lit("").alias(part) for part in PARTS[1:])
