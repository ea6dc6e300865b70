"""The asset checks: every table against its declaration, its parents, and the promises of the pipeline.

What belongs here: turning declarations and pure findings into check results. What does not: the findings themselves
(core/) and the validation before a write (resources/warehouse.py); these checks look at what is stored.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import dagster as dg
import polars as pl

from relabel_assets.benchmark.bootstrap import gate
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.corpus.splits import leaking_pairs, leaking_queries
from relabel_assets.graph.partitions import CORPORA
from relabel_assets.graph.project import Project
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse

_CONTRACT_CHECKS = {
    "not_null": "Columns that are declared not null hold no NULL.",
    "unique_key": "The key names one row.",
    "accepted_values": "Columns of named values hold no others, and every value has its type.",
    "in_range": "Numbers, lengths and the table's own rules are within what is declared.",
}


def contract_checks(table: Table) -> dg.AssetChecksDefinition:
    """not_null, unique_key, accepted_values, in_range and relationships of one table, from its declaration."""
    descriptions = dict(_CONTRACT_CHECKS)
    if table.references:
        parents = ", ".join(sorted({reference.parent for reference in table.references}))
        descriptions["relationships"] = f"What a row points at is there: {parents}."

    @dg.multi_asset_check(name=f"{table.name}_contract", specs=_specs(table.name, descriptions))
    def contract(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
        broken = {}
        for corpus in context.partition_keys:
            rows = warehouse.read(table.name, corpus).select(pl.lit(corpus).alias("corpus"), pl.all())
            broken[corpus] = broken_rules(table, rows)
        for name in _CONTRACT_CHECKS:
            yield _result(table.name, name, _of_each(context, lambda corpus: _counted(broken[corpus].get(name, {}))))  # noqa: B023
        if table.references:
            orphans = _of_each(context, lambda corpus: _counted(_orphans(warehouse, table, corpus)))
            yield _result(table.name, "relationships", orphans)

    return contract


def broken_rules(table: Table, rows: pl.DataFrame) -> dict[str, dict[str, int]]:
    """How many of `rows` break each rule of the declaration, by check and rule; empty where all hold."""
    _, failure = table.schema.filter(rows.select(table.schema.column_names()), cast=True)
    broken: dict[str, dict[str, int]] = {}
    for rule, count in failure.counts().items():
        kind = rule.split("|")[-1]
        name = {"nullability": "not_null", "primary_key": "unique_key", "dtype": "accepted_values"}.get(
            kind, "in_range"
        )
        broken.setdefault(name, {})[rule] = count
    return broken


def _orphans(warehouse: Warehouse, table: Table, corpus: str) -> dict[str, int]:
    found = {}
    for reference in table.references:
        matches = " and ".join(
            f"child.{column} = parent.{parent}"
            for column, parent in zip(reference.columns, reference.parent_columns, strict=True)
        )
        query = f"""
            select count(*) as orphans
            from {table.name} as child
            where child.corpus = $corpus and child.{reference.columns[0]} is not null and not exists (
                select 1 from {reference.parent} as parent where parent.corpus = child.corpus and {matches}
            )
        """
        orphans = warehouse.query(query, {"corpus": corpus})["orphans"][0]
        if orphans:
            found[f"{', '.join(reference.columns)} not in {reference.parent}"] = orphans
    return found


def _of_each(context: dg.AssetCheckExecutionContext, find: Callable[[str], Sequence[str]]) -> list[str]:
    """What `find` says of the run's corpus; in a single run over several, each line with its corpus' name before it."""
    corpora = context.partition_keys
    if len(corpora) == 1:
        return list(find(corpora[0]))
    return [f"{corpus}: {line}" for corpus in corpora for line in find(corpus)]


def _counted(rules: Mapping[str, int]) -> list[str]:
    return [f"{rule}: {count} rows" for rule, count in rules.items()]


def _specs(table: str, descriptions: dict[str, str]) -> list[dg.AssetCheckSpec]:
    return [
        dg.AssetCheckSpec(name, asset=table, description=description, partitions_def=CORPORA)
        for name, description in descriptions.items()
    ]


def _result(
    table: str,
    name: str,
    lines: Sequence[str],
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
) -> dg.AssetCheckResult:
    """Passed where there are no findings; else they are shown, the first twenty."""
    return dg.AssetCheckResult(
        asset_key=table,
        check_name=name,
        passed=not lines,
        severity=severity,
        description="\n".join(lines[:3]) or None,
        metadata={
            "findings": len(lines),
            "first": dg.MetadataValue.md("\n".join(f"- {line}" for line in lines[:20]) or "none"),
        },
    )


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            "nothing_set_aside",
            asset=name,
            description="Every line of the corpus' files could be used.",
            partitions_def=CORPORA,
        )
        for name in ("seed_docs", "synthetic_queries", "reference_labels", "teacher_labels")
    ],
    can_subset=True,
)
def set_aside(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Iterator[dg.AssetCheckResult]:
    receipts = warehouse.receipts()
    for key in context.selected_asset_check_keys:
        table = key.asset_key.to_user_string()

        def count(corpus: str) -> list[str]:
            receipt = receipts.get((corpus, table))  # noqa: B023
            if not receipt or not receipt.n_set_aside:
                return []
            return [f"{receipt.n_set_aside} inputs were set aside; `relabel corpora check {corpus}` lists them"]

        yield _result(table, key.name, _of_each(context, count), dg.AssetCheckSeverity.WARN)


@dg.multi_asset_check(
    specs=_specs(
        "synthetic_queries",
        {"splits_do_not_leak": "Near-duplicate queries and shared seed documents do not cross the benchmark's border."},
    )
)
def splits_do_not_leak(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> dg.AssetCheckResult:
    findings = _of_each(context, lambda corpus: leaking_queries(warehouse.read("synthetic_queries", corpus)))
    return _result("synthetic_queries", "splits_do_not_leak", findings)


@dg.multi_asset_check(
    specs=_specs(
        "teacher_labels", {"every_pair_is_graded": "Every candidate has a grade; else how many have none, and why."}
    )
)
def every_pair_is_graded(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> dg.AssetCheckResult:
    def find(corpus: str) -> list[str]:
        statuses = warehouse.query(
            "select status, status_reason, count(*) as pairs from teacher_labels "
            "where corpus = $corpus and status <> 'ok' group by all order by pairs desc",
            {"corpus": corpus},
        ).iter_rows()
        return [f"{pairs} pairs {status}: {reason or 'no reason given'}" for status, reason, pairs in statuses]

    return _result("teacher_labels", "every_pair_is_graded", _of_each(context, find), dg.AssetCheckSeverity.WARN)


@dg.multi_asset_check(
    specs=_specs(
        "student_model",
        {"training_does_not_leak": "No benchmark query and no seed document of one is in a training pair."},
    )
)
def training_does_not_leak(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> dg.AssetCheckResult:
    def find(corpus: str) -> list[str]:
        tables = ("synthetic_queries", "seed_docs", "teacher_labels")
        queries, documents, labels = (warehouse.read(table, corpus) for table in tables)
        return leaking_pairs(queries, training_pairs(labels, queries, documents))

    return _result("student_model", "training_does_not_leak", _of_each(context, find))


@dg.multi_asset_check(
    specs=_specs(
        "benchmark_report",
        {
            "student_is_as_good_as_teacher": "The student is not worse than its teacher by more than the corpus' margins (non-inferiority)."
        },
    )
)
def student_is_as_good_as_teacher(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse, project: Project
) -> dg.AssetCheckResult:
    def find(corpus: str) -> list[str]:
        margins = project.corpora().open(corpus).config.gate
        rows = warehouse.read("benchmark_report", corpus)
        results = gate(rows, ndcg_margin=margins.ndcg_margin, pairwise_margin=margins.pairwise_margin)
        return [result.sentence for result in results if result.outcome != "passed"]

    findings = _of_each(context, find)
    return _result("benchmark_report", "student_is_as_good_as_teacher", findings, dg.AssetCheckSeverity.WARN)


CHECKS: list[dg.AssetChecksDefinition] = [
    *(contract_checks(table) for table in TABLES.values()),
    set_aside,
    splits_do_not_leak,
    every_pair_is_graded,
    training_does_not_leak,
    student_is_as_good_as_teacher,
]
