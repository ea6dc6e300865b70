"""Metadata of a table in the Dagster UI: description, schema, lineage, files, links.

What belongs here: converting declarations to Dagster's metadata. What does not: the preview of rows
(preview.py), when a table is computed (table_asset.py), and the declarations (tables/).
"""

import math
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import dagster as dg

from relabel_assets.errors import Problem
from relabel_assets.intake.markdown import inert
from relabel_assets.intake.text import cut, printable
from relabel_assets.tables.table import Table
from relabel_assets.warehouse.receipt import Receipt

_PROBLEMS_SHOWN = 20  # one screen
# not measured: a line of a list is read at a glance, and a text of a few pages is not read at all.
LINE_CHARACTERS, _TEXT_CHARACTERS = 500, 10_000
_ADVICE = {
    "seed_docs": "Is a document missing? It was set aside: `relabel corpora check` gives the reason.",
    "synthetic_queries": "Without a `queries.jsonl` a live teacher writes the queries, which costs "
    "money: `relabel estimate` shows how much.",
    "reference_labels": "Without people's reviews (`relabel review`) and without a "
    "`reference_labels.qrels` there is no benchmark.",
    "review_samples": "`relabel review sample -c CORPUS -n 200` draws pairs, and `relabel review serve` asks "
    "people about them. The weight of a pair is `1 / inclusion_prob`.",
    "bm25_candidates": "`candidates` in `corpus.yaml` sets the number of candidates per query.",
    "teacher_labels": "A live teacher costs money: `relabel estimate` shows how much, and "
    "`teacher.budget_usd` limits it. A pair without a grade has a status and a reason; a live teacher "
    "is asked about it again by the next run. A recorded teacher may have graded only some pairs: "
    "the others are `not_recorded`.",
    "student_model": "Grade your own pairs with it: `relabel label pairs.parquet -c CORPUS -o "
    "labels.parquet`.",
    "student_labels": 'Pairs on which it differs from its teacher: `relabel sql "select * from '
    'label_disagreements limit 20"`.',
    "asked_labels": "Queries with the split `label` get labels and nothing else. `labels: {ask: 0.1}` in "
    "`corpus.yaml` asks the teacher about a tenth of their pairs; `labels.budget_usd` limits the cost. A "
    "pair without a grade has a status and a reason, and is asked about again by the next run.",
    "final_labels": "The labels to use: `labeler` says who graded, `n_known` how many grades of the query "
    'the student knew. `relabel sql "select labeler, count(*) from final_labels group by all"`.',
    "imported_labels": "`relabel import FILE -c CORPUS --as NAME` brings the grades of a labeler from "
    "elsewhere. The benchmark measures it beside the others.",
    "benchmark_report": "[The report of each corpus](/reports/) is a page with plots. `relabel report` "
    "prints its figures.",
    "system_rankings": "Put TREC run files in `runs/` of the corpus folder: `NAME.run`. `relabel evaluate` "
    "ranks runs from elsewhere.",
}
# A table, and the text of the link to it.
_LINKS = {
    "student_model": ("benchmark_report", "How good this student is"),
    "student_labels": ("student_model", "The student that graded"),
    "asked_labels": ("final_labels", "What the student made of these grades"),
    "final_labels": ("asked_labels", "What the teacher was asked about"),
    "benchmark_report": ("student_model", "The student that was measured"),
}


def description(table: Table) -> str:
    """The table's description in Markdown. Lists in the UI show its first line, without markup."""
    parts = [
        f"{table.description} One row per {table.grain}.",
        _ADVICE[table.name],
        "**Materialize** a corpus: its rows are kept if no input changed.",
        f'**Query** the rows: `relabel sql "select * from {table.name} limit 5"`.',
    ]
    return "\n\n".join(parts)


