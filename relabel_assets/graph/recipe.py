"""Recipes: the inputs of each table's rows, and the rule by which a partition is fresh.

What belongs here: the recipe of each table, and the rule that a run and a plan share. What does
not: hashes of inputs (inputs.py), and the reaction to a change (table_asset.py, running/plan.py).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.graph.forecast import Forecast, Trial
from relabel_assets.graph.inputs import Inputs, plain
from relabel_assets.graph.project import Project
from relabel_assets.graph.step import Rows, Step
from relabel_assets.tables.table import Table
from relabel_assets.warehouse.receipt import Receipt


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
        """All inputs of the rows of `table`; the hash of an upstream table without rows is None."""
        upstream = {name: receipts.get((corpus.name, name)) for name in table.reads}
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
