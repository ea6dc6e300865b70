"""Removing what runs made of a corpus: its rows, students, report, caches and partition.

What belongs here: what goes, how large it is, and the order in which it goes. What does not: the folder
of the corpus, of which nothing is ever removed, and the vectors of documents, which other corpora may
share: their store makes room by itself.
"""

import shutil
from dataclasses import dataclass
from pathlib import Path

import dagster as dg

from relabel_assets.corpus.folders import NAME
from relabel_assets.errors import CorpusError
from relabel_assets.graph.project import Project
from relabel_assets.home import Home
from relabel_assets.intake.text import shown
from relabel_assets.running.dagster_state import UNFINISHED, dead_runs, usable_instance
from relabel_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Removal:
    """What `relabel corpora remove` removes of a corpus. Bytes of files by their place in RELABEL_HOME."""

    corpus: str
    rows: dict[str, int]  # by table
    files: dict[str, int]
    ledger: dict[str, int]  # the answers of its teacher: removed only if that is asked for
    has_partition: bool

    @property
    def is_empty(self) -> bool:
        return not (self.rows or self.files or self.ledger or self.has_partition)


def removal_of(project: Project, warehouse: Warehouse, corpus: str) -> Removal:
    """What there is of `corpus`. Raises CorpusError for a name that no corpus has, and for nothing."""
    if not NAME.fullmatch(corpus):
        raise CorpusError(
            f"{shown(corpus)} is no corpus: names are lower case letters, digits and _, at most 64."
        )
    home = project.home
    files = {place: n_bytes(home.path / place) for place in _places(home, corpus)}
    ledger = {place: n_bytes(home.path / place) for place in _ledger_places(home, corpus)}
    removal = Removal(corpus, warehouse.rows_of(corpus), files, ledger, corpus in _partitions(home))
    if removal.is_empty:
        others = ", ".join(sorted({name for name, _ in warehouse.receipts()})) or "none"
        raise CorpusError(
            f"there is nothing of a corpus {corpus!r} in {home.path}. Corpora with rows: {others}."
        )
    return removal


def refuse_present(project: Project, corpus: str) -> None:
    """Raise CorpusError for a corpus whose folder is there: the next run would make all of it again."""
    folder = Path(project.data_path) / corpus
    if folder.exists() or folder.is_symlink():
        raise CorpusError(
            f"corpus {corpus!r} has its folder, {folder}, so the next run would make all of it again. "
            "Move the folder away first. Or add --keep-folder: what runs made goes, and the folder stays "
            "as it is."
        )


def remove(
    project: Project, warehouse: Warehouse, removal: Removal, *, with_ledger: bool = False
) -> None:
    """Remove it: the rows first, in one transaction, then the files, and last the partition.

    After an interruption the same command removes the rest. Raises CorpusError while a run works on the
    corpus.
    """
    home = project.home
    _refuse_running(home, removal.corpus)
    warehouse.remove(removal.corpus)
    for place in (*removal.files, *(removal.ledger if with_ledger else ())):
        path = home.path / place
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    if removal.has_partition:
        with usable_instance(home) as instance:
            instance.delete_dynamic_partition("corpus", removal.corpus)


def _places(home: Home, corpus: str) -> list[str]:
    """The places of a corpus' files that exist. The copies for readers go with the rows."""
    paths = (
        home.models / corpus,
        home.reports / f"{corpus}.html",
        home.caches / corpus,
    )
    return [str(path.relative_to(home.path)) for path in paths if path.exists()]


def _ledger_places(home: Home, corpus: str) -> list[str]:
    paths = (home.ledger / corpus, home.ledger / f"{corpus}.batches")
    return [str(path.relative_to(home.path)) for path in paths if path.exists()]


def n_bytes(path: Path) -> int:
    """The bytes of a file, or of all files in a folder."""
    files = path.rglob("*") if path.is_dir() else [path]
    return sum(file.lstat().st_size for file in files if file.is_file())


def _partitions(home: Home) -> set[str]:
    if not (home.dagster / "dagster.yaml").exists():
        return set()
    with usable_instance(home) as instance:
        return set(instance.get_dynamic_partitions("corpus"))


def _refuse_running(home: Home, corpus: str) -> None:
    """Raise CorpusError for a corpus that a run works on, or a run of several corpora may work on."""
    if not (home.dagster / "dagster.yaml").exists():
        return
    with usable_instance(home) as instance:
        dead = {run.run_id for run in dead_runs(instance)}
        statuses = [*UNFINISHED, dg.DagsterRunStatus.QUEUED]
        for run in instance.get_runs(dg.RunsFilter(statuses=statuses)):
            partition = run.tags.get("dagster/partition")
            if run.run_id not in dead and partition in (None, corpus):
                raise CorpusError(
                    f"run {run.run_id} may be working on corpus {corpus!r}. Wait for it, or stop it. "
                    "Nothing was removed."
                )
