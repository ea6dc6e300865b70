"""What employees type: the queries of the corpus, or, where it has none, queries that the live teacher writes."""

from typing import Any

import polars as pl

from relabel_assets.candidates.choose import retrievable
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.queries import content_hash, with_known_seeds
from relabel_assets.corpus.splits import assign_splits
from relabel_assets.errors import CorpusError, TeacherError
from relabel_assets.graph.table_asset import Rows, Step, table_asset
from relabel_assets.teacher.query_writing import ROUND_TRIP_DEPTH, queries_prompt

_FILE = "queries.jsonl"


def _settings(corpus: CorpusFolder) -> dict[str, Any]:
    settings: dict[str, Any] = {"queries": corpus.config.queries, "teacher": corpus.teacher_kind}
    if corpus.has_queries or corpus.teacher_kind != "openai":
        return settings
    file = corpus.config.queries.prompt
    return settings | {"endpoint": corpus.config.teacher, "prompt": corpus.read_text(file) if file else None}


@table_asset(
    pool="teacher",
    code_version="3",
    group="corpus",
    kinds={"polars"},
    settings=_settings,
    files=("queries", "reference_labels"),
)
def synthetic_queries(step: Step) -> Rows:
    if step.corpus.has_queries:
        return _provided(step)
    if step.corpus.teacher_kind == "openai":
        return _written(step)
    raise CorpusError(
        f"corpus {step.corpus.name!r} has no {_FILE}, and a recorded teacher writes none. Add the queries, or set "
        "teacher.kind to openai."
    )


def _provided(step: Step) -> Rows:
    doc_ids = step.read_column("seed_docs", "doc_id")
    reading = with_known_seeds(step.corpus.queries(), doc_ids, file=_FILE)
    queries, leaking = assign_splits(reading.frame, config=step.corpus.config.queries, file=_FILE)
    rows = queries.with_columns(
        pl.lit("provided").alias("source"),
        pl.lit(None, pl.Boolean).alias("is_round_trip"),
        *(pl.lit(None, pl.String).alias(name) for name in ("persona", "teacher_model", "prompt_hash")),
        pl.struct("text", "intent", "seed_doc_id")
        .map_elements(lambda row: content_hash(row["text"], row["intent"], None, row["seed_doc_id"]), pl.String)
        .alias("content_hash"),
    )
    return Rows(rows, problems=reading.problems + leaking)


def _written(step: Step) -> Rows:
    from relabel_assets.teacher.query_writer import write_queries

    corpus = step.corpus
    prompt = queries_prompt(_settings(corpus)["prompt"], file=corpus.config.queries.prompt or "the queries prompt")
    written = write_queries(
        step.project.teacher(),
        step.read("seed_docs"),
        corpus=corpus.name,
        config=corpus.config.teacher,
        queries=corpus.config.queries,
        prompt=prompt,
        progress=step.progress,
    )
    failures = "; ".join(f"{count} {status}: {written.reasons[status]}" for status, count in written.failed.items())
    if written.queries.is_empty():
        rejected = ", ".join(f"{count} {why}" for why, count in written.rejected.items())
        raise TeacherError(
            f"corpus {corpus.name!r}: no query was written ({failures or rejected or 'no document has text enough'}). "
            "What was answered is in the ledger; mend the cause and run this again."
        )
    queries, leaking = assign_splits(written.queries, config=corpus.config.queries, file="the written queries")
    found = retrievable(
        step.read_batches("seed_docs"), queries, depth=ROUND_TRIP_DEPTH, scratch=step.project.home.scratch
    )
    rows = queries.with_columns(found, source=pl.lit("synthetic"))
    metadata = {f"documents_{status}": count for status, count in written.failed.items()}
    metadata |= {f"rejected: {why}": count for why, count in written.rejected.items()}
    metadata |= {f"intent: {name}": n for name, n in queries.group_by("intent").len().sort("intent").iter_rows()}
    return Rows(
        rows,
        metadata=metadata
        | {"round_trips": int(found.sum()), "cost_usd": written.cost_usd, "failures": failures or "none"}
        | {"notices": "\n".join(written.notices) or "none"},
        problems=leaking,
        n_unfinished=written.failed.total(),
    )
