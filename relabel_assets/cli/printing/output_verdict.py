"""The verdict on a student, as commands print it: the gate, the limits of its training, who graded.

What belongs here: what `relabel run` and `relabel report` say below a benchmark. What does not: the
verdict's rule and words (benchmark/), which the check and the report share.
"""

import polars as pl
from rich.markup import escape

from relabel_assets.benchmark.facts import verdict_of
from relabel_assets.benchmark.gates.gate import worst
from relabel_assets.benchmark.report import ReportFacts, statements
from relabel_assets.cli.console import OUT
from relabel_assets.graph.project import Project
from relabel_assets.warehouse.warehouse import Warehouse


def verdict_facts(
    project: Project, warehouse: Warehouse, corpus: str, rows: pl.DataFrame
) -> ReportFacts:
    """What is known of the current student of `corpus`, by the settings of its corpus.yaml.

    `rows` are those of benchmark_report.
    """
    config = project.corpora().open(corpus).config
    students = warehouse.read("student_model", corpus).filter("is_current")
    kinds = rows.filter(pl.col("slice") == "all")["reference_kind"]
    return verdict_of(
        rows,
        students.row(0, named=True) if students.height else None,
        corpus=corpus,
        reference_kind=None if kinds.is_empty() else kinds[0],
        gate_settings=config.gate.by_people,
    )


def print_verdict(facts: ReportFacts) -> None:
    """Print the statements that the report begins with. Green is for what passed alone."""
    verdict, *reasons = statements(facts)
    color = "green" if worst(facts.gate) == "passed" else "yellow"
    OUT.print(f"  [{color}]{escape(verdict)}[/]", highlight=False, soft_wrap=True)
    for reason in reasons:
        OUT.print(f"    {escape(reason)}", highlight=False, soft_wrap=True)