def column_schema(table: Table) -> dg.TableSchema:
    """The declaration of `table` as Dagster's schema."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=name,
                type=str(column.dtype).lower().split("(")[0]
                if "Enum" in str(column.dtype)
                else str(column.dtype),
                description=column.description,
                constraints=dg.TableColumnConstraints(
                    nullable=column.nullable, unique=table.key == ("corpus", name)
                ),
            )
            for name, column in table.schema.columns().items()
        ],
        constraints=dg.TableConstraints(
            other=[f"one row per {table.grain}: ({', '.join(table.key)}) is unique"]
        ),
    )


def metadata(
    table: Table, receipt: Receipt, home: Path, from_step: Mapping[str, Any]
) -> dict[str, Any]:
    """The metadata of a materialization: that of its step, links, files, schema and lineage."""
    shown = {name: _storable_value(value) for name, value in from_step.items()}
    if table.name in _LINKS:
        other, words = _LINKS[table.name]
        shown["see"] = dg.MetadataValue.md(
            f"[{words}](/assets/{other}?view=partitions&partition={receipt.corpus}): "
            f"{other}, {receipt.corpus}"
        )
    for number, file in enumerate(receipt.files, start=1):
        if file.startswith("reports/"):  # the web server of `relabel ui` has it
            shown = {"report_page": dg.MetadataValue.url(f"/{file}"), **shown}
        shown["file" if len(receipt.files) == 1 else f"file_{number}"] = dg.MetadataValue.path(
            str(home / file)
        )
    return shown | {
        "unfinished": receipt.n_unfinished,
        "dagster/row_count": receipt.n_rows,
        "dagster/table_name": f"warehouse.main.{table.name}",
        "dagster/column_schema": column_schema(table),
        "dagster/column_lineage": _column_lineage(table),
    }


def last_metadata(instance: dg.DagsterInstance, table: Table, corpus: str) -> dict[str, Any]:
    """The metadata of the partition's last materialization; empty without one."""
    materializations = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(table.name), asset_partitions=[corpus]), limit=1
    )
    records = materializations.records
    latest = records[0].asset_materialization if records else None
    return dict(latest.metadata) if latest else {}


def problem_list(problems: list[Problem]) -> dg.MetadataValue:
    """The first problems as a Markdown list, and the number of the others."""
    lines = list_of(str(problem) for problem in problems[:_PROBLEMS_SHOWN])
    n_more = len(problems) - _PROBLEMS_SHOWN
    if n_more > 0:
        lines += f"\n- and {n_more:,} more: `set_aside` has them all"
    return dg.MetadataValue.md(lines)


def set_aside_query(corpus: str, table: str) -> str:
    """The SQL that shows every input that `table` was made without.

    >>> set_aside_query("demo", "seed_docs")
    "select * from set_aside where corpus = 'demo' and asset = 'seed_docs'"
    """
    return f"select * from set_aside where corpus = '{corpus}' and asset = '{table}'"


def list_of(texts: Iterable[str]) -> str:
    """A Markdown list that shows each text as it was written, cut to one or two lines."""
    return "\n".join(f"- {inert(cut(text, LINE_CHARACTERS))}" for text in texts)


def _storable_value(value: Any) -> Any:
    """`value` as Dagster's database and JSON can hold it: finite, of 64 bits, valid and short text."""
    if isinstance(value, float):
        return round(value, 4) if math.isfinite(value) else str(value)
    if isinstance(value, int) and abs(value) >= 2**63:
        return "more than 64 bits"
    return printable(cut(value, _TEXT_CHARACTERS)) if isinstance(value, str) else value


def _column_lineage(table: Table) -> dg.TableColumnLineage:
    """The upstream columns of each column, as Dagster's lineage."""

    def dep(source: str) -> dg.TableColumnDep:
        parent, column = source.split(".")
        return dg.TableColumnDep(asset_key=dg.AssetKey(parent), column_name=column)

    return dg.TableColumnLineage(
        {
            name: [dep(source) for source in sources]
            for name, sources in table.column_sources.items()
            if sources
        }
    )
