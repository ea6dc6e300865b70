"""The benchmark for people: a table for the terminal, Markdown for the UI, a page of its own.

What belongs here: wording and layout. What does not: the numbers (benchmark.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import jinja2
import polars as pl

from relabel_assets.benchmark.bootstrap import DIFFERENCE, METRICS, Verdict
from relabel_assets.benchmark.plots import interval_plot

LABELER_ORDER = ("teacher", "student", "base", "bm25", DIFFERENCE)
REFERENCE_SENTENCES = {
    "human": "People gave the reference grades.",
    "adjudicated": "No person gave the reference grades: they are several passes of a language model, adjudicated.",
}


@dataclass(frozen=True)
class ReportFacts:
    """What a page says beside the metrics; plain values, all but the corpus optional."""

    corpus: str
    description: str = ""
    reference_kind: str = "human"
    verdicts: Sequence[Verdict] = ()
    n_left_out: int = 0
    n_resamples: int = 2000
    seed: int = 13
    costs: Mapping[str, Any] = field(default_factory=dict)
    student: Mapping[str, Any] = field(default_factory=dict)
    confusion: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    disagreements: Sequence[Mapping[str, Any]] = ()


def summary(rows: pl.DataFrame, slice_name: str = "all") -> pl.DataFrame:
    """A row per labeler, a column per metric with its interval: "0.919 [0.88, 0.95]"; empty cells are None."""
    shown = rows.filter(pl.col("slice") == slice_name)
    cells = {(row["labeler"], row["metric"]): _cell(row) for row in shown.iter_rows(named=True)}
    labelers = [labeler for labeler in LABELER_ORDER if labeler in set(shown["labeler"].cast(pl.String))]
    return pl.DataFrame(
        {"labeler": labelers} | {metric: [cells.get((labeler, metric)) for labeler in labelers] for metric in METRICS},
        schema=dict.fromkeys(("labeler", *METRICS), pl.String),
    )


def render_markdown(rows: pl.DataFrame, facts: ReportFacts) -> str:
    """The report for the Dagster UI."""
    parts = [f"### {facts.corpus}", headline(rows, facts)]
    for name in slice_names(rows):
        table = summary(rows, name)
        lines = [f"| {' | '.join(table.columns)} |", f"|{'---|' * table.width}"]
        lines += [f"| {' | '.join(cell or '-' for cell in row)} |" for row in table.iter_rows()]
        parts += [f"**{name}**", "\n".join(lines)]
    return "\n\n".join([*parts, *(f"- {sentence}" for sentence in definitions(facts))])


def render_html(rows: pl.DataFrame, facts: ReportFacts) -> str:
    """One page that needs nothing else: styles and pictures are inside. Text from documents is escaped."""
    plots = [
        (metric, interval_plot(metric, _intervals(rows, metric))) for metric in METRICS if _intervals(rows, metric)
    ]
    slices = [(name, summary(rows, name)) for name in slice_names(rows)]
    return _template().render(
        facts=facts, headline=headline(rows, facts), slices=slices, plots=plots, definitions=definitions(facts)
    )


def headline(rows: pl.DataFrame, facts: ReportFacts) -> str:
    """What the student achieves beside its teacher, in a sentence or two."""
    if rows.is_empty():
        return "Nothing was measured: no reference label has a grade by every labeler."
    by_name = {row["labeler"]: row for row in summary(rows).iter_rows(named=True)}
    student, teacher = by_name.get("student"), by_name.get("teacher")
    if not student or not teacher:
        return "Student and teacher cannot be compared: one of them has no grades."
    said = f"The student's NDCG@10 is {student['ndcg@10']}, its teacher's {teacher['ndcg@10']}."
    return " ".join(
        [said, *(verdict.sentence for verdict in facts.verdicts), REFERENCE_SENTENCES[facts.reference_kind]]
    )


def definitions(facts: ReportFacts) -> list[str]:
    """How the numbers are defined, a sentence each."""
    return [
        f"All labelers are measured on the same pairs; {facts.n_left_out} reference pairs without a grade by every labeler are left out.",
        "NDCG@10: linear gain, log2 discount; equal scores by document id, descending; queries without a grade above 0 are left out.",
        "Pairwise accuracy: document pairs of one query that differ in reference grade, pooled; ties wrong (strict), half, or left out (untied).",
        "Kappa: Cohen's, on grades pooled over pairs; BM25's and the base's grades come from cut points on the training labels.",
        f"Intervals: 95 %, percentiles of a paired bootstrap over queries ({facts.n_resamples} resamples, seed {facts.seed}).",
        REFERENCE_SENTENCES[facts.reference_kind],
    ]


def slice_names(rows: pl.DataFrame) -> list[str]:
    return sorted(rows["slice"].unique(), key=lambda name: (name != "all", name))


def _intervals(rows: pl.DataFrame, metric: str) -> list[tuple[str, float, float, float]]:
    found = rows.filter((pl.col("metric") == metric) & (pl.col("slice") == "all") & pl.col("value").is_not_null())
    by_name = {
        row["labeler"]: (row["labeler"], row["value"], row["ci_low"], row["ci_high"])
        for row in found.iter_rows(named=True)
    }
    return [by_name[labeler] for labeler in LABELER_ORDER if labeler in by_name and labeler != DIFFERENCE]


def _cell(row: Mapping[str, Any]) -> str | None:
    if row["value"] is None:
        return None
    sign = "+" if row["labeler"] == DIFFERENCE else ""
    return f"{row['value']:{sign}.3f} [{row['ci_low']:{sign}.2f}, {row['ci_high']:{sign}.2f}]"


@cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("relabel_assets", "benchmark")
    return jinja2.Environment(loader=loader, autoescape=True, undefined=jinja2.StrictUndefined).get_template(
        "report.html.j2"
    )
