"""The facts that a report shows beside its metrics, computed from the tables of a corpus.

What belongs here: choosing and computing them. What does not: the metrics (bootstrap.py), wording
and layout (report.py).
"""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import polars as pl

from relabel_assets.benchmark.baselines import confusions
from relabel_assets.benchmark.costs import labeling_costs
from relabel_assets.benchmark.frontier import smallest_share
from relabel_assets.benchmark.gates.grade_shift import grade_shift
from relabel_assets.benchmark.gates.training_limits import training_limits
from relabel_assets.benchmark.labelers import CASCADES
from relabel_assets.benchmark.page.examples import telling_disagreements, worst_queries
from relabel_assets.benchmark.page.history import history_rows
from relabel_assets.benchmark.people_calibrated import people_calibrated
from relabel_assets.benchmark.pool.people_gate import replacement_gate
from relabel_assets.benchmark.probes.false_high import fooled
from relabel_assets.benchmark.report import ReportFacts

# The columns of student_model that the report shows.
SHOWN_OF_MODEL = ("model_id", "base_model", "method", "n_train_pairs", "n_dev_pairs", "best_epoch")


def verdict_of(
    rows: pl.DataFrame,
    model: Mapping[str, Any] | None,
    *,
    corpus: str,
    reference_kind: str | None,
    gate_settings: Mapping[str, Any],
) -> ReportFacts:
    """What the page, the UI and the terminal say first: the gate, cascades, and the student's limits.

    `rows` are those of benchmark_report, `model` the row of the current student if there is one.
    `gate_settings`: margins and minima of the gate, with agreement_margin.

    >>> from relabel_assets.benchmark.bootstrap import ROW_SCHEMA
    >>> settings = {"ndcg_margin": 0.05, "pairwise_margin": 0.05, "min_queries": 30, "min_pairs": 100}
    >>> rows = pl.DataFrame(schema=ROW_SCHEMA)
    >>> facts = verdict_of(rows, None, corpus="tiny", reference_kind="human",
    ...                    gate_settings=settings | {"agreement_margin": 0.05})
    >>> [result.verdict for result in facts.gate], facts.frontier, facts.limits
    (['not measured', 'not measured'], [], [])
    """
    by_reference = {**gate_settings}
    agreement_margin = by_reference.pop("agreement_margin")
    shift = grade_shift(rows, min_queries=gate_settings["min_queries"])
    return ReportFacts(
        corpus,
        reference_kind=reference_kind,
        gate=replacement_gate(rows, agreement_margin=agreement_margin, **by_reference),
        frontier=smallest_share(rows, architecture=model["architecture"], **by_reference)
        if model
        else [],
        limits=[
            *(training_limits(model) if model else []),
            *shift,
            *(people_calibrated(rows, model) if model else []),
            *fooled(rows),
        ],
    )


def facts_of(
    rows: pl.DataFrame,
    *,
    n_left_out: int,
    corpus: str,
    description: str,
    reference_kind: str | None,
    gate_settings: Mapping[str, Any],
    prices: Mapping[str, float | None],
    versions: Mapping[str, str],
    n_grades: int,
    model: Mapping[str, Any],
    labels: pl.DataFrame,
    student: pl.DataFrame,
    teacher: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
    history: pl.DataFrame,
) -> ReportFacts:
    """The facts of one corpus.

    `rows`, `model` and `gate_settings` as in `verdict_of`. `labels`: the grades of all labelers
    (baselines.labels_in_one). `prices`: the settings `costs`. `history`: the rows of benchmark_history.
    The other frames are the rows of their tables.

    >>> from relabel_assets.benchmark.baselines import labels_in_one
    >>> from relabel_assets.benchmark.bootstrap import measure
    >>> pair = {"query_id": ["q1"], "doc_id": ["d1"], "grade": [3]}
    >>> times = {"labeled_at": None, "latency_s": 0.5, "teacher_model": "gpt", "prompt_hash": "1f"}
    >>> graded = pl.DataFrame(pair | times | {"expected_grade": [2.9], "rationale": "", "cost_usd": 0.01})
    >>> reference = pl.DataFrame(pair | {"assessor": "a", "reviewed_at": None})
    >>> queries = pl.DataFrame({"query_id": ["q1"], "text": ["leave"], "intent": ["keyword"]})
    >>> labels = labels_in_one(teacher=graded, student=graded)
    >>> settings = {"ndcg_margin": 0.05, "pairwise_margin": 0.05, "agreement_margin": 0.05}
    >>> settings |= {"min_queries": 30, "min_pairs": 100}
    >>> prices = {"person_usd_per_hour": None, "machine_usd_per_hour": 0.36}
    >>> measured = measure(labels, reference, queries)
    >>> model = dict.fromkeys(SHOWN_OF_MODEL, 60) | {"architecture": "decoder", "cut_points": [0.5, 1.5, 2.5]}
    >>> facts = facts_of(
    ...     measured.rows, n_left_out=0, corpus="tiny", description="A corpus.",
    ...     reference_kind="human", gate_settings=settings, prices=prices, versions={}, n_grades=4,
    ...     model=model, labels=labels, student=graded, teacher=graded, reference=reference, queries=queries,
    ...     documents=pl.DataFrame({"doc_id": ["d1"], "title": ["Leave"], "body": ["Ten days."]}),
    ...     history=pl.DataFrame(schema={"noted_at": pl.Datetime}),
    ... )
    >>> [(cost.labeler, cost.usd) for cost in facts.costs]
    [('teacher', 10.0), ('student', 0.05), ('people', None)]
    >>> facts.confusion["student"][3]
    [0, 0, 0, 1]
    """
    return replace(
        verdict_of(
            rows, model, corpus=corpus, reference_kind=reference_kind, gate_settings=gate_settings
        ),
        description=description,
        n_left_out=n_left_out,
        costs=labeling_costs(
            teacher, student, reference, labelers=labels["labeler"].unique(), **prices
        ),
        data=_data(teacher, reference, queries, documents)
        | {name: model[name] for name in SHOWN_OF_MODEL}
        | dict(versions),
        # A cascade's table is between the student's and the teacher's.
        confusion=confusions(
            labels.filter(~pl.col("labeler").is_in([*CASCADES])), reference, n_grades=n_grades
        ),
        disagreements=telling_disagreements(student, teacher, reference, queries, documents),
        worst_queries=worst_queries(student, teacher, reference, queries),
        history=history_rows(history),
    )


def _data(
    teacher: pl.DataFrame, reference: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame
) -> dict[str, Any]:
    """What was measured on, and who taught: counts, the teacher's models, prompts and dollars."""
    graded = teacher.filter(pl.col("grade").is_not_null())
    models, prompts = (
        ", ".join(graded[name].drop_nulls().unique().sort())
        for name in ("teacher_model", "prompt_hash")
    )
    return {
        "documents": documents.height,
        "queries": queries.height,
        "reference grades": reference.height,
        "assessors": reference["assessor"].n_unique(),
        "pairs the teacher graded": graded.height,
        "cost in USD": round(teacher["cost_usd"].sum(), 4),
        "teacher": models or None,
        "teacher's prompt and rubric, SHA-256": prompts or None,
    }
