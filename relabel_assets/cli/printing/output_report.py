"""Printed benchmarks: a row per labeler and a column per metric, the verdict, and what the labels cost.

What belongs here: their formatting for a terminal, and reading what it needs. What does not: computing
metrics (benchmark/), the verdict's words (output_verdict.py), and the other output of runs (output.py).
"""

import webbrowser
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from rich.markup import escape

from relabel_assets.benchmark.report import summary
from relabel_assets.cli.console import ERR, OUT
from relabel_assets.cli.each_corpus import EachCorpus
from relabel_assets.cli.printing.output_tables import Wide, print_table
from relabel_assets.cli.printing.output_verdict import print_verdict, verdict_facts
from relabel_assets.graph.project import Project
from relabel_assets.plural import counted
from relabel_assets.warehouse.warehouse import Warehouse


def print_report(
    project: Project, warehouse: Warehouse, corpora: Sequence[str], each: EachCorpus
) -> None:
    """Print the benchmark of each corpus, a row per labeler and a column per metric; then the costs."""
    for _ in each.of(corpora, lambda corpus: _print_benchmark(project, warehouse, corpus)):
        pass
    _print_costs(warehouse, corpora)


def _print_benchmark(project: Project, warehouse: Warehouse, corpus: str) -> None:
    rows = warehouse.read("benchmark_report", corpus)
    if rows.filter(pl.col("slice") == "all").is_empty():
        if (corpus, "benchmark_report") in warehouse.receipts():
            OUT.print(f"[bold]{corpus}[/]: the benchmark measured nothing.", highlight=False)
            print_verdict(verdict_facts(project, warehouse, corpus, rows))
        else:
            OUT.print(
                f"[bold]{corpus}[/]: no benchmark yet. It needs reference labels and a "
                "completed `relabel run`."
            )
        return
    frame = summary(rows)
    first = rows.filter(pl.col("slice") == "all").row(0, named=True)
    kind = first["reference_kind"]
    graders = "reference labels" if kind == "not stated" else f"{kind} reference labels"
    title = (
        f"{corpus}: against {graders}, "
        f"{first['n_queries']} queries, {first['n_pairs']} pairs, 95 % intervals"
    )
    cells = [[cell or "-" for cell in row] for row in frame.iter_rows()]
    print_table(frame.columns, cells, title=title, wide=Wide.CONTINUED)
    print_verdict(verdict_facts(project, warehouse, corpus, rows))
    if page := report_page(project, corpus):
        OUT.print(f"  page: {escape(str(page))}", highlight=False, soft_wrap=True)


def report_page(project: Project, corpus: str) -> Path | None:
    """The report of a corpus as an HTML page, if there is one."""
    page = project.home.reports / f"{corpus}.html"
    return page if page.exists() else None


def open_pages(project: Project, corpora: Sequence[str]) -> None:
    """Open the page of each corpus in the browser. Without a browser, its address is a line on stderr."""
    for corpus in corpora:
        page = report_page(project, corpus)
        if page is None:
            ERR.print(f"{corpus}: there is no page yet. `relabel run -c {corpus}` makes it.")
        elif not webbrowser.open(page.resolve().as_uri()):
            ERR.print(f"No browser was found. The page: {escape(str(page))}", soft_wrap=True)


def spend_of(warehouse: Warehouse, corpora: Sequence[str]) -> pl.DataFrame:
    """The pairs, requests and dollars behind the present labels, a row per corpus."""
    return warehouse.query(
        """
        select corpus, sum(pairs)::bigint as pairs, sum(graded_pairs)::bigint as graded_pairs,
            sum(requests)::bigint as requests, sum(cost_usd) as cost_usd,
            sum(pairs_of_unknown_price)::bigint as pairs_of_unknown_price
        from teacher_spend group by all order by all
        """
    ).filter(pl.col("corpus").is_in(list(corpora)))


def _print_costs(warehouse: Warehouse, corpora: Sequence[str]) -> None:
    """Print the graded pairs and the dollars paid of each corpus."""
    spend = spend_of(warehouse, corpora)
    if spend.is_empty():
        return
    OUT.print("\n[bold]Cost of the labels[/]")
    for row in spend.iter_rows(named=True):
        OUT.print(f"  {row['corpus']}: {_cost(row)}", highlight=False)


def _cost(row: Mapping[str, Any]) -> str:
    graded = f"{row['graded_pairs']:,} of {row['pairs']:,} pairs"
    if not row["requests"]:
        alone = "" if row["graded_pairs"] == row["pairs"] else ", and training uses these alone"
        return f"nothing paid: {graded} have a recorded grade{alone}"
    unpriced = row["pairs_of_unknown_price"]
    note = f", {unpriced:,} of them without a known price" if unpriced else ""
    paid = f"${row['cost_usd'] or 0:.4f} for {counted(row['requests'], 'request')}"
    return f"{graded} graded; {paid}{note}"
