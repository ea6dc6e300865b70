"""Asset checks of stored rows: declared rules, references, splits, grades.

What belongs here: findings about stored rows, and their check results. What does not: the
declarations (tables/), the validation before a write (warehouse/), and the checks on what the
student learned and is worth (gate_checks.py).
"""

from collections import Counter
from collections.abc import Callable, Mapping
from functools import cache, partial

import dagster as dg
import polars as pl

from relabel_assets.benchmark.people_calibrated import calibrated_to
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.corpus.queries.splits import leaking_pairs, leaking_queries
from relabel_assets.graph.catalog import set_aside_query
from relabel_assets.graph.checks.check_results import (
    Results,
    check_results,
    end_of_check,
    evaluation,
    results_of,
)
from relabel_assets.graph.failures import log_traceback, message_of
from relabel_assets.graph.partitions import CORPORA, UP_TO_DATE
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import out_of_date_tables
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.plural import counted
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.grading.recorded import NOT_IN_FILE
from relabel_assets.warehouse.receipt import Receipt
from relabel_assets.warehouse.warehouse import Warehouse

WARN = dg.AssetCheckSeverity.WARN
NOTHING_SET_ASIDE = "nothing_set_aside"
CONTRACT_CHECKS = {
    "not_null": "Columns declared as not null hold no NULL.",
    "unique_key": "Each key occurs once.",
    "accepted_values": "Every value has the declared type, and is allowed in its column.",
    "in_range": "Numbers and text lengths are within the declared limits, and rows keep the table's "
    "own rules.",
}
# The check of a dataframely rule. Every other rule belongs to in_range.
CHECK_OF_RULE = {
    "nullability": "not_null",
    "primary_key": "unique_key",
    "dtype": "accepted_values",
}


def check_specs(table: str, **descriptions: str) -> list[dg.AssetCheckSpec]:
    """A check of `table` for each name and description, in every corpus."""
    return [
        dg.AssetCheckSpec(name, asset=table, description=description, partitions_def=CORPORA)
        for name, description in descriptions.items()
    ]


