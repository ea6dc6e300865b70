"""Checks of RELABEL_HOME, and safe repairs.

What belongs here: findings, each with its remedy. What does not: the findings on the warehouse
(warehouse_findings.py), a repair that could lose a row or a label, and the checks of a corpus folder
(corpus/folders.py).
"""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from relabel_assets.graph.project import Project
from relabel_assets.home import Home
from relabel_assets.intake.one_input import reason_of
from relabel_assets.plural import counted
from relabel_assets.running.dagster_state import close_dead_run, dead_runs, usable_instance
from relabel_assets.student.vectors.segment import DamagedSegmentError, Segment
from relabel_assets.student.vectors.store import stored_files
from relabel_assets.teacher.ledger import report as ledger_report
from relabel_assets.upkeep.backup import SCRATCH
from relabel_assets.upkeep.findings import Finding, guarded
from relabel_assets.upkeep.remove_corpus import n_bytes
from relabel_assets.upkeep.space import space_to_free
from relabel_assets.upkeep.warehouse_findings import warehouse_findings
from relabel_assets.warehouse.warehouse import Warehouse

# A demo's home takes about 0.6 GB: below 1 GB the next run of a small corpus may fail.
_LEAST_FREE_BYTES = 1_000_000_000
_OTHERS = 0o007  # the permissions of users that are neither owner nor group
# A run writes its scratch files all the time, so a file untouched for an hour belongs to no run.
_LEFTOVER_AGE_S = 3600


def examine(
    project: Project, warehouse: Warehouse, *, is_fixing: bool = False
) -> Iterator[Finding]:
    """Yield the finding of each check. With `is_fixing`, repair every problem that can be repaired safely.

    A check that fails is a finding, and the others go on.
    """
    home = project.home
    write_error = _write_error(home.path)
    yield Finding("RELABEL_HOME", write_error)
    yield from guarded("RELABEL_HOME", lambda: _privacy(home, is_fixing))
    yield from guarded("disk", lambda: iter([_disk(home)]))
    yield from guarded("warehouse", lambda: warehouse_findings(home, warehouse, is_fixing))
    yield from guarded("leftovers", lambda: _leftovers(home, is_fixing))
    if not write_error:
        yield from guarded("Dagster's state", lambda: _dead_runs(home, is_fixing))
    yield from guarded("ledger", lambda: _ledger(project))
    yield from guarded("vectors", lambda: _vectors(project, is_fixing))
    yield from guarded("cache", lambda: iter([_caches(home)]))
    yield from guarded("corpora", lambda: space_to_free(project, warehouse))


def _privacy(home: Home, is_fixing: bool) -> Iterator[Finding]:
    """A finding for a home that every user of the machine can enter. A group is a choice."""
    if home.path.stat().st_mode & _OTHERS:
        if is_fixing:
            home.path.chmod(0o700)
        problem = "other users of this machine can read it. `relabel doctor --fix` closes it."
        yield Finding("RELABEL_HOME", problem, is_fixing)


def _write_error(path: Path) -> str | None:
    """The problem of a folder that cannot be written; None for a writable one."""
    try:
        probe = path / f".doctor.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"it cannot be written: {reason_of(error)}. Set RELABEL_HOME to a folder you may write to."
    return None


def _disk(home: Home) -> Finding:
    n_free = shutil.disk_usage(home.path).free
    if n_free >= _LEAST_FREE_BYTES:
        return Finding("disk")
    return Finding("disk", f"{n_free / 1e9:.1f} GB are free. Make room before the next run.")


def _leftovers(home: Home, is_fixing: bool) -> Iterator[Finding]:
    """A finding for each scratch file or folder of a killed process. Nothing reads them again."""
    now = time.time()
    # DuckDB spills to a folder beside its file.
    spilled = home.path.glob("*.duckdb.tmp")
    folders = [*home.scratch.glob("*"), *home.path.glob(f"{SCRATCH}*"), *spilled]
    for path in sorted([*home.path.glob("**/.*.half"), *folders]):
        with suppress(FileNotFoundError):  # a run in progress has just removed its own file
            if now - path.stat().st_mtime < _LEFTOVER_AGE_S:
                continue
            if is_fixing and path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            elif is_fixing:
                path.unlink(missing_ok=True)
        problem = "left behind by a killed process. `relabel doctor --fix` removes it."
        yield Finding(str(path.relative_to(home.path)), problem, is_fixing)


def _vectors(project: Project, is_fixing: bool) -> Iterator[Finding]:
    """The size of the vector store, and a finding for each segment with a damaged index.

    Only the indexes are read: an entry is checked whenever it is used.
    """
    n_documents, n_bytes = 0, 0
    for file in stored_files(project.home.vectors):
        try:
            n_documents += len(Segment.open(file.path).keys)
            n_bytes += file.n_bytes
        except FileNotFoundError:  # a run in progress has just made room
            continue
        except DamagedSegmentError as error:
            if is_fixing:
                file.path.unlink(missing_ok=True)
            problem = (
                f"damaged: {error}. `relabel doctor --fix` and the next run that needs it remove it. "
                "Its documents are read again."
            )
            yield Finding(str(file.path.relative_to(project.home.path)), problem, is_fixing)
    size = f"{n_bytes / 1e9:.2f} of at most {project.vectors_gb:g} GB"
    yield Finding("vectors", note=f"{counted(n_documents, 'document')}, {size}")


def _caches(home: Home) -> Finding:
    """The size of what was found in files of corpora. A damaged file is begun again when it is used."""
    return Finding("cache", note=f"{n_bytes(home.caches) / 1e6:,.1f} MB, none of it needed")


def _dead_runs(home: Home, is_fixing: bool) -> Iterator[Finding]:
    """A finding for each run that Dagster lists as unfinished although its process has ended."""
    if not (home.dagster / "dagster.yaml").exists():
        return
    with usable_instance(home) as instance:
        for run in dead_runs(instance):
            if is_fixing:
                close_dead_run(instance, run, home)
            problem = (
                "was killed, and Dagster still lists it as running. "
                "`relabel doctor --fix` and the next run close it."
            )
            yield Finding(f"run {run.run_id}", problem, is_fixing)


def _ledger(project: Project) -> Iterator[Finding]:
    """The finding on the ledger. A changed line is a problem; a torn line and an answer without a reply
    that can be parsed are not.

    A killed process leaves a torn line, which is skipped.
    """
    report = ledger_report.report(project.teacher().ledger, is_thorough=True)
    faults = [problem for problem in report.problems if "torn" not in problem.message]
    n_torn, n_unusable = len(report.problems) - len(faults), len(report.unusable)
    listed = "`relabel ledger --verify` lists them."
    if faults:
        yield Finding("ledger", f"{counted(len(faults), 'fault')}, the first: {faults[0]} {listed}")
        return
    notes = []
    if n_torn:
        notes.append(f"{counted(n_torn, 'line')} torn or damaged, which are skipped")
    if n_unusable:
        notes.append(f"{counted(n_unusable, 'answer')} without a usable reply")
    again = "; their requests are sent again where they are needed. "
    yield Finding("ledger", note=" and ".join(notes) + again + listed if notes else "")
