"""Results of asset checks: one evaluation for each corpus of a run, with its corpus as partition.

What belongs here: turning findings into Dagster's evaluations. What does not: the findings (checks.py,
gate_checks.py).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence

import dagster as dg
from dagster._core.definitions.asset_checks.asset_check_evaluation import (
    AssetCheckEvaluationTargetMaterializationData,
)

from relabel_assets.graph.catalog import LINE_CHARACTERS, list_of
from relabel_assets.graph.failures import log_traceback, message_of
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.intake.text import one_line

# The UI's list of checks has room for three lines; the page of one check for a screen.
_LINES_IN_DESCRIPTION, _LINES_SHOWN = 3, 20

Results = Iterator[dg.AssetCheckEvaluation | dg.Output[None]]


def check_results(
    context: dg.AssetCheckExecutionContext,
    table: str,
    check: str,
    find: Callable[[str], Sequence[str]],
    *,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    note: Callable[[str], str] | None = None,
) -> Results:
    """An evaluation of `check` for each corpus of the run, then the output that ends the check.

    `find` returns a corpus' findings: without any, it passed, and `note` may say more about that.
    An error while a corpus is checked is a finding about that corpus.

    Not an AssetCheckResult: Dagster gives that a partition only where the run has one. A run of a
    backfill has a range of partitions, even for one corpus, and its checks would read "Skipped".
    """
    yield from results_of(context, table, {check: find}, severity=severity, note=note)


def results_of(
    context: dg.AssetCheckExecutionContext,
    table: str,
    finds: Mapping[str, Callable[[str], Sequence[str]]],
    *,
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR,
    note: Callable[[str], str] | None = None,
) -> Results:
    """The `check_results` of several checks of one table, each with its `find`.

    Dagster is asked once for the corpora and their last materializations: each answer takes some 40 ms.
    """
    corpora = context.partition_keys
    checked = {corpus: _last_materialization(context.instance, table, corpus) for corpus in corpora}
    for check, find in finds.items():
        for corpus in corpora:
            remark = ""
            try:
                lines = find(corpus)
                if note and not lines:
                    remark = note(corpus)
            except INPUT_ERRORS as error:
                log_traceback(context.log, error)
                lines = [f"this could not be checked: {message_of(error)}"]
            yield evaluation(table, check, corpus, lines, severity, remark, checked[corpus])
        yield end_of_check(table, check)


def end_of_check(table: str, check: str) -> dg.Output[None]:
    """The output that Dagster expects of a check beside its evaluations."""
    spec = dg.AssetCheckSpec(check, asset=table)
    return dg.Output(None, output_name=spec.get_python_identifier())


def evaluation(
    table: str,
    check: str,
    corpus: str | None,
    lines: Sequence[str],
    severity: dg.AssetCheckSeverity,
    remark: str = "",
    checked: AssetCheckEvaluationTargetMaterializationData | None = None,
) -> dg.AssetCheckEvaluation:
    """The evaluation of one corpus, or of all: passed without findings, else failed with the first twenty."""
    shown = list_of(lines[:_LINES_SHOWN])
    words = [one_line(line[:LINE_CHARACTERS]) for line in lines[:_LINES_IN_DESCRIPTION]]
    return dg.AssetCheckEvaluation(
        asset_key=dg.AssetKey(table),
        check_name=check,
        partition=corpus,
        passed=not lines,
        severity=severity,
        description="\n".join(words) or remark or None,
        metadata={"findings": len(lines)}
        | ({"first": dg.MetadataValue.md(shown)} if shown else {}),
        target_materialization_data=checked,
        blocking=False,
    )


def _last_materialization(
    instance: dg.DagsterInstance, table: str, corpus: str
) -> AssetCheckEvaluationTargetMaterializationData | None:
    """The materialization that a check sees: the UI tells by it whether the check is out of date."""
    records = instance.fetch_materializations(
        dg.AssetRecordsFilter(asset_key=dg.AssetKey(table), asset_partitions=[corpus]), limit=1
    ).records
    if not records:
        return None
    return AssetCheckEvaluationTargetMaterializationData(
        storage_id=records[0].storage_id, run_id=records[0].run_id, timestamp=records[0].timestamp
    )
