"""Sensors, schedules and jobs (off by default), and the backfill policies.

What belongs here: when runs start, and the report of a failed run. What does not: the work of a run
(assets/), the sensor on corpus folders (partitions.py), and environment variables (home.py).
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import dagster as dg

from relabel_assets.graph.failures import failure_message
from relabel_assets.graph.project import Project
from relabel_assets.home import Automation, Backfill
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.report import spent_since

# eager() also requests a run when an upstream table was re-materialized with the same data, as most
# nightly runs do. This condition requests one only if an upstream data version changed.
WHEN_ITS_INPUTS_CHANGE = dg.AutomationCondition.eager().replace(
    "any_deps_updated",
    dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.data_version_changed() | dg.AutomationCondition.will_be_requested()
    ),
)
# A policy is part of an asset's definition: the UI cannot choose it when a backfill is launched.
BACKFILL_POLICIES: Mapping[Backfill, dg.BackfillPolicy] = {
    "run_per_corpus": dg.BackfillPolicy.multi_run(1),
    "single_run": dg.BackfillPolicy.single_run(),
}

LABEL_CORPUS = dg.define_asset_job(
    "label_corpus",
    selection=dg.AssetSelection.all(),
    description="Materializes every table of one corpus, from its documents to its benchmark.",
)
REFRESH_LABELS = dg.define_asset_job(
    "refresh_labels",
    selection=dg.AssetSelection.assets("teacher_labels").upstream(),
    description="Materializes the teacher's labels of one corpus and all upstream tables. "
    "Trains no student.",
)
JOBS = [LABEL_CORPUS, REFRESH_LABELS]


def sensors(automation: Automation) -> list[dg.SensorDefinition]:
    """The sensors `keep_fresh` and `failed_runs`, started by default if `automation` is on."""
    status = dg.DefaultSensorStatus["RUNNING" if automation == "on" else "STOPPED"]
    keep_fresh = dg.AutomationConditionSensorDefinition(
        "keep_fresh",
        target=dg.AssetSelection.all(),
        default_status=status,
        description="Starts a run where a corpus folder or the data of an upstream table changed.",
    )
    failed_runs = dg.run_failure_sensor(
        name="failed_runs",
        default_status=status,
        description="Reports the failed steps and the teacher's cost of each failed run, in the log "
        "and in failures.jsonl in RELABEL_HOME.",
    )(report_failed_run)
    return [keep_fresh, failed_runs]


def schedules(automation: Automation) -> list[dg.ScheduleDefinition]:
    """The schedules `nightly_labels` and `weekly_students`, started by default if `automation` is on.

    Their hours are not measured: at night few people edit documents, and the weekly run follows the
    nightly one, so it finds fresh labels.
    """
    status = dg.DefaultScheduleStatus["RUNNING" if automation == "on" else "STOPPED"]
    nightly_labels = dg.schedule(
        name="nightly_labels",
        job=REFRESH_LABELS,
        cron_schedule="0 2 * * *",
        default_status=status,
        description="Every night, refreshes the labels of each corpus. Unchanged tables cost nothing.",
    )(request_every_corpus)
    weekly_students = dg.schedule(
        name="weekly_students",
        job=LABEL_CORPUS,
        cron_schedule="0 3 * * 0",
        default_status=status,
        description="Every Sunday, materializes all tables of each corpus. Trains a student where "
        "the labels changed.",
    )(request_every_corpus)
    return [nightly_labels, weekly_students]


def request_every_corpus(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    """One run request per corpus."""
    for name in context.instance.get_dynamic_partitions("corpus"):
        yield dg.RunRequest(partition_key=name)


def report_failed_run(context: dg.RunFailureSensorContext, project: Project) -> None:
    """Log a failed run, and append its failed steps and its cost to failures.jsonl."""
    run = context.dagster_run
    record = context.instance.get_run_record_by_id(run.run_id)
    started = record.start_time if record and record.start_time else datetime.now(UTC).timestamp()
    corpus = run.tags.get("dagster/partition", "")
    steps = {
        str(event.step_key): failure_message(event) for event in context.get_step_failure_events()
    }
    cost_usd = spent_since(
        Ledger(project.home.ledger), corpus, datetime.fromtimestamp(started, UTC)
    )
    line = {
        "run_id": run.run_id,
        "corpus": corpus,
        "failed": steps or {"run": context.failure_event.message or ""},
        "cost_usd": round(cost_usd, 6),
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    failed = ", ".join(steps) or "the run"
    context.log.error(f"{corpus}: {failed} failed; the teacher cost ${cost_usd:.4f} in this run")
    with (project.home.path / "failures.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")
