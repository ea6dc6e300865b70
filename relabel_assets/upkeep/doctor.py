"""Looking a home over: can it be written, is everything whole, is what belongs together there; and mending what is safe.

What belongs here: findings, each with its remedy. What does not: anything that could lose a row or a label.
"""

import os
import shutil
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import polars as pl

from relabel_assets.errors import RelabelError
from relabel_assets.graph.project import Project
from relabel_assets.home import Home
from relabel_assets.running.dagster_state import UNUSABLE, bury, dead_runs, open_instance
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.upkeep.backup import SCRATCH
from relabel_assets.warehouse.warehouse import Receipt, Warehouse, content_hash

_LEAST_FREE_BYTES = 1_000_000_000
_OLD_S = 3600  # a half-written file that nobody has touched for an hour belongs to no run


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what is wrong with it: None where nothing is. `is_mended`: it was wrong. `note`: what is
    good to know, and needs nothing done."""

    what: str
    problem: str | None = None
    is_mended: bool = False
    note: str = ""


def examine(project: Project, warehouse: Warehouse, *, is_mending: bool = False) -> Iterator[Finding]:
    """Every finding, as it is made; with `is_mending`, what is safe to mend is mended."""
    home = project.home
    unwritable = _writable(home.path)
    yield Finding("RELABEL_HOME", unwritable)
    free = shutil.disk_usage(home.path).free
    is_little = free < _LEAST_FREE_BYTES
    yield Finding("disk", f"{free / 1e9:.1f} GB are free. Make room before the next run." if is_little else None)
    try:
        receipts = warehouse.receipts()
        yield Finding("warehouse")
        yield from _partitions(home, warehouse, receipts)
        if receipts:
            yield _copies(warehouse, receipts, is_mending)
    except RelabelError as error:
        yield Finding("warehouse", str(error))
    yield from _leftovers(home, is_mending)
    if not unwritable:
        yield from _dead_runs(home, is_mending)
    yield from _ledger(project)


def _partitions(home: Home, warehouse: Warehouse, receipts: Mapping[tuple[str, str], Receipt]) -> Iterator[Finding]:
    """Partitions that are not what their receipt says: rows that are others, files that are gone."""
    for (corpus, table), receipt in receipts.items():
        rows = warehouse.read(table, corpus).select(pl.lit(corpus).alias("corpus"), pl.all())
        again = f"Make it again: relabel run -c {corpus} -s {table}"
        if _content(table, rows) != receipt.content_hash:
            yield Finding(f"{corpus} / {table}", f"its rows are not those that a run wrote. {again} --force")
        gone = [file for file in receipt.files if not (home.path / file).exists()]
        if table == "student_model":
            students = [f"{path}/student.json" for path in rows.filter("is_current")["path"]]
            gone += [file for file in students if not gone and not (home.path / file).is_file()]
        if gone:
            force = " --force" if table == "student_model" and (home.path / receipt.files[0]).exists() else ""
            yield Finding(f"{corpus} / {table}", f"{', '.join(gone)} gone. {again}+{force}")


def _content(table: str, rows: pl.DataFrame) -> str | None:
    """The content hash of rows as they are stored; None where they break their table's declaration."""
    try:
        return content_hash(TABLES[table], TABLES[table].validate(rows))
    except RelabelError:
        return None


def _ledger(project: Project) -> Iterator[Finding]:
    """A torn line is what a killed process leaves: it is skipped, and there is nothing to do. A changed one is a fault."""
    found = ledger_report.report(project.teacher().ledger, is_thorough=True)
    changed = [problem for problem in found.problems if "torn" not in problem.message]
    n_torn, listed = len(found.problems) - len(changed), "relabel ledger --verify lists them"
    if changed:
        yield Finding(
            "ledger", f"{len(changed)} lines were changed after they were written, and are skipped: {listed}."
        )
    elif n_torn:
        said = (
            f"{n_torn} lines are torn or damaged, and are skipped; a request is sent again where it is needed: {listed}"
        )
        yield Finding("ledger", note=said)
    else:
        yield Finding("ledger")


def _dead_runs(home: Home, is_mending: bool) -> Iterator[Finding]:
    if not (home.dagster / "dagster.yaml").exists():
        return
    try:
        with open_instance(home) as instance:
            for run in dead_runs(instance):
                if is_mending:
                    bury(instance, run)
                said = (
                    "was killed, and Dagster holds it for running. `relabel doctor --fix`, and the next run, close it."
                )
                yield Finding(f"run {run.run_id}", said, is_mending)
    except UNUSABLE as error:
        said = str(error).splitlines()[0].rstrip(".")
        remedy = (
            f"It holds runs and no rows: move {home.dagster} away when nothing runs, and the next run begins it anew."
        )
        yield Finding("Dagster's state", f"it cannot be read: {said}. {remedy}")


def _writable(path: Path) -> str | None:
    try:
        probe = path / f".doctor.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"it cannot be written: {error}. Set RELABEL_HOME to a folder you may write to."
    return None


def _copies(warehouse: Warehouse, receipts: Mapping[tuple[str, str], Receipt], is_mending: bool) -> Finding:
    """The copies that readers open: the replica, and the Parquet files."""
    try:
        made = "select corpus, table_name, content_hash from materializations order by all"
        views = "select view_name, comment from duckdb_views() where not internal order by all"
        is_same = (
            warehouse.replica.exists()
            and all(warehouse.read_replica(query).equals(warehouse.query(query)) for query in (made, views))
            and all(warehouse.is_published(receipt) for receipt in receipts.values())
        )
    except RelabelError:
        is_same = False
    if is_same:
        return Finding("copies for readers")
    if is_mending:
        warehouse.publish_all()
    said = "labels.duckdb or parquet/ is behind the warehouse. `relabel doctor --fix` copies them again."
    return Finding("copies for readers", said, is_mending)


def _leftovers(home: Home, is_mending: bool) -> Iterator[Finding]:
    """Files and folders that a killed process left half-written, or for itself alone; nothing ever reads them."""
    now = time.time()
    for path in sorted([*home.path.glob("**/.*.half"), *home.scratch.glob("*"), *home.path.glob(f"{SCRATCH}*")]):
        with suppress(FileNotFoundError):  # its run is at work, and is done with it now
            if now - path.stat().st_mtime < _OLD_S:
                continue
            if is_mending:
                shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        name = str(path.relative_to(home.path))
        yield Finding(name, "left by a process that was killed. `relabel doctor --fix` removes it.", is_mending)
