"""The partition key: one dynamic partition per corpus folder; what Dagster knows of the folders, and the sensor that looks.

What belongs here: which corpora Dagster knows, and the version of each folder's content. What does not: reading a corpus
(resources/corpora.py), and starting runs (automation.py).
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

# Observed folders and checks by partition are what we need, and Dagster calls them a preview: said once here, not at every
# command.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

CORPORA = dg.DynamicPartitionsDefinition(name="corpus")
FOLDER = "corpus_folder"
_AT_WORK = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED]


def add_partitions(instance: dg.DagsterInstance, corpora: list[str]) -> list[str]:
    """Make every name of `corpora` a partition; the new ones are returned. A folder that went away keeps its partition."""
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
        "The folder of a corpus, `data/<corpus>/`: its documents and whatever else it has. Its version is the hash of what is "
        "in it, looked at while the UI or the daemon runs.\n\n**Add a corpus**: make a folder; it is a partition within half "
        "a minute. **Change one**: the tables that read it are shown as out of date."
    ),
)
def corpus_folder(context: dg.OpExecutionContext, project: Project) -> dg.DataVersionsByPartition:
    corpora, known = project.corpora(), set(context.instance.get_dynamic_partitions("corpus"))
    contents = {name: corpora.open(name).fingerprint("everything") for name in corpora.names() if name in known}
    return dg.DataVersionsByPartition(contents)


def folder_seen(folder: CorpusFolder) -> dg.AssetObservation:
    """What tells Dagster which content a corpus folder has now."""
    return dg.AssetObservation(
        FOLDER, partition=folder.name, tags={"dagster/data_version": folder.fingerprint("everything")}
    )


@dg.sensor(
    name="corpus_folders",
    description="Makes a partition of every new folder under RELABEL_DATA, and notes what changed in one. It starts no run.",
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def corpus_folders(context: dg.SensorEvaluationContext, project: Project) -> dg.SensorResult:
    corpora, known = project.corpora(), set(context.instance.get_dynamic_partitions("corpus"))
    names = corpora.names()
    new = [name for name in names if name not in known]
    # The cursor: for each folder how it looked from outside, and its content. Content decides; it is read again only
    # where sizes or times of files are others, so that a large folder is not read twice a minute.
    seen: dict[str, list[str]] = json.loads(context.cursor or "{}")
    changed = []
    for name in names:
        if (looks := _looks(Path(project.data_path) / name)) == seen.get(name, [""])[0] or _is_at_work(context, name):
            continue
        try:
            observation = folder_seen(corpora.open(name))
        except (RelabelError, OSError) as error:
            context.log.warning(f"{name} is left as it is: {error}")
            seen[name] = [looks, ""]
            continue
        content = observation.tags["dagster/data_version"]
        if content != seen.get(name, ["", ""])[1]:
            changed.append(observation)
        seen[name] = [looks, content]
    refused = [str(problem) for problem in corpora.refused()]
    for problem in refused:
        context.log.warning(problem)
    return dg.SensorResult(
        skip_reason=" ".join([f"{len(names)} folders, {len(new)} new, {len(changed)} changed.", *refused]),
        dynamic_partitions_requests=[CORPORA.build_add_request(new)] if new else [],
        asset_events=changed,
        cursor=json.dumps(seen),
    )


def _looks(folder: Path) -> str:
    def entries() -> Iterator[str]:
        for file in sorted(folder.rglob("*")):
            found = file.stat()
            yield f"{file.relative_to(folder)}\0{found.st_size}\0{found.st_mtime_ns}\n"

    return hashlib.sha256("".join(entries()).encode()).hexdigest()


def _is_at_work(context: dg.SensorEvaluationContext, corpus: str) -> bool:
    """Whether a run may be reading the folder: what changed meanwhile is noted after it, so that it is not taken for read."""
    running = dg.RunsFilter(tags={"dagster/partition": corpus}, statuses=_AT_WORK)
    return context.instance.get_runs_count(running) > 0
