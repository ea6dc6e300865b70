"""The benchmark as one HTML page that needs no other file.

What belongs here: what the page shows, in which order. What does not: its layout (report.html.j2), its
words (benchmark/report.py) and its numbers (benchmark/facts.py).
"""

from functools import cache
from typing import Any

import jinja2
import polars as pl
from markupsafe import Markup

from relabel_assets.benchmark.bootstrap import METRICS
from relabel_assets.benchmark.costs import seconds_text, usd_text
from relabel_assets.benchmark.gates.gate import worst
from relabel_assets.benchmark.labelers import COMPARISONS, in_order
from relabel_assets.benchmark.page import history
from relabel_assets.benchmark.page.frontier_plot import Interval, frontier_plot, frontier_text
from relabel_assets.benchmark.plots import interval_plot
from relabel_assets.benchmark.probes.false_high import PROBE
from relabel_assets.benchmark.report import (
    ReportFacts,
    definitions,
    slice_names,
    slice_title,
    statements,
    summary,
)
from relabel_assets.intake.text import cut, storable

_LONGEST_TEXT = 2_000  # characters, not measured: a rationale or a description of a screen


def render_html(rows: pl.DataFrame, facts: ReportFacts) -> str:
    """The report as an HTML page that needs no other file. Text from the corpus is escaped.

    `rows` are those of benchmark_report. The browser is told to load nothing and to run no script.

    >>> rows = pl.DataFrame({"labeler": ["student"], "metric": ["ndcg@10"], "slice": ["all"],
    ...                      "value": [0.9191], "ci_low": [0.8812], "ci_high": [0.9511],
    ...                      "n_queries": [56], "n_pairs": [560]})
    >>> page = render_html(rows, ReportFacts("people_handbook", description="<script>"))
    >>> "<h1>people_handbook</h1>" in page, "<script>" in page
    (True, False)
    """
    intervals = {metric: _intervals(rows, metric) for metric in METRICS}
    of_ndcg = intervals["ndcg@10"]
    return _template().render(
        facts=facts,
        is_passed=worst(facts.gate) == "passed",
        statements=statements(facts),
        frontier=frontier_plot(of_ndcg, facts.costs),
        frontier_text=frontier_text(of_ndcg, facts.costs),
        costs=_known_costs(facts),
        slices=[(name, slice_title(rows, name), summary(rows, name)) for name in slice_names(rows)],
        plots=[
            (metric, interval_plot(metric, of_metric))
            for metric, of_metric in intervals.items()
            if of_metric
        ],
        probes=_probes(rows),
        history_columns=[name for name, *_ in history.COLUMNS],
        definitions=definitions(facts),
    )


def _intervals(rows: pl.DataFrame, metric: str) -> list[Interval]:
    """(labeler, value, ci_low, ci_high) of a metric over all queries, in the report's order."""
    of_metric = rows.filter(
        pl.col("metric") == metric, pl.col("slice") == "all", pl.col("value").is_not_null()
    )
    columns = of_metric.select(pl.col("labeler").cast(pl.String), "value", "ci_low", "ci_high")
    by_labeler = {row[0]: row for row in columns.iter_rows()}
    return [by_labeler[name] for name in in_order(by_labeler) if name not in COMPARISONS]


def _known_costs(facts: ReportFacts) -> list[tuple[str, str, str]]:
    """Labeler, dollars and time for 1,000 labels, of those with one of the two."""
    return [
        (
            cost.labeler,
            "not known" if cost.usd is None else usd_text(cost.usd),
            "not known" if cost.seconds is None else seconds_text(cost.seconds),
        )
        for cost in facts.costs
        if cost.usd is not None or cost.seconds is not None
    ]


def _probes(rows: pl.DataFrame) -> list[dict[str, Any]]:
    """The rows of documents that are made to fool a grader, by probe and labeler."""
    of_probes = rows.filter(pl.col("slice").str.starts_with(PROBE))
    return [
        row | {"probe": row["slice"].removeprefix(PROBE)}
        for row in of_probes.sort("slice", "labeler", "metric").iter_rows(named=True)
    ]


def _shown(value: Any) -> Any:
    """A text of the corpus, or any value, for the page: valid, and at most a screen long."""
    if not isinstance(value, str) or isinstance(value, Markup):  # Markup: the plots
        return value
    return storable(cut(value, _LONGEST_TEXT))


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("relabel_assets.benchmark", "page"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        finalize=_shown,
    )
    return environment.get_template("report.html.j2")