def contract_checks(table: Table) -> dg.AssetChecksDefinition:
    """The checks that follow from one table's declaration."""
    descriptions = dict(CONTRACT_CHECKS)
    if table.references:
        parents = ", ".join(sorted({reference.parent for reference in table.references}))
        descriptions["relationships"] = f"Every referenced id exists in {parents}."

    @dg.multi_asset_check(
        name=f"{table.name}_contract", specs=check_specs(table.name, **descriptions)
    )
    def contract(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Results:
        @cache
        def broken(corpus: str) -> dict[str, dict[str, int]]:
            counts: dict[str, Counter[str]] = {}
            for rows in warehouse.frames(table.name, corpus):
                found = broken_rules(table, rows.with_columns(corpus=pl.lit(corpus)))
                for check, rules in found.items():
                    counts.setdefault(check, Counter()).update(rules)
            return {check: dict(rules) for check, rules in counts.items()}

        finds: dict[str, Callable[[str], list[str]]] = {
            name: partial(_broken_lines, broken, name) for name in CONTRACT_CHECKS
        }
        if table.references:
            finds["relationships"] = partial(missing_parents, warehouse, table)
        yield from results_of(context, table.name, finds)

    return contract


def broken_rules(table: Table, rows: pl.DataFrame) -> dict[str, dict[str, int]]:
    """The number of `rows` that break each rule of the declaration, by check and rule."""
    _, failure = table.schema.filter(rows.select(table.schema.column_names()), cast=True)
    broken: dict[str, dict[str, int]] = {}
    for rule, count in failure.counts().items():
        name = CHECK_OF_RULE.get(rule.split("|")[-1], "in_range")
        broken.setdefault(name, {})[rule] = count
    return broken


def missing_parents(warehouse: Warehouse, table: Table, corpus: str) -> list[str]:
    """A line for each reference of `table` with orphans: rows whose parent row is missing."""
    lines = []
    for reference in table.references:
        matches = " and ".join(
            f"child.{column} = parent.{parent}"
            for column, parent in zip(reference.columns, reference.parent_columns, strict=True)
        )
        query = f"""
            select count(*) as orphans
            from {table.name} as child
            where child.corpus = $corpus
              and child.{reference.columns[0]} is not null
              and not exists (
                select 1 from {reference.parent} as parent
                where parent.corpus = child.corpus and {matches}
              )
        """
        orphans = warehouse.query(query, {"corpus": corpus})["orphans"][0]
        if orphans:
            columns = ", ".join(reference.columns)
            lines.append(f"{columns} not in {reference.parent}: {counted(orphans, 'row')}")
    return lines


@dg.multi_asset_check(
    specs=[
        dg.AssetCheckSpec(
            NOTHING_SET_ASIDE,
            asset=name,
            description="Every row of the corpus folder's files was usable: none was set aside.",
            partitions_def=CORPORA,
        )
        for name in ("seed_docs", "synthetic_queries", "reference_labels", "teacher_labels")
    ],
    can_subset=True,
)
def nothing_set_aside(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Results:
    receipts = cache(warehouse.receipts)

    def find(table: str, corpus: str) -> list[str]:
        return set_aside_inputs(receipts(), table, corpus)

    for key in context.selected_asset_check_keys:
        table = key.asset_key.to_user_string()
        yield from check_results(context, table, key.name, partial(find, table), severity=WARN)


def set_aside_inputs(
    receipts: Mapping[tuple[str, str], Receipt], table: str, corpus: str
) -> list[str]:
    """A line with the number of inputs that were set aside; no line for none."""
    receipt = receipts.get((corpus, table))
    if not receipt or not receipt.n_set_aside:
        return []
    inputs = counted(receipt.n_set_aside, "input")
    query = set_aside_query(corpus, table)
    return [f'{inputs} set aside; `relabel sql "{query}"` lists them']


@dg.multi_asset_check(
    specs=[
        # Of all corpora at once: the graph shows the last result of a check, of whatever corpus it is.
        dg.AssetCheckSpec(
            UP_TO_DATE,
            asset=name,
            description="The rows of every corpus are those of its folder as it is now: no file, "
            "setting, code or upstream table changed since they were made. If one did, materialize "
            "the tables of that corpus.",
        )
        for name in TABLES
    ],
    can_subset=True,
)
def is_up_to_date(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse, project: Project
) -> Results:
    corpora = context.instance.get_dynamic_partitions("corpus")
    try:
        reasons = out_of_date_tables(project, warehouse, corpora)
    except INPUT_ERRORS as error:
        log_traceback(context.log, error)
        reasons = {table: [f"this could not be checked: {message_of(error)}"] for table in TABLES}
    for key in context.selected_asset_check_keys:
        table = key.asset_key.to_user_string()
        yield evaluation(table, UP_TO_DATE, None, reasons.get(table, []), WARN)
        yield end_of_check(table, UP_TO_DATE)


@dg.multi_asset_check(
    specs=check_specs(
        "synthetic_queries",
        splits_do_not_leak="No train or dev query is a near duplicate of a benchmark query or "
        "shares its seed document. Train and dev share no seed document.",
    )
)
def splits_do_not_leak(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Results:
    def leaks(corpus: str) -> list[str]:
        return leaking_queries(warehouse.read("synthetic_queries", corpus))

    yield from check_results(context, "synthetic_queries", "splits_do_not_leak", leaks)


@dg.multi_asset_check(
    specs=check_specs(
        "teacher_labels",
        every_pair_is_graded="The teacher graded every pair that it should. Pairs without a grade are "
        "counted by reason: refused, failed, unparseable, over budget. A recorded teacher may have "
        "graded a sample of the pairs: then the others count as not recorded, and that is no fault.",
    )
)
def every_pair_is_graded(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Results:
    yield from check_results(
        context,
        "teacher_labels",
        "every_pair_is_graded",
        partial(ungraded_pairs, warehouse),
        severity=WARN,
        note=partial(graded_sample, warehouse),
    )


def ungraded_pairs(warehouse: Warehouse, corpus: str, table: str = "teacher_labels") -> list[str]:
    """A line for each status and reason of the pairs of `table` without a grade, the most frequent first.

    Pairs that a recorded teacher left out are none, if it graded others.
    """
    counts = _pairs_by_reason(warehouse, corpus, table)
    n_graded = counts.pop(("ok", None), 0)
    if n_graded:
        counts.pop(("not_recorded", NOT_IN_FILE), None)
    return [
        f"{counted(n_pairs, 'pair')} {status}: {reason or 'no reason given'}"
        for (status, reason), n_pairs in counts.items()
    ]


def graded_sample(warehouse: Warehouse, corpus: str) -> str:
    """A note where a recorded teacher graded a part of the pairs; empty where all are graded."""
    counts = _pairs_by_reason(warehouse, corpus, "teacher_labels")
    n_left_out = counts.get(("not_recorded", NOT_IN_FILE), 0)
    if not n_left_out:
        return ""
    graded = f"{counts.get(('ok', None), 0):,} of {counted(sum(counts.values()), 'pair')}"
    return (
        f"The recorded teacher graded {graded}, a sample. The other {n_left_out:,} have no recorded "
        "grade (status not_recorded), which is no fault. The student grades them all."
    )


def _pairs_by_reason(
    warehouse: Warehouse, corpus: str, table: str
) -> dict[tuple[str, str | None], int]:
    rows = warehouse.query(
        f"select status, status_reason, count(*) as pairs from {table} "
        "where corpus = $corpus group by all order by pairs desc, status, status_reason",
        {"corpus": corpus},
    ).iter_rows()
    return {(status, reason): n_pairs for status, reason, n_pairs in rows}


@dg.multi_asset_check(
    specs=check_specs(
        "student_model",
        training_does_not_leak="No training pair has a benchmark query, or its seed document. With "
        "`calibrate: people` the cut points alone may come from people's grades of benchmark queries: "
        "the benchmark measures each query with cut points of others.",
    )
)
def training_does_not_leak(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Results:
    yield from check_results(
        context,
        "student_model",
        "training_does_not_leak",
        partial(leaking_training_pairs, warehouse),
        note=partial(calibration_note, warehouse),
    )


def calibration_note(warehouse: Warehouse, corpus: str) -> str:
    """Whose grades the current student is calibrated to; empty where nobody asked for people's."""
    students = warehouse.read("student_model", corpus).filter("is_current")
    return " ".join(filter(None, map(calibrated_to, students.iter_rows(named=True))))


def leaking_training_pairs(warehouse: Warehouse, corpus: str) -> list[str]:
    """A line for each training pair that leaks the benchmark."""
    tables = ("synthetic_queries", "seed_docs", "teacher_labels")
    queries, documents, labels = (warehouse.read(table, corpus) for table in tables)
    return leaking_pairs(queries, training_pairs(labels, queries, documents))


def _broken_lines(
    broken: Callable[[str], Mapping[str, Mapping[str, int]]], name: str, corpus: str
) -> list[str]:
    rules = broken(corpus).get(name, {})
    return [f"{rule}: {counted(count, 'row')}" for rule, count in rules.items()]


CHECKS: list[dg.AssetChecksDefinition] = [
    *(contract_checks(table) for table in TABLES.values()),
    is_up_to_date,
    nothing_set_aside,
    splits_do_not_leak,
    every_pair_is_graded,
    training_does_not_leak,
]
