"""The partition key: one dynamic partition per corpus folder; what Dagster knows of the folders,
and the sensor on them.

What belongs here: which corpora Dagster knows, and the version of each folder's content. What does
not: reading a corpus (corpus/folder.py), and starting runs (automation.py).
"""

import hashlib
import json
import warnings
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import RelabelError
from relabel_assets.graph.project import Project

# Dagster warns at every command that observed partitions and partitioned checks are a preview.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

CORPORA = dg.DynamicPartitionsDefinition(name="corpus")
FOLDER = "corpus_folder"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


def add_partitions(instance: dg.DagsterInstance, corpora: list[str]) -> list[str]:
    """Add the partitions that are not there yet, and return them. None is ever removed."""
    known = set(instance.get_dynamic_partitions("corpus"))
    new = [name for name in corpora if name not in known]
    if new:
        instance.add_dynamic_partitions("corpus", new)
    return new


@dg.observable_source_asset(
    name=FOLDER,
    partitions_def=CORPORA,
    group_name="corpus",
    description=(
        "The folder of a corpus, `data/<corpus>/`: its documents, queries, labels and "
        "settings. Its data version is a hash "
        "of all its files, which a sensor computes while the daemon runs.\n\n**Add a "
        "corpus**: create a folder. It becomes "
        "a partition within half a minute. **Change a corpus**: the UI then shows the "
        "tables that read it as out of date."
    ),
)
def corpus_folder(context: dg.OpExecutionContext, project: Project) -> dg.DataVersionsByPartition:
    corpora, known = project.corpora(), set(context.instance.get_dynamic_partitions("corpus"))
    contents = {
        name: corpora.open(name).fingerprint("everything")
        for name in corpora.names()
        if name in known
    }
    return dg.DataVersionsByPartition(contents)


def folder_seen(folder: CorpusFolder) -> dg.AssetObservation:
    """The event that tells Dagster the data version of a corpus folder."""
    return dg.AssetObservation(
        FOLDER,
        partition=folder.name,
        tags={"dagster/data_version": folder.fingerprint("everything")},
    )


@dg.sensor(
    name="corpus_folders",
    description=(
        "Adds a partition for each new folder under RELABEL_DATA, and records a new "
        "data version for each changed folder. "
        "Starts no run."
    ),
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def corpus_folders(context: dg.SensorEvaluationContext, project: Project) -> dg.SensorResult:
    corpora, known = project.corpora(), set(context.instance.get_dynamic_partitions("corpus"))
    names, refused = corpora.names(), [str(problem) for problem in corpora.refused()]
    new = [name for name in names if name not in known]
    # For each folder, a hash of its files' sizes and times, and its content. Only content counts.
    # It is read again only where sizes or times differ, so that a large folder is not read twice a
    # minute.
    cursor: dict[str, list[str]] = json.loads(context.cursor or "{}")
    changed = []
    for name in names:
        stat_hash = _stat_hash(Path(project.data_path) / name)
        last_stat_hash, last_content = cursor.get(name, ["", ""])
        if stat_hash == last_stat_hash or _has_run(context, name):
            continue
        try:
            observation = folder_seen(corpora.open(name))
        except (RelabelError, OSError) as error:
            context.log.warning(f"{name} is skipped: {error}")
            cursor[name] = [stat_hash, ""]
            continue
        content = observation.tags["dagster/data_version"]
        if content != last_content:
            changed.append(observation)
        cursor[name] = [stat_hash, content]
    for problem in refused:
        context.log.warning(problem)
    counts = f"{len(names)} folders, {len(new)} new, {len(changed)} changed."
    return dg.SensorResult(
        skip_reason=" ".join([counts, *refused]),
        dynamic_partitions_requests=[CORPORA.build_add_request(new)] if new else [],
        asset_events=changed,
        cursor=json.dumps(cursor),
    )


def _stat_hash(folder: Path) -> str:
    def entries() -> Iterator[str]:
        for file in sorted(folder.rglob("*")):
            found = file.stat()
            yield f"{file.relative_to(folder)}\0{found.st_size}\0{found.st_mtime_ns}\n"

    return hashlib.sha256("".join(entries()).encode()).hexdigest()


def _has_run(context: dg.SensorEvaluationContext, corpus: str) -> bool:
    """Whether a run may be reading the folder: a change is recorded after it, as it may miss it."""
    running = dg.RunsFilter(tags={"dagster/partition": corpus}, statuses=_UNFINISHED)
    return context.instance.get_runs_count(running) > 0
