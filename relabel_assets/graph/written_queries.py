"""Queries that the live teacher writes from seed documents, for a corpus without queries.

What belongs here: the rows and the forecast of these queries. What does not: the requests and their
replies (teacher/queries/), and queries that a corpus provides (assets/synthetic_queries.py).
"""

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import polars as pl

from relabel_assets.candidates.choose import retrievable
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.queries.splits import assign_splits
from relabel_assets.errors import TeacherError
from relabel_assets.graph.candidates.candidate_inputs import language_of
from relabel_assets.graph.forecast import Changes, Forecast, Trial, computed_forecast, cost_note
from relabel_assets.graph.step import Rows, Step
from relabel_assets.plural import counted
from relabel_assets.teacher.questions import QueryQuestions

if TYPE_CHECKING:
    from relabel_assets.teacher.queries.query_writer import WrittenQueries

_ROUND_TRIP_DEPTH = 10  # documents: one page of results, because few people look further


def settings_of(corpus: CorpusFolder) -> dict[str, Any]:
    """The settings of written queries, beside the settings of all queries."""
    language = corpus.config.candidates.language
    return {
        "endpoint": corpus.config.teacher,
        "prompt": corpus.optional_text(corpus.config.queries.prompt),
    } | ({"language": language} if language else {})


def write(step: Step) -> Rows:
    """The queries that the teacher wrote. It is asked only where its ledger has no answer.

    Raises TeacherError if no query was written.
    """
    from relabel_assets.teacher.queries.query_writer import write_queries

    corpus = step.corpus
    questions = QueryQuestions.for_corpus(corpus, step.read("seed_docs"))
    written = write_queries(
        step.project.teacher(), questions, corpus=corpus.name, progress=step.progress
    )
    if written.queries.is_empty():
        raise TeacherError(
            f"corpus {corpus.name!r}: no query was written ({_reason(written)}). "
            "All answers are in the ledger. Fix the cause and run this again."
        )
    config = corpus.config.queries
    queries, leaking = assign_splits(written.queries, config=config, file="the written queries")
    batches, scratch = step.read_batches("seed_docs"), step.project.home.scratch
    is_found = retrievable(
        batches, queries, depth=_ROUND_TRIP_DEPTH, scratch=scratch, language=language_of(step)
    )
    rows = queries.with_columns(
        is_found,
        source=pl.lit("synthetic"),
        weight=pl.lit(None, pl.Float64),
        stratum=pl.lit(None, pl.String),
    )
    return Rows(
        rows,
        metadata=_metadata(written, rows),
        problems=leaking,
        n_unfinished=written.failed.total(),
        notices=_notices(written),
    )


def forecast(trial: Trial) -> Forecast:
    """The maximum number of queries that the teacher will write. Its answers decide."""
    step, corpus = trial.step, trial.step.corpus
    questions = QueryQuestions.for_corpus(corpus, step.read("seed_docs"))
    load = step.project.teacher().estimate(questions, corpus=corpus.name)
    if load.n_to_send == 0:
        return computed_forecast(trial)
    changes = trial.compute() if load.n_answered else Changes(0, 0, step.current_rows().height)
    n_added = changes.added + load.n_to_send * corpus.config.queries.per_document
    return Forecast(
        replace(changes, added=n_added, is_upper_bound=True),
        f"the teacher is asked about {counted(load.n_to_send, 'document')}{cost_note(load)}",
        is_complete=False,
    )


def _metadata(written: "WrittenQueries", rows: pl.DataFrame) -> dict[str, Any]:
    """Counts of failures, rejections, intents and round trips, with the cost and the notices."""
    intents = rows.group_by("intent").len().sort("intent").iter_rows()
    return (
        {f"documents_{status}": count for status, count in written.failed.items()}
        | {f"rejected: {why}": count for why, count in written.rejected.items()}
        | {f"intent: {name}": count for name, count in intents}
        | {"round_trips": int(rows["is_round_trip"].sum()), "cost_usd": written.cost_usd}
        | {
            "failures": _failures(written) or "none",
            "notices": "\n".join(written.notices) or "none",
        }
    )


def _notices(written: "WrittenQueries") -> list[str]:
    """What became of the queries that are not used, and of the documents without any."""
    notices = []
    if n_rejected := written.rejected.total():
        reasons = ", ".join(f"{n:,} {why}" for why, n in written.rejected.most_common())
        notices.append(f"{counted(n_rejected, 'written query')} rejected: {reasons}")
    if n_failed := written.failed.total():
        notices.append(f"no queries of {counted(n_failed, 'document')}: {_failures(written)}")
    return notices


def _failures(written: "WrittenQueries") -> str:
    counts = written.failed.items()
    return "; ".join(f"{count} {status}: {written.reasons[status]}" for status, count in counts)


def _reason(written: "WrittenQueries") -> str:
    """The reason why no query was written."""
    rejected = ", ".join(f"{count} {why}" for why, count in written.rejected.items())
    return _failures(written) or rejected or "no document has enough text"
