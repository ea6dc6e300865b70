"""The facts that a report shows beside its metrics, computed from the tables of a corpus.

What belongs here: choosing and computing them. What does not: the metrics (bootstrap.py), wording
and layout (report.py).
"""

from collections.abc import Mapping
from typing import Any

import polars as pl

from relabel_assets.benchmark.baselines import confusions, disagreements
from relabel_assets.benchmark.bootstrap import Measurement
from relabel_assets.benchmark.frontier import smallest_share, usd_per_1000_pairs
from relabel_assets.benchmark.gate import gate
from relabel_assets.benchmark.grade_shift import grade_shift
from relabel_assets.benchmark.labelers import CASCADES
from relabel_assets.benchmark.people_calibrated import people_calibrated
from relabel_assets.benchmark.report import ReportFacts
from relabel_assets.benchmark.training_limits import training_limits

# The columns of student_model that the report shows.
SHOWN_OF_MODEL = ("model_id", "base_model", "method", "n_train_pairs", "n_dev_pairs", "best_epoch")


def facts_of(
    measured: Measurement,
    *,
    corpus: str,
    description: str,
    reference_kind: str | None,
    gate_settings: Mapping[str, Any],
    n_grades: int,
    model: Mapping[str, Any],
    labels: pl.DataFrame,
    student: pl.DataFrame,
    teacher: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
) -> ReportFacts:
    """The facts of one corpus.

    `labels`: the grades of all labelers (baselines.labels_in_one). `model`: the row of the current
    student. The other frames are the rows of their tables.

    >>> from relabel_assets.benchmark.baselines import labels_in_one
    >>> from relabel_assets.benchmark.bootstrap import measure
    >>> pair = {"query_id": ["q1"], "doc_id": ["d1"], "grade": [3]}
    >>> graded = pl.DataFrame(pair | {"expected_grade": [2.9], "rationale": "", "cost_usd": 0.01})
    >>> reference = pl.DataFrame(pair | {"assessor": "a"})
    >>> queries = pl.DataFrame({"query_id": ["q1"], "text": ["leave"], "intent": ["keyword"]})
    >>> labels = labels_in_one(teacher=graded, student=graded)
    >>> settings = {"ndcg_margin": 0.05, "pairwise_margin": 0.05, "min_queries": 30, "min_pairs": 100}
    >>> model = dict.fromkeys(SHOWN_OF_MODEL, 60) | {"architecture": "decoder", "cut_points": [0.5, 1.5, 2.5]}
    >>> facts = facts_of(
    ...     measure(labels, reference, queries), corpus="tiny", description="A corpus.",
    ...     reference_kind="human", gate_settings=settings, n_grades=4,
    ...     model=model, labels=labels, student=graded, teacher=graded, reference=reference, queries=queries,
    ...     documents=pl.DataFrame({"doc_id": ["d1"], "title": ["Leave"]}),
    ... )
    >>> facts.costs
    {'pairs the teacher graded': 1, 'cost in USD': 0.01, 'USD per 1,000 pairs, teacher': 10.0}
    >>> facts.confusion["student"][3]
    [0, 0, 0, 1]
    """
    return ReportFacts(
        corpus=corpus,
        description=description,
        reference_kind=reference_kind,
        gate=gate(measured.rows, **gate_settings),
        frontier=smallest_share(measured.rows, architecture=model["architecture"], **gate_settings),
        limits=[
            *training_limits(model),
            *grade_shift(measured.rows, min_queries=gate_settings["min_queries"]),
            *people_calibrated(measured.rows, model),
        ],
        n_left_out=measured.n_left_out,
        costs={
            "pairs the teacher graded": teacher["grade"].count(),
            "cost in USD": round(teacher["cost_usd"].sum(), 4),
        }
        | {
            f"USD per 1,000 pairs, {labeler}": usd
            for labeler, usd in usd_per_1000_pairs(teacher, labels["labeler"].unique()).items()
        },
        student={name: model[name] for name in SHOWN_OF_MODEL},
        # A cascade's table is between the student's and the teacher's.
        confusion=confusions(
            labels.filter(~pl.col("labeler").is_in([*CASCADES])), reference, n_grades=n_grades
        ),
        disagreements=disagreements(student, teacher, reference, queries, documents),
    )
