"""The dynamic partition of each corpus folder, and the sensor that watches the folders.

What belongs here: the list of corpora in Dagster, and the data version of each folder. What does
not: reading a corpus (corpus/folder.py), and starting runs (automation.py).
"""

import hashlib
import json
import logging
import os
import stat
import warnings
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import dagster as dg

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import RelabelError, WarehouseError
from relabel_assets.graph.checks.check_results import evaluation
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import RECIPES, out_of_date_tables
from relabel_assets.intake.one_input import for_each_corpus
from relabel_assets.intake.regular_files import walk
from relabel_assets.intake.text import one_line, printable
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse

# Dagster would warn in every command that observed partitions and partitioned checks are a preview.
warnings.filterwarnings("ignore", category=dg.PreviewWarning)
warnings.filterwarnings("ignore", category=dg.BetaWarning)

CORPORA = dg.DynamicPartitionsDefinition(name="corpus")
FOLDER = "corpus_folder"
# One group for all assets: the UI opens a graph of several groups folded.
GROUP = "relabel_assets"
UP_TO_DATE = "is_up_to_date"
_LONGEST_REASON = 2_000  # characters, not measured: Dagster keeps one of each tick
_RANGE_TAG = "dagster/asset_partition_range_start"
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
    group_name=GROUP,
    description="The folder of a corpus under data: its documents, queries, labels and settings."
    "\n\n**Add a corpus**: create a folder. It becomes a partition within half a minute."
    "\n\n**Change a corpus**: within half a minute the check `is_up_to_date` of the tables that read "
    "a changed file says so.\n\nIts data version is a hash of all its files. A sensor computes it "
    "while the UI runs.",
)
def corpus_folder(context: dg.OpExecutionContext, project: Project) -> dg.DataVersionsByPartition:
    """The data version of every corpus folder that is a partition."""
    corpora = project.corpora()
    try:
        names = corpora.names()
    except RelabelError as error:
        raise dg.Failure(printable(str(error)), allow_retries=False) from error
    partitions = context.instance.get_dynamic_partitions("corpus")
    known = [name for name in names if name in partitions]

    def fingerprint(name: str) -> str:
        return corpora.open(name).fingerprint("everything")

    contents = for_each_corpus(known, fingerprint, partial(_log_skipped, context.log))
    return dg.DataVersionsByPartition(dict(contents))


def folder_observation(folder: CorpusFolder) -> dg.AssetObservation:
    """The Dagster event that records the data version of a corpus folder."""
    return dg.AssetObservation(
        FOLDER,
        partition=folder.name,
        tags={"dagster/data_version": folder.fingerprint("everything")},
    )


def up_to_date_events(
    project: Project, warehouse: Warehouse, corpora: Sequence[str]
) -> list[dg.AssetCheckEvaluation]:
    """An evaluation of the check is_up_to_date of each table that was made, over all `corpora`.

    Without a partition: Dagster stores no second evaluation of a partition outside a run.
    """
    if not Path(warehouse.database).exists():
        return []
    reasons = out_of_date_tables(project, warehouse, corpora)
    made = {table for _, table in warehouse.receipts()}
    return [
        evaluation(table, UP_TO_DATE, None, reasons.get(table, []), dg.AssetCheckSeverity.WARN)
        for table in TABLES
        if table in made
    ]


