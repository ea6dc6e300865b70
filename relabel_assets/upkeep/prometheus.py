"""Metrics of labels, teacher, benchmark and runs in Prometheus' text format.

What belongs here: names, labels and units of the metrics. What does not: serving them, and the counts
of the ledger (teacher/ledger/report.py).

Each call computes the metrics from the warehouse, the ledger and Dagster's records. No counter is
kept in memory, so a restart loses nothing and counts nothing twice.
"""

from collections.abc import Collection, Iterator
from typing import TYPE_CHECKING

import dagster as dg

from relabel_assets.errors import ConfigError
from relabel_assets.graph.project import Project
from relabel_assets.intake.text import printable
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.report import report
from relabel_assets.warehouse.receipt import Receipt
from relabel_assets.warehouse.warehouse import Warehouse

if TYPE_CHECKING:
    from prometheus_client.metrics_core import Metric

_TEACHER = ("corpus", "purpose", "model")


def exposition(
    project: Project,
    warehouse: Warehouse,
    instance: dg.DagsterInstance,
    corpora: Collection[str] | None = None,
) -> str:
    """All metrics in Prometheus' text format, or those of `corpora`.

    Raises ConfigError if the extra `metrics` is not installed.
    """
    try:
        from prometheus_client import CollectorRegistry, generate_latest
    except ImportError as error:
        raise ConfigError(
            "metrics need the extra: pip install 'relabel-assets[metrics]'."
        ) from error

    class Stored:
        def collect(self) -> "Iterator[Metric]":
            receipts = warehouse.receipts().values()
            chosen = [each for each in receipts if corpora is None or each.corpus in corpora]
            yield from _partitions(chosen, instance)
            yield from _teacher(Ledger(project.home.ledger), corpora)
            yield from _benchmark(warehouse, corpora)
            yield from _runs(instance, corpora)

    registry = CollectorRegistry()
    registry.register(Stored())
    return generate_latest(registry).decode()


def _partitions(receipts: list[Receipt], instance: dg.DagsterInstance) -> "Iterator[Metric]":
    """Rows, unfinished work, set-aside inputs, time and duration of each partition."""
    from prometheus_client.core import GaugeMetricFamily

    of_partition = ("corpus", "table")
    rows = GaugeMetricFamily("relabel_rows", "Rows of a partition.", labels=of_partition)
    unfinished = GaugeMetricFamily(
        "relabel_unfinished",
        "Pieces of work that failed. The next run repeats them.",
        labels=of_partition,
    )
    set_aside = GaugeMetricFamily(
        "relabel_set_aside", "Inputs that could not be used.", labels=of_partition
    )
    written = GaugeMetricFamily(
        "relabel_written_timestamp_seconds",
        "Time of the last write of its rows.",
        labels=of_partition,
    )
    seconds = GaugeMetricFamily(
        "relabel_made_in_seconds", "Seconds that computing its rows took.", labels=of_partition
    )
    for receipt in receipts:
        labels = (receipt.corpus, receipt.table_name)
        rows.add_metric(labels, receipt.n_rows)
        unfinished.add_metric(labels, receipt.n_unfinished)
        set_aside.add_metric(labels, receipt.n_set_aside)
        written.add_metric(labels, receipt.written_at.timestamp())
        duration_s = _duration_s(instance, receipt)
        if duration_s is not None:
            seconds.add_metric(labels, duration_s)
    yield from (rows, unfinished, set_aside, written, seconds)


def _duration_s(instance: dg.DagsterInstance, receipt: Receipt) -> float | None:
    """The seconds that computing the partition took; None if Dagster has no record of it."""
    key = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(receipt.table_name), asset_partitions=[receipt.corpus]
    )
    records = instance.fetch_materializations(key, limit=1).records
    materialization = records[0].asset_materialization if records else None
    value = materialization.metadata.get("seconds") if materialization else None
    return value.value if isinstance(value, dg.FloatMetadataValue) else None


def _teacher(ledger: Ledger, corpora: Collection[str] | None = None) -> "Iterator[Metric]":
    """Requests, responses, tokens and dollars by corpus, purpose and model."""
    from prometheus_client.core import CounterMetricFamily

    requests = CounterMetricFamily(
        "relabel_teacher_requests", "Requests sent to a teacher.", labels=_TEACHER
    )
    responses = CounterMetricFamily(
        "relabel_teacher_responses",
        "Responses by HTTP status, or by the error in place of one.",
        labels=(*_TEACHER, "status"),
    )
    tokens = CounterMetricFamily(
        "relabel_teacher_tokens", "Tokens, as billed.", labels=(*_TEACHER, "kind")
    )
    usd = CounterMetricFamily(
        "relabel_teacher_cost_usd", "US dollars, where the price is known.", labels=_TEACHER
    )
    for names, group in sorted(report(ledger, corpora=corpora).groups.items()):
        labels = tuple(map(printable, names))  # names of models come from replies
        requests.add_metric(labels, group.n_requests)
        for status, count in sorted(group.outcomes.items()):
            responses.add_metric((*labels, printable(status)), count)
        tokens.add_metric((*labels, "prompt"), group.prompt_tokens)
        tokens.add_metric((*labels, "completion"), group.completion_tokens)
        usd.add_metric(labels, group.usd)
    yield from (requests, responses, tokens, usd)


def _benchmark(warehouse: Warehouse, corpora: Collection[str] | None) -> "Iterator[Metric]":
    """The metrics of the benchmark by corpus and labeler."""
    from prometheus_client.core import GaugeMetricFamily

    metrics = GaugeMetricFamily(
        "relabel_benchmark",
        "The latest benchmark over all queries.",
        labels=("corpus", "labeler", "metric"),
    )
    scores = warehouse.read_replica(
        "select corpus, labeler, metric, value from benchmark_report "
        "where slice = 'all' and value is not null order by all"
    )
    for corpus, labeler, metric, value in scores.iter_rows():
        if corpora is None or corpus in corpora:
            metrics.add_metric((corpus, labeler, metric), value)
    yield metrics


def _runs(instance: dg.DagsterInstance, corpora: Collection[str] | None) -> "Iterator[Metric]":
    """The number of Dagster runs by status."""
    from prometheus_client.core import GaugeMetricFamily

    runs = GaugeMetricFamily(
        "relabel_runs", "Dagster runs that are kept, by status.", labels=("status",)
    )
    tags = {} if corpora is None else {"dagster/partition": list(corpora)}
    for status in dg.DagsterRunStatus:
        if count := instance.get_runs_count(dg.RunsFilter(statuses=[status], tags=tags)):
            runs.add_metric((status.value.lower(),), count)
    yield runs
