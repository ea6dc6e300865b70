"""What happens without a click: sensors and schedules, all off until they are turned on.

What belongs here: when runs are started and what is said of one that failed. What does not: what a run does (assets/), and
looking at folders (partitions.py).

RELABEL_AUTOMATION=on turns all of it on where the code location is loaded, and changes nothing else; the UI turns each on
by itself.
"""

import json
import os
from collections.abc import Iterator
from datetime import UTC, datetime

import dagster as dg

from relabel_assets.errors import ConfigError
from relabel_assets.graph.project import Project
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.report import spent_since

_SETTING = os.environ.get("RELABEL_AUTOMATION") or "off"
if _SETTING not in ("on", "off"):
    raise ConfigError(f"RELABEL_AUTOMATION is {_SETTING!r}. It is on or off; off if it is not set.")
IS_ON = _SETTING == "on"
_SENSORS = dg.DefaultSensorStatus.RUNNING if IS_ON else dg.DefaultSensorStatus.STOPPED
_SCHEDULES = dg.DefaultScheduleStatus.RUNNING if IS_ON else dg.DefaultScheduleStatus.STOPPED

LABEL_CORPUS = dg.define_asset_job(
    "label_corpus",
    selection=dg.AssetSelection.all(),
    description="Every table of one corpus, from its documents to its benchmark.",
)
REFRESH_LABELS = dg.define_asset_job(
    "refresh_labels",
    selection=dg.AssetSelection.assets("teacher_labels").upstream(),
    description="The teacher's labels of one corpus and all that they follow from; no student is trained.",
)


KEEP_FRESH = dg.AutomationConditionSensorDefinition(
    "keep_fresh",
    target=dg.AssetSelection.all(),
    default_status=_SENSORS,
    description="Makes a table again when a corpus folder or a table that it reads changed (AutomationCondition.eager).",
)


@dg.schedule(
    name="nightly_labels",
    job=REFRESH_LABELS,
    cron_schedule="0 2 * * *",
    description="Every corpus' labels, each night: what did not change costs nothing.",
    default_status=_SCHEDULES,
)
def nightly_labels(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    for name in context.instance.get_dynamic_partitions("corpus"):
        yield dg.RunRequest(partition_key=name)


@dg.schedule(
    name="weekly_students",
    job=LABEL_CORPUS,
    cron_schedule="0 3 * * 0",
    description="Every corpus from end to end, each Sunday: a student is trained where its labels changed.",
    default_status=_SCHEDULES,
)
def weekly_students(context: dg.ScheduleEvaluationContext) -> Iterator[dg.RunRequest]:
    for name in context.instance.get_dynamic_partitions("corpus"):
        yield dg.RunRequest(partition_key=name)


@dg.run_failure_sensor(
    name="failed_runs",
    description="Says what failed and what the teacher cost meanwhile, here and as a line of RELABEL_HOME/failures.jsonl.",
    default_status=_SENSORS,
)
def failed_runs(context: dg.RunFailureSensorContext, project: Project) -> None:
    run = context.dagster_run
    record = context.instance.get_run_record_by_id(run.run_id)
    started = record.start_time if record and record.start_time else datetime.now(UTC).timestamp()
    corpus = run.tags.get("dagster/partition", "")
    steps = {str(event.step_key): _reason(event) for event in context.get_step_failure_events()}
    cost_usd = spent_since(Ledger(project.home.ledger), corpus, datetime.fromtimestamp(started, UTC))
    line = {
        "run_id": run.run_id, "corpus": corpus, "failed": steps or {"run": context.failure_event.message or ""},
        "cost_usd": round(cost_usd, 6), "at": datetime.now(UTC).isoformat(timespec="seconds"),
    }  # fmt: skip
    context.log.error(f"{corpus}: {', '.join(steps) or 'the run'} failed, after ${cost_usd:.4f} for the teacher")
    with (project.home.path / "failures.jsonl").open("a", encoding="utf-8") as file:
        file.write(json.dumps(line) + "\n")


def _reason(event: dg.DagsterEvent) -> str:
    """What the step said, without Dagster's words around it."""
    failure = event.step_failure_data
    said = failure.user_failure_data and failure.user_failure_data.description
    return said or str(failure.error.message if failure.error else event.message).strip()


JOBS = [LABEL_CORPUS, REFRESH_LABELS]
SENSORS = [KEEP_FRESH, failed_runs]
SCHEDULES = [nightly_labels, weekly_students]