@dg.sensor(
    name="corpus_folders",
    description="Adds a partition for each new folder under RELABEL_DATA. Records a new data version "
    "for each changed folder, and which tables are out of date. Starts no run.",
    minimum_interval_seconds=30,  # Dagster's default
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def corpus_folders(
    context: dg.SensorEvaluationContext, project: Project, warehouse: Warehouse
) -> dg.SensorResult:
    """Partitions for new folders, and observations of changed ones."""
    corpora, partitions = project.corpora(), context.instance.get_dynamic_partitions("corpus")
    try:
        names, refused_folders = corpora.names(), corpora.refused()
    except RelabelError as error:  # the data folder cannot be read
        return dg.SensorResult(skip_reason=printable(str(error)), cursor=context.cursor)
    seen = _seen(context.cursor)
    new = [name for name in names if name not in partitions]
    runs = context.instance.get_runs(dg.RunsFilter(statuses=_UNFINISHED))
    stat_hashes = {name: _stat_hash(Path(project.data_path) / name) for name in names}
    before = {name: seen.get(name, ("", "")) for name in names}
    stale = [name for name in names if before[name][0] != stat_hashes[name]]
    stale = [name for name in stale if not _has_run(runs, name)]
    seen |= {name: (stat_hashes[name], "") for name in stale}  # read again only when it changes

    def observe(name: str) -> dg.AssetObservation:
        return folder_observation(corpora.open(name))

    changed, checked = list[dg.AssetObservation](), list[dg.AssetCheckEvaluation]()
    for name, observation in for_each_corpus(stale, observe, partial(_log_skipped, context.log)):
        content = observation.tags["dagster/data_version"]
        if content != before[name][1]:
            changed.append(observation)
        seen[name] = stat_hashes[name], content
    if stale:
        try:
            checked = up_to_date_events(project, warehouse, names)
        except WarehouseError as error:  # the changes of folders are recorded all the same
            context.log.warning(printable(str(error)))
    refused = {problem.file: one_line(str(problem)) for problem in refused_folders}
    for folder, message in refused.items():
        if seen.get(folder) != (message, ""):
            context.log.warning(message)
        seen[folder] = message, ""
    counts = f"{len(names)} folders, {len(new)} new, {len(changed)} changed."
    kept = {name: hashes for name, hashes in seen.items() if name in names or name in refused}
    return dg.SensorResult(
        skip_reason=" ".join([counts, *refused.values()])[:_LONGEST_REASON],
        dynamic_partitions_requests=[CORPORA.build_add_request(new)] if new else [],
        asset_events=[*changed, *checked],
        cursor=json.dumps(kept),
    )


def _seen(cursor: str | None) -> dict[str, tuple[str, str]]:
    """For each folder a hash of file sizes and times, and a hash of content; empty for a foreign cursor.

    Only content counts. It is hashed again only if sizes or times changed: a large folder is not read
    twice a minute. For a refused folder it has the message that was logged.
    """
    try:
        pairs = json.loads(cursor or "{}").items()
        return {str(name): (str(first), str(second)) for name, (first, second) in pairs}
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}


def _log_skipped(log: logging.Logger, name: str, error: RelabelError) -> None:
    log.warning(f"{name} is skipped: {printable(str(error))}")


def _stat_hash(folder: Path) -> str:
    """A hash of the names, kinds, sizes and modification times of the files under `folder`.

    No link is followed. What cannot be read counts by its name and the reason. The versions of the
    tables' code count too: after an upgrade it is computed again which tables are out of date.
    """
    versions = {name: recipe.code_version for name, recipe in RECIPES.items()}
    digest = hashlib.sha256(json.dumps(versions, sort_keys=True).encode())
    for name, fault in walk(folder):
        try:
            status = (folder / name).lstat()
        except OSError as error:
            digest.update(os.fsencode(f"{name}\0{error.errno}\0{fault}\n"))
            continue
        facts = stat.S_IFMT(status.st_mode), status.st_size, status.st_mtime_ns
        digest.update(os.fsencode(f"{name}\0{facts}\0{fault}\n"))
    return digest.hexdigest()


def _has_run(runs: Sequence[dg.DagsterRun], corpus: str) -> bool:
    """Whether one of the unfinished `runs` may be reading the folder of `corpus`.

    It may miss a change, so that is recorded later. A run of a backfill has a range of partitions.
    """
    return any(
        run.tags.get("dagster/partition") == corpus or _RANGE_TAG in run.tags for run in runs
    )
