"""The provided queries of a corpus folder: its file of queries, and BEIR's splits of them.

What belongs here: reading that file. What does not: its rows (queries.py), and other splits (splits.py).
"""

from collections.abc import Sequence

import polars as pl

from relabel_assets.corpus.corpus_files import CorpusFiles
from relabel_assets.corpus.queries.queries import queries_from_rows
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.errors import Problem
from relabel_assets.intake.tables.kinds import QUERIES


def provided_queries(files: CorpusFiles) -> ReadRows:
    """The provided queries: query_id, text, intent, seed_doc_id and split. Empty without a file.

    `split` is NULL where the file does not give it. Raises CorpusError for two files.

    >>> from pathlib import Path
    >>> provided_queries(CorpusFiles("demo", Path("/nowhere"))).frame.height
    0
    """
    problems, notes = list[Problem](), list[str]()
    file = files.holding("queries")
    with files.table(file, QUERIES, problems, notes) as rows:
        provided = queries_from_rows(rows, file=file or "", problems=problems)
    provided.notes = notes
    return provided


def with_beir_splits(queries: pl.DataFrame, judged: Sequence[str]) -> pl.DataFrame:
    """`queries` with a split each: without one, a query is in benchmark if it is `judged`, else in train.

    >>> queries = pl.DataFrame({"query_id": ["q1", "q2", "q3"], "split": [None, None, "label"]})
    >>> with_beir_splits(queries, ["q1", "q3"])["split"].to_list()
    ['benchmark', 'train', 'label']
    """
    is_benchmark = pl.col("split").is_null() & pl.col("query_id").is_in(judged)
    return queries.with_columns(
        split=pl.when(is_benchmark)
        .then(pl.lit("benchmark"))
        .otherwise(pl.col("split").fill_null("train"))
    )


def has_queries(files: CorpusFiles) -> bool:
    """Whether the corpus provides the queries that teach and measure.

    A file of label queries alone provides none. One with a row that cannot be used may.

    >>> from pathlib import Path
    >>> has_queries(CorpusFiles("demo", Path("/nowhere")))
    False
    """
    file = files.holding("queries")
    if file is None:
        return False
    problems, n_label = list[Problem](), 0
    with files.table(file, QUERIES, problems, []) as rows:
        for _, row in rows:
            if row.get("split") != "label":
                return True
            n_label += 1
    return bool(problems) or not n_label
