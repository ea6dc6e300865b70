"""The benchmark's report in words: a table for the terminal, Markdown for the UI.

What belongs here: wording, also of the HTML page. What does not: the numbers (bootstrap.py, facts.py)
and the page itself (page/).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import polars as pl

from relabel_assets.benchmark.bootstrap import METRICS
from relabel_assets.benchmark.costs import LabelingCost, cost_sentences
from relabel_assets.benchmark.gates.gate import VERDICTS, GateResult, worst
from relabel_assets.benchmark.labelers import (
    COMPARISONS,
    POOL_METRICS,
    POOL_SLICES,
    in_order,
)
from relabel_assets.benchmark.plots import markdown_table
from relabel_assets.benchmark.probes.false_high import PROBE, rate_table
from relabel_assets.intake.markdown import inert
from relabel_assets.plural import counted

REFERENCE_SENTENCES = {
    "human": "People gave the reference grades.",
    "adjudicated": (
        "No person gave the reference grades: they are several passes of a language model, adjudicated."
    ),
    "not stated": (
        "Who gave the reference grades is not stated: state reference.kind in corpus.yaml, human or "
        "adjudicated."
    ),
}


@dataclass(frozen=True)
class ReportFacts:
    """The facts that a report shows beside the metrics. All but `corpus` are optional."""

    corpus: str
    description: str = ""
    reference_kind: str | None = "not stated"  # None: there are no reference grades
    gate: Sequence[GateResult] = ()
    frontier: Sequence[str] = ()  # the smallest share of the teacher's grades that is enough
    limits: Sequence[str] = ()  # of the student (training_limits, grade_shift, people_calibrated)
    n_left_out: int = 0
    n_resamples: int = 2000
    seed: int = 13
    costs: Sequence[LabelingCost] = ()
    data: Mapping[str, Any] = field(default_factory=dict)  # data, student and versions, by name
    confusion: Mapping[str, Sequence[Sequence[int]]] = field(default_factory=dict)
    disagreements: Sequence[Mapping[str, Any]] = ()  # page/examples.py, like the next
    worst_queries: Sequence[Mapping[str, Any]] = ()
    history: Sequence[Mapping[str, Any]] = ()  # page/history.py


def summary(rows: pl.DataFrame, slice_name: str = "all") -> pl.DataFrame:
    """A row per labeler, a column per metric with its interval; an undefined metric is None.

    >>> rows = pl.DataFrame({"labeler": ["student"], "metric": ["ndcg@10"], "slice": ["all"],
    ...                      "value": [0.9191], "ci_low": [0.8812], "ci_high": [0.9511]})
    >>> summary(rows).select("labeler", "ndcg@10", "kappa").row(0)
    ('student', '0.919 [0.88, 0.95]', None)
    """
    of_slice = rows.filter(pl.col("slice") == slice_name)
    cells = {(row["labeler"], row["metric"]): _cell(row) for row in of_slice.iter_rows(named=True)}
    labelers = in_order(of_slice["labeler"].cast(pl.String))
    metrics = POOL_METRICS if slice_name in POOL_SLICES else METRICS
    columns = {metric: [cells.get((labeler, metric)) for labeler in labelers] for metric in metrics}
    return pl.DataFrame(
        {"labeler": labelers} | columns, schema=dict.fromkeys(("labeler", *metrics), pl.String)
    )


def render_markdown(rows: pl.DataFrame, facts: ReportFacts) -> str:
    """The report for the Dagster UI.

    >>> rows = pl.DataFrame({"labeler": ["student"], "metric": ["ndcg@10"], "slice": ["all"],
    ...                      "value": [0.9191], "ci_low": [0.8812], "ci_high": [0.9511],
    ...                      "n_queries": [56]})
    >>> print(render_markdown(rows, ReportFacts("people_handbook")).splitlines()[0])
    ### people_handbook
    """
    verdict, *others = statements(facts)
    parts = [f"### {inert(facts.corpus)}", f"**{verdict}**"]
    parts.append("\n".join(f"- {sentence}" for sentence in others))
    for name in slice_names(rows):
        table = summary(rows, name)
        cells = ([inert(row[0]), *(cell or "-" for cell in row[1:])] for row in table.iter_rows())
        title = inert(slice_title(rows, name))
        parts += [f"**{title}**", markdown_table(table.columns, cells)]
    rates = rate_table(rows)
    if not rates.is_empty():
        cells = ([cell or "-" for cell in row] for row in rates.iter_rows())
        title = "Documents that are made to fool a grader: share with grade 2 or 3"
        parts += [f"**{title}**", markdown_table(rates.columns, cells)]
    return "\n\n".join([*parts, *(f"- {sentence}" for sentence in definitions(facts))])


def statements(facts: ReportFacts) -> list[str]:
    """What a reader must know first: the gate's verdict, its reasons, cascades, limits, and who graded.

    >>> statements(ReportFacts("people_handbook", reference_kind="human"))
    ... # doctest: +NORMALIZE_WHITESPACE
    ['Gate: not measured. Whether the student is as good as its teacher was not measured.',
     'People gave the reference grades.']
    """
    verdict = worst(facts.gate)
    graded_by = [REFERENCE_SENTENCES[facts.reference_kind]] if facts.reference_kind else []
    return [
        f"Gate: {verdict}. {VERDICTS[verdict]}",
        *(result.sentence for result in facts.gate),
        *facts.frontier,
        *cost_sentences(facts.costs),
        *facts.limits,
        *graded_by,
    ]


def definitions(facts: ReportFacts) -> list[str]:
    """A sentence on how each number is defined.

    >>> definitions(ReportFacts("people_handbook"))[0][:42]
    'Pairs: all labelers are measured on the sa'
    """
    return [
        "Pairs: all labelers are measured on the same ones. Reference pairs that some labeler did "
        f"not grade are left out: {facts.n_left_out}.",
        "NDCG@10: linear gain, log2 discount. Equal scores are ordered by document id, descending. "
        "Queries without a grade above 0 are left out.",
        "Pairwise accuracy: pairs of one query's documents that differ in reference grade, of all "
        "queries together. Equal scores count as wrong (strict), as half right (half), or are left "
        "out (untied).",
        "Kappa: Cohen's kappa of grades over all pairs, and with quadratic weights. BM25 and the base "
        "give scores; cut points from the training labels make grades of them.",
        "Mean grade: of all pairs. Where the student's differs from its teacher's, its grades do not hold "
        "for these queries, however well it ranks.",
        f"Intervals: 95 %, percentiles of a paired bootstrap over queries ({facts.n_resamples} "
        f"resamples, seed {facts.seed}). From few queries they are narrower than they claim.",
        "Labelers: base is the student's model before training; student-teacher is the difference "
        "of the two. cascade@10% knows the teacher's grades of a tenth of each query's pairs, which the "
        "student chose: these pairs keep them, and the student grades the others. An intent has too few "
        "queries to tell cascades apart.",
        "Probes: documents that answer nothing, one a query and probe. false_high is the share that gets "
        "grade 2 or above, with Wilson's 95 % interval. Honest ones are the start of an irrelevant document.",
        "Gate: passed if the whole interval of student-teacher is above minus the margin, in NDCG@10 and "
        "in pairwise_half; failed if all of it is below in one. It cannot tell from few queries or pairs.",
    ]


def slice_names(rows: pl.DataFrame) -> list[str]:
    """The slices of a report: all queries first, then by name. Probes have a table of their own.

    >>> slice_names(pl.DataFrame({"slice": ["intent=keyword", "all", "probe=empty"]}))
    ['all', 'intent=keyword']
    """
    names = (name for name in rows["slice"].unique() if not name.startswith(PROBE))
    return sorted(names, key=lambda name: (name != "all", name))


def slice_title(rows: pl.DataFrame, name: str) -> str:
    """A slice with its number of queries: intervals of few are narrower than they claim.

    >>> slice_title(pl.DataFrame({"slice": ["all", "all"], "n_queries": [55, 56]}), "all")
    'All queries: 56 queries'
    """
    of_slice = rows.filter(pl.col("slice") == name)
    n_queries = int(of_slice["n_queries"].to_numpy().max())
    if name in POOL_SLICES:
        grades = counted(int(of_slice["n_pairs"].to_numpy().max()), "grade")
        return f"{POOL_SLICES[name]}, from people's sample: {grades}, {counted(n_queries, 'query')}"
    return f"{'All queries' if name == 'all' else name}: {counted(n_queries, 'query')}"


def _cell(row: Mapping[str, Any]) -> str | None:
    if row["value"] is None:
        return None
    sign = "+" if row["labeler"] in COMPARISONS else ""
    return f"{row['value']:{sign}.3f} [{row['ci_low']:{sign}.2f}, {row['ci_high']:{sign}.2f}]"
