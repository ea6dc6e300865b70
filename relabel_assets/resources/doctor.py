"""Looking a home over: can it be written, is everything whole, is what belongs together there; and mending what is safe.

What belongs here: findings, each with its remedy. What does not: anything that could lose a row or a label.
"""

import os
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from relabel_assets.errors import RelabelError
from relabel_assets.resources import ledger_report
from relabel_assets.resources.project import Project
from relabel_assets.resources.warehouse import Warehouse

_LEAST_FREE_BYTES = 1_000_000_000
_OLD_S = 3600  # a half-written file that nobody has touched for an hour belongs to no run


@dataclass(frozen=True)
class Finding:
    """What was looked at, and what is wrong with it: None where nothing is. `is_mended`: it was wrong."""

    what: str
    problem: str | None = None
    is_mended: bool = False


def examine(project: Project, warehouse: Warehouse, *, is_mending: bool = False) -> Iterator[Finding]:
    """Every finding, as it is made; with `is_mending`, what is safe to mend is mended."""
    home = project.home
    yield Finding("RELABEL_HOME", _writable(home.path))
    free = shutil.disk_usage(home.path).free
    is_little = free < _LEAST_FREE_BYTES
    yield Finding("disk", f"{free / 1e9:.1f} GB are free. Make room before the next run." if is_little else None)
    receipts = None
    try:
        receipts = warehouse.receipts()
        yield Finding("warehouse")
    except RelabelError as error:
        yield Finding("warehouse", str(error))
    for receipt in (receipts or {}).values():
        gone = [file for file in receipt.files if not (home.path / file).exists()]
        if gone:
            remedy = f"Make them again: relabel run -c {receipt.corpus} -s {receipt.table_name}+"
            yield Finding(f"{receipt.corpus} / {receipt.table_name}", f"{', '.join(gone)} gone. {remedy}")
    if receipts:
        yield _replica(warehouse, is_mending)
    yield from _halves(home.path, is_mending)
    found = ledger_report.report(project.teacher().ledger, is_thorough=True)
    n_wrong = len(found.problems)
    yield Finding("ledger", f"{n_wrong} lines cannot be used: relabel ledger --verify" if n_wrong else None)


def _writable(path: Path) -> str | None:
    try:
        probe = path / f".doctor.{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        return f"it cannot be written: {error}. Set RELABEL_HOME to a folder you may write to."
    return None


def _replica(warehouse: Warehouse, is_mending: bool) -> Finding:
    try:
        count = "select corpus, table_name, content_hash from materializations order by all"
        is_same = warehouse.replica.exists() and warehouse.read_replica(count).equals(warehouse.query(count))
    except RelabelError:
        is_same = False
    if is_same:
        return Finding("replica")
    if is_mending:
        warehouse.publish_all()
    return Finding("replica", "it is behind the warehouse. `relabel doctor --fix` copies it again.", is_mending)


def _halves(home: Path, is_mending: bool) -> Iterator[Finding]:
    """Files and folders that a killed run left half-written; nothing ever reads them."""
    now = time.time()
    for path in sorted(home.glob("**/.*.half")):
        if now - path.stat().st_mtime < _OLD_S:
            continue
        if is_mending:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)
        name = str(path.relative_to(home))
        yield Finding(name, "half-written by a run that was killed. `relabel doctor --fix` removes it.", is_mending)
