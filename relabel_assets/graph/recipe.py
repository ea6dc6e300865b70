"""Recipes: the inputs of each table's rows, and the rule by which a partition is fresh.

What belongs here: the recipe of each table, and the rule that a run, a plan and a check share. What does
not: hashes of inputs (inputs.py), and the reaction to a change (table_asset.py, running/plan.py).
"""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import RelabelError
from relabel_assets.graph.forecast import Forecast, Trial
from relabel_assets.graph.inputs import Inputs, plain
from relabel_assets.graph.project import Project
from relabel_assets.graph.step import Rows, Step
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.receipt import Receipt
from relabel_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Recipe:
    """The inputs of a table beside the tables it reads: code, settings and files of the corpus.

    `function` computes the rows. `forecast` predicts their changes without a teacher or a training.
    """

    code_version: str
    settings: Callable[[CorpusFolder], Any]
    files: tuple[str, ...]
    function: Callable[[Step], Rows]
    forecast: Callable[[Trial], Forecast]

    def inputs(
        self, table: Table, corpus: CorpusFolder, receipts: Mapping[tuple[str, str], Receipt]
    ) -> Inputs:
        """All inputs of the rows of `table`; the hash of an upstream table without rows is None.

        An optional upstream table without rows is no input.
        """
        upstream = {name: receipts.get((corpus.name, name)) for name in table.reads}
        upstream = {
            name: receipt
            for name, receipt in upstream.items()
            if name not in table.optional or (receipt and receipt.n_rows)
        }
        return Inputs(
            {
                "code": self.code_version,
                "settings": plain(self.settings(corpus)),
                "files": {part: corpus.fingerprint(part) for part in self.files},
                "tables": {
                    name: receipt.content_hash if receipt else None
                    for name, receipt in upstream.items()
                },
            }
        )


# The recipe of each table. table_asset adds them, so importing definitions.py fills it.
RECIPES: dict[str, Recipe] = {}


def is_fresh(receipt: Receipt | None, input_hash: str, project: Project) -> bool:
    """Whether the inputs of a partition are unchanged, its work finished, and its files present."""
    return (
        receipt is not None
        and receipt.input_hash == input_hash
        and receipt.n_unfinished == 0
        and all((project.home.path / file).exists() for file in receipt.files)
    )


def stale_reason(project: Project, receipt: Receipt | None, inputs: Inputs) -> str | None:
    """The reason why a partition is stale; None for a fresh one."""
    if receipt is not None and receipt.n_unfinished:
        return f"{receipt.n_unfinished:,} pieces of work are unfinished"
    return out_of_date_reason(project, receipt, inputs)


def out_of_date_reason(project: Project, receipt: Receipt | None, inputs: Inputs) -> str | None:
    """The reason why a partition is not that of its inputs, finished or not; None if it is."""
    if receipt is None:
        return "never made"
    if receipt.input_hash != inputs.hash:
        return f"changed: {inputs.changed_since(receipt)}"
    gone = [file for file in receipt.files if not (project.home.path / file).exists()]
    return f"gone: {', '.join(gone)}" if gone else None


def stale_tables(
    project: Project,
    folder: CorpusFolder,
    receipts: Mapping[tuple[str, str], Receipt],
    tables: Sequence[str],
    reason_of: Callable[[Project, Receipt | None, Inputs], str | None] = stale_reason,
) -> dict[str, str]:
    """The stale tables among `tables` with their reasons: changed inputs, or a stale upstream table."""
    stale: dict[str, str] = {}
    for name in (name for name in TABLES if name in tables):
        parents = [parent for parent in TABLES[name].reads if parent in stale]
        inputs = RECIPES[name].inputs(TABLES[name], folder, receipts)
        reason = reason_of(project, receipts.get((folder.name, name)), inputs)
        if reason or parents:
            stale[name] = reason or if_changed(parents)
    return stale


def out_of_date_tables(
    project: Project, warehouse: Warehouse, corpora: Sequence[str]
) -> dict[str, list[str]]:
    """For each table whose rows are not those of the corpus folders, a line for each such corpus.

    A table that was never made is missing, not out of date. A folder that cannot be used says so
    itself, when it is read.
    """
    receipts = warehouse.receipts()
    reasons: dict[str, list[str]] = {}
    for corpus in corpora:
        with suppress(RelabelError):
            folder = project.corpora().open(corpus)
            stale = stale_tables(project, folder, receipts, list(TABLES), out_of_date_reason)
            for table in stale.keys() & {name for of, name in receipts if of == corpus}:
                reasons.setdefault(table, []).append(f"{corpus}: {stale[table]}")
    return reasons


def if_changed(parents: Sequence[str]) -> str:
    return f"if {' or '.join(parents)} changes"
