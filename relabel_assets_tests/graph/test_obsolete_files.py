"""Folders that a table's new rows make obsolete: removed after the rows are stored, and only then."""

from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pytest

from relabel_assets.graph.recipe import RECIPES
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.running import runner
from relabel_assets_tests.warehouse.rows import HASH, complete

pytestmark = pytest.mark.slow


@pytest.fixture
def old_student(home: Path) -> Iterator[Path]:
    folder = home / "home" / "models" / "tiny" / "old"
    folder.mkdir(parents=True)
    (folder / "student.json").touch()
    recipe = RECIPES["seed_docs"]
    yield folder
    RECIPES["seed_docs"] = recipe


def materialize(**changes: object) -> bool:
    """Whether a run succeeded whose rows make `old_student` obsolete."""
    row = {"doc_id": "d", "body": "text", "content_hash": HASH, **changes}

    def seed_docs(step: Step) -> Rows:
        return Rows(complete("seed_docs", row), obsolete=("models/tiny/old",))

    project, warehouse = runner.from_environment()
    with dg.DagsterInstance.ephemeral() as instance:
        instance.add_dynamic_partitions("corpus", ["tiny"])
        return dg.materialize(
            [table_asset(code_version="1", kinds=set())(seed_docs)],
            instance=instance,
            partition_key="tiny",
            resources={"project": project, "warehouse": warehouse},
            raise_on_error=False,
        ).success


def test_obsolete_folders_go_with_the_rows(old_student: Path) -> None:
    assert materialize()
    assert not old_student.exists()
    assert old_student.parent.is_dir()


def test_rows_that_cannot_be_stored_remove_nothing(old_student: Path) -> None:
    assert not materialize(body="")
    assert (old_student / "student.json").exists()
