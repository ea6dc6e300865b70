"""What `--format json` prints: a JSON object a line on stdout, one for each corpus.

What belongs here: the objects and their keys, which scripts rely on. What does not: the output for people
(output.py), the results of queries (output_frames.py) and the log lines (logs.py).

Every object has `corpus` and `error`: null, or the message of a corpus that failed. The other keys of such
a corpus are missing. All other output is on stderr.
"""

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from typing import Any

import polars as pl

from relabel_assets.benchmark.gates.gate import worst
from relabel_assets.cli.printing.output_report import report_page, spend_of
from relabel_assets.cli.printing.output_verdict import verdict_facts
from relabel_assets.corpus.check import Checked
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import Problem, RelabelError
from relabel_assets.graph.project import Project
from relabel_assets.review.people_grades import count_grades
from relabel_assets.review.store import FOLDER as REVIEWS
from relabel_assets.running.plan import Planned
from relabel_assets.running.runner import Outcome
from relabel_assets.warehouse.warehouse import Warehouse

_METRIC = ("slice", "labeler", "metric", "value", "ci_low", "ci_high")
_FACTS = ("reference_kind", "n_queries", "n_pairs")


def print_json(corpus: str, record: Mapping[str, Any]) -> None:
    """Print the object of a corpus."""
    _print({"corpus": corpus, "error": None, **record})


def print_failures(failures: Mapping[str, RelabelError]) -> None:
    """Print the object of each corpus that failed."""
    for corpus, error in failures.items():
        _print({"corpus": corpus, "error": str(error)})


def of_outcome(outcome: Outcome | None) -> dict[str, Any]:
    """A run of a corpus; None where nothing was to be done.

    >>> of_outcome(None)["status"]
    'up_to_date'
    """
    if outcome is None:
        outcome, status = Outcome("", is_success=True), "up_to_date"
    else:
        status = "succeeded" if outcome.is_success else "failed"
    return {
        "status": status,
        "run_id": outcome.run_id,
        "failed_steps": outcome.failures,
        "failed_checks": outcome.findings,
        "set_aside": outcome.set_aside,
    }


def of_plan(planned: Iterable[Planned]) -> dict[str, Any]:
    """The tables that a run would compute. `changes` is null where they are unknown."""
    return {
        "tables": [
            {
                "table": table.table,
                "reason": table.reason,
                "changes": asdict(table.changes) if table.changes else None,
                "note": table.note or None,
            }
            for table in planned
        ]
    }


def of_report(project: Project, warehouse: Warehouse, corpus: str) -> dict[str, Any]:
    """The benchmark of a corpus, a metric of a labeler each, and what its labels cost.

    Without a benchmark `metrics` is empty, and the gate's verdict is "not measured". `limits` has what the
    student's training leaves open.
    """
    rows = warehouse.read("benchmark_report", corpus)
    costs = spend_of(warehouse, [corpus]).drop("corpus").to_dicts()
    page = report_page(project, corpus)
    facts = rows.filter(pl.col("slice") == "all").head(1).to_dicts()
    verdict = verdict_facts(project, warehouse, corpus, rows)
    return {
        **{key: facts[0][key] if facts else None for key in _FACTS},
        "verdict": worst(verdict.gate),
        "gate": [asdict(result) for result in verdict.gate],
        "frontier": list(verdict.frontier),
        "limits": list(verdict.limits),
        "metrics": rows.select(_METRIC).to_dicts(),
        "page": str(page) if page else None,
        "cost": costs[0] if costs else None,
    }


def of_corpus(folder: CorpusFolder) -> dict[str, Any]:
    """The counts of a corpus folder."""
    counts = folder.summary()
    return {
        "description": folder.config.description,
        "n_documents": counts.n_documents,
        "n_queries": counts.n_queries,
        "n_label_queries": counts.n_label_queries,
        "teacher": folder.teacher_kind,
        "n_recorded_labels": counts.n_recorded_labels,
        "reference_kind": folder.config.reference.kind,
        "n_reference_labels": counts.n_reference_labels,
        "n_reviews": count_grades(folder.path / REVIEWS, max_grade=folder.rubric.max_grade),
    }


def of_check(checked: Checked) -> dict[str, Any]:
    """The problems of a corpus folder, and how its files were read."""
    return of_problems(checked.problems) | {"notes": checked.notes}


def of_problems(problems: Sequence[Problem]) -> dict[str, Any]:
    """Inputs that cannot be used. `line` is null for a whole file."""
    return {"problems": [asdict(problem) for problem in problems]}


def _print(record: Mapping[str, Any]) -> None:
    # ASCII: no text from data acts on a terminal. Flushed: a reader sees each corpus when it is done.
    sys.stdout.write(json.dumps(record, allow_nan=False) + "\n")
    sys.stdout.flush()
