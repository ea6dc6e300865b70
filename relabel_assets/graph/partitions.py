"""The dynamic partition of each corpus folder, and the sensor that watches the folders.

What belongs here: the list of corpora in Dagster, and the data version of each folder. What does
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

# Dagster would warn in every command that observed partitions and partitioned checks are a preview.
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
    """Add the missing partitions and return them. None is ever removed."""
    present = set(instance.get_dynamic_partitions("corpus"))
    new = [name for name in corpora if name not in present]
    if new:
        instance.add_dynamic_partitions("corpus", new)
    return new


@dg.observable_source_asset(
    name=FOLDER,
    partitions_def=CORPORA,
    group_name="corpus",
    description="The folder of a corpus, `data/<corpus>/`: its documents, queries, labels and "
    "settings. Its data version is a hash of all its files, which a sensor computes while the daemon "
    "runs.\n\n**Add a corpus**: create a folder. It becomes a partition within half a minute. "
    "**Change a corpus**: the UI then shows the tables that read it as out of date.",
)
def corpus_folder(context: dg.OpExecutionContext, project: Project) -> dg.DataVersionsByPartition:
    """The data version of every corpus folder that is a partition."""
    corpora = project.corpora()
    names = set(corpora.names()) & set(context.instance.get_dynamic_partitions("corpus"))
    contents = {name: corpora.open(name).fingerprint("everything") for name in sorted(names)}
    return dg.DataVersionsByPartition(contents)


def folder_observation(folder: CorpusFolder) -> dg.AssetObservation:
    """The Dagster event that records the data version of a corpus folder."""
    return dg.AssetObservation(
        FOLDER,
        partition=folder.name,
        tags={"dagster/data_version": folder.fingerprint("everything")},
    )


@dg.sensor(
    name="corpus_folders",
    description="Adds a partition for each new folder under RELABEL_DATA, and records a new data "
    "version for each changed folder. Starts no run.",
    minimum_interval_seconds=30,  # Dagster's default
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def corpus_folders(context: dg.SensorEvaluationContext, project: Project) -> dg.SensorResult:
    """Partitions for new folders, and observations of changed ones."""
    corpora, partitions = project.corpora(), context.instance.get_dynamic_partitions("corpus")
    names, refused = corpora.names(), [str(problem) for problem in corpora.refused()]
    new = [name for name in names if name not in partitions]
    # For each folder: a hash of file sizes and times, and a hash of content. Only content counts, and
    # is hashed again only if sizes or times changed: a large folder is not read twice a minute.
    cursor: dict[str, list[str]] = json.loads(context.cursor or "{}")
    changed = []
    for name in names:
        stat_hash = _stat_hash(Path(project.data_path) / name)
        last_stat_hash, last_content = cursor.get(name, ["", ""])
        if stat_hash == last_stat_hash or _has_run(context, name):
            continue
        try:
            observation = folder_observation(corpora.open(name))
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
    """A hash of the names, sizes and modification times of the folder's files."""

    def entries() -> Iterator[str]:
        for file in sorted(folder.rglob("*")):
            status = file.stat()
            yield f"{file.relative_to(folder)}\0{status.st_size}\0{status.st_mtime_ns}\n"

    return hashlib.sha256("".join(entries()).encode()).hexdigest()


def _has_run(context: dg.SensorEvaluationContext, corpus: str) -> bool:
    """Whether a run may be reading the folder. It may miss a change, so that is recorded later."""
    running = dg.RunsFilter(tags={"dagster/partition": corpus}, statuses=_UNFINISHED)
    return context.instance.get_runs_count(running) > 0
