"""The pool of a corpus for people's reviews, read from the warehouse.

What belongs here: which candidates are in it. What does not: which of them are drawn (review/draws/).
"""

from collections.abc import Collection

import polars as pl

from relabel_assets.errors import CorpusError
from relabel_assets.review.draws.strata import pool_of
from relabel_assets.warehouse.warehouse import Warehouse

_PAIR = ["query_id", "doc_id"]


def review_pool(
    warehouse: Warehouse, corpus: str, frame: pl.DataFrame, splits: Collection[str]
) -> pl.DataFrame:
    """The candidates of queries in `splits`, with what decides their strata (review/draws/strata.py).

    Without `splits`: of the splits that `frame`, the last draw's pool, has; before the first draw of
    benchmark. With them, the splits of the last draw stay. Raises CorpusError where a table is missing.
    """
    queries = warehouse.read("synthetic_queries", corpus, columns=["query_id", "split"])
    before = queries.join(frame, on="query_id", how="semi")["split"].unique().to_list()
    wanted = {*before, *splits} or {"benchmark"}
    candidates = warehouse.read("bm25_candidates", corpus, columns=_PAIR)
    student = warehouse.read(
        "student_labels", corpus, columns=[*_PAIR, "grade", "expected_grade", "grade_probs"]
    )
    if candidates.is_empty() or student.is_empty():
        raise CorpusError(
            f"corpus {corpus!r} has no student's grades yet, and strata are made of them. Run first: "
            f"relabel run -c {corpus}"
        )
    chosen = queries.filter(pl.col("split").is_in(sorted(wanted)))
    pool = candidates.join(chosen, on="query_id", how="semi")
    if pool.is_empty():
        others = ", ".join(sorted(queries["split"].unique().to_list()))
        raise CorpusError(
            f"corpus {corpus!r} has no candidates of {' or '.join(sorted(wanted))} queries. "
            f"Its queries are in: {others}. Choose with --split."
        )
    teacher = warehouse.read("teacher_labels", corpus, columns=[*_PAIR, "grade"])
    return pool_of(pool, student, teacher)
