"""Imported labelers in the benchmark: each is measured on the pairs that it graded.

What belongs here: which pairs count for them. What does not: the metrics (bootstrap.py), and the files
they come from (corpus/grades/imported_grades.py).

An imported labeler may have graded few pairs. It is measured on those of the benchmark's pairs that it
graded, and takes no pair from the others. `n_pairs` tells whether they are the same.
"""

import polars as pl

from relabel_assets.benchmark.baselines import labels_in_one
from relabel_assets.benchmark.bootstrap import ROW_SCHEMA, graded_by_all, measure
from relabel_assets.progress import Progress, silent


def imported_rows(
    labels: pl.DataFrame,
    imported: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
    *,
    n_resamples: int = 2000,
    seed: int = 13,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The rows of benchmark_report of each imported labeler, with the columns of ROW_SCHEMA.

    `labels`, `reference` and `queries` as in measure: the pairs are those that all of `labels` graded.
    `imported`: query_id, doc_id, labeler, grade and expected_grade. On the same pairs, resamples draw the
    same queries as those of the other labelers do.

    >>> pairs = {"query_id": ["q"] * 2, "doc_id": ["d1", "d2"]}
    >>> reference = pl.DataFrame(pairs | {"assessor": ["ana"] * 2, "grade": [0, 3]})
    >>> labels = pl.DataFrame({"labeler": ["bm25"] * 2} | pairs | {"score": [7.0, 1.5], "grade": [2, 0]})
    >>> imported = pl.DataFrame(pairs | {"labeler": "gpt", "grade": [0, 2], "expected_grade": [0.1, 1.9]})
    >>> queries = pl.DataFrame({"query_id": ["q"], "intent": ["keyword"]})
    >>> rows = imported_rows(labels, imported, reference, queries, n_resamples=10)
    >>> rows.select("labeler", "metric", "value", "n_pairs").row(0)
    ('gpt', 'ndcg@10', 1.0, 2)
    """
    frames, pairs = [pl.DataFrame(schema=ROW_SCHEMA)], graded_by_all(labels)
    for name in imported["labeler"].unique().sort():
        own = labels_in_one(**{name: imported.filter(labeler=name)})
        measured = measure(
            own.join(pairs, on=["query_id", "doc_id"], how="semi"),
            reference,
            queries,
            n_resamples=n_resamples,
            seed=seed,
            progress=progress,
        )
        frames.append(measured.rows)
    return pl.concat(frames)
