"""The queries of a corpus: provided in its folder, or written by the live teacher."""

from dataclasses import replace
from typing import Any, cast

import polars as pl

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.queries.queries import content_hash, with_known_seeds
from relabel_assets.corpus.queries.splits import assign_splits
from relabel_assets.errors import CorpusError
from relabel_assets.graph import written_queries
from relabel_assets.graph.forecast import Forecast, Trial, computed_forecast
from relabel_assets.graph.step import Rows, Step, read_as
from relabel_assets.graph.table_asset import table_asset

_FILE = "queries.jsonl"


def _are_written(corpus: CorpusFolder) -> bool:
    """Whether the live teacher writes the queries. Label queries are provided all the same."""
    return not corpus.has_queries and corpus.teacher_kind == "openai"


def _settings(corpus: CorpusFolder) -> dict[str, Any]:
    settings: dict[str, Any] = {"queries": corpus.config.queries, "teacher": corpus.teacher_kind}
    return settings | (written_queries.settings_of(corpus) if _are_written(corpus) else {})


def _forecast(trial: Trial) -> Forecast:
    if not _are_written(trial.step.corpus):
        return computed_forecast(trial)
    forecast = written_queries.forecast(trial)
    if forecast.changes is None or not forecast.changes.is_upper_bound:
        return forecast
    n_label = trial.step.corpus.queries().frame.height
    more = replace(forecast.changes, added=forecast.changes.added + n_label)
    return replace(forecast, changes=more)


@table_asset(
    pool="teacher",
    code_version="5",
    kinds={"polars"},
    settings=_settings,
    files=("queries", "reference_labels"),
    forecast=_forecast,
)
def synthetic_queries(step: Step) -> Rows:
    """The queries with their splits. Raises CorpusError if no queries are provided or written."""
    if _are_written(step.corpus):
        written, of_label = written_queries.write(step), _provided(step)
        return replace(
            written,
            frame=pl.concat(map(_frame, (written, of_label)), how="diagonal_relaxed"),
            metadata={**written.metadata, **of_label.metadata},
            problems=written.problems + of_label.problems,
        )
    if step.corpus.has_queries:
        return _provided(step)
    kind = {
        "none": "there is no teacher to write any",
        "recorded": "a recorded teacher writes none",
    }
    raise CorpusError(
        f"corpus {step.corpus.name!r} has no {_FILE} with queries to learn from, and "
        f"{kind[step.corpus.teacher_kind]}. Add {_FILE} (or .csv, .xlsx, ...), or name a teacher in "
        f"{step.corpus.name}/corpus.yaml, such as "
        "teacher: {kind: openai, model: gpt-4o-mini, budget_usd: 5}. Nothing was sent."
    )


def _frame(rows: Rows) -> pl.DataFrame:
    """Rows of queries, which are in memory."""
    return cast(pl.DataFrame, rows.frame)


def _provided(step: Step) -> Rows:
    """The rows of the queries in the corpus folder."""
    doc_ids, file = step.read_column("seed_docs", "doc_id"), step.corpus.file_of("queries")
    reading = with_known_seeds(step.corpus.queries(), doc_ids, file=file)
    queries, leaking = assign_splits(reading.frame, config=step.corpus.config.queries, file=file)
    only_written = ("persona", "teacher_model", "prompt_hash")  # NULL for a provided query
    texts = queries.select("text", "intent", "seed_doc_id").iter_rows()
    hashes = [content_hash(text, intent, None, seed) for text, intent, seed in texts]
    rows = queries.with_columns(
        source=pl.lit("provided"),
        is_round_trip=pl.lit(None, pl.Boolean),
        content_hash=pl.Series(hashes, dtype=pl.String),
        **{name: pl.lit(None, pl.String) for name in only_written},
    )
    n_label = queries.filter(pl.col("split") == "label").height
    metadata = read_as(reading.notes) | {"label_queries": n_label}
    return Rows(rows, metadata, problems=reading.problems + leaking)
