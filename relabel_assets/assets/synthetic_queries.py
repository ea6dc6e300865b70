"""What employees type: the queries of the corpus, or, where it has none, queries that the live teacher writes."""

import polars as pl

from relabel_assets.core.queries import content_hash, with_known_seeds
from relabel_assets.core.splits import assign_splits
from relabel_assets.errors import CorpusError
from relabel_assets.graph import Rows, Step, table_asset

_FILE = "queries.jsonl"


@table_asset(
    code_version="1",
    group="corpus",
    kinds={"polars"},
    settings=lambda corpus: {"queries": corpus.config.queries, "teacher": corpus.teacher_kind},
    files=("queries", "reference_labels"),
)
def synthetic_queries(step: Step) -> Rows:
    if not step.corpus.has_queries:
        raise CorpusError(
            f"corpus {step.corpus.name!r} has no {_FILE}, and its teacher is {step.corpus.teacher_kind}. Add the queries."
        )
    doc_ids = step.read_column("seed_docs", "doc_id")
    reading = with_known_seeds(step.corpus.queries(), doc_ids, file=_FILE)
    queries, leaking = assign_splits(reading.frame, config=step.corpus.config.queries, file=_FILE)
    written = queries.with_columns(
        pl.lit("provided").alias("source"),
        pl.lit(None, pl.Boolean).alias("is_round_trip"),
        *(pl.lit(None, pl.String).alias(name) for name in ("persona", "teacher_model", "prompt_hash")),
        pl.struct("text", "intent", "seed_doc_id")
        .map_elements(lambda row: content_hash(row["text"], row["intent"], None, row["seed_doc_id"]), pl.String)
        .alias("content_hash"),
    )
    return Rows(written, problems=reading.problems + leaking)
