"""Freshness of a partition, and the inputs that its hash depends on."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import Recipe, is_fresh
from relabel_assets.graph.step import Rows, Step
from relabel_assets.progress import silent
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.receipt import Receipt
from relabel_assets.warehouse.warehouse import Warehouse

RECEIPT = Receipt(
    corpus="tiny",
    table_name="student_model",
    input_hash="a" * 64,
    content_hash="b" * 64,
    n_rows=1,
    n_unfinished=0,
    n_set_aside=0,
    files=("models/tiny/m",),
    run_id=None,
    written_at=datetime(2026, 1, 1, tzinfo=UTC),
)


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A project whose home has the file of RECEIPT."""
    (tmp_path / "home" / "models" / "tiny" / "m").mkdir(parents=True)
    return Project(home_path=str(tmp_path / "home"), data_path=str(tmp_path / "data"))


def test_a_partition_with_the_same_inputs_is_fresh(project: Project) -> None:
    assert is_fresh(RECEIPT, "a" * 64, project)


def test_a_partition_without_a_receipt_is_not_fresh(project: Project) -> None:
    assert not is_fresh(None, "a" * 64, project)


def test_another_input_hash_is_not_fresh(project: Project) -> None:
    assert not is_fresh(RECEIPT, "c" * 64, project)


def test_unfinished_work_is_not_fresh(project: Project) -> None:
    assert not is_fresh(replace(RECEIPT, n_unfinished=1), "a" * 64, project)


def test_a_missing_file_is_not_fresh(project: Project) -> None:
    with_report = replace(RECEIPT, files=("models/tiny/m", "reports/tiny.html"))
    assert not is_fresh(with_report, "a" * 64, project)


def test_inputs_that_were_set_aside_leave_a_partition_fresh(project: Project) -> None:
    assert is_fresh(replace(RECEIPT, n_set_aside=5), "a" * 64, project)


def recipe(code_version: str = "1", depth: int = 3) -> Recipe:
    return Recipe(
        code_version,
        settings=lambda corpus: {"depth": depth},
        files=("queries",),
        function=lambda step: Rows(pl.DataFrame()),
        forecast=lambda trial: pytest.fail("not asked for"),
    )


def test_the_input_hash_depends_on_code_settings_files_and_upstream_rows(tmp_path: Path) -> None:
    (tmp_path / "queries.jsonl").write_text("{}\n")
    folder, table = CorpusFolder("tiny", tmp_path), TABLES["reference_labels"]

    def hash_of(one: Recipe, **content: str) -> str:
        receipts = {
            ("tiny", name): replace(RECEIPT, table_name=name, content_hash=text)
            for name, text in content.items()
        }
        return one.inputs(table, folder, receipts).hash

    rows = {"seed_docs": "1" * 64, "synthetic_queries": "2" * 64}
    first = hash_of(recipe(), **rows)
    assert hash_of(recipe(), **rows) == first
    changed = [
        hash_of(recipe(code_version="2"), **rows),
        hash_of(recipe(depth=4), **rows),
        hash_of(recipe(), **(rows | {"seed_docs": "3" * 64})),
        hash_of(recipe(), seed_docs=rows["seed_docs"]),
    ]
    assert hash_of(recipe(), **rows, benchmark_report="4" * 64) == first  # which it does not read
    (tmp_path / "queries.jsonl").write_text("{} \n")
    changed.append(hash_of(recipe(), **rows))
    assert len({first, *changed}) == 1 + len(changed)


def test_an_optional_table_without_rows_is_no_input(tmp_path: Path) -> None:
    """A table that came later must not make everybody's reports again."""
    folder = CorpusFolder("tiny", tmp_path)
    table = replace(TABLES["reference_labels"], optional=frozenset({"seed_docs"}))

    def hash_of(**n_rows: int) -> str:
        receipts = {
            ("tiny", name): replace(RECEIPT, table_name=name, n_rows=count)
            for name, count in n_rows.items()
        }
        return recipe().inputs(table, folder, receipts).hash

    without = replace(table, reads=("synthetic_queries",))
    receipt = {("tiny", "synthetic_queries"): replace(RECEIPT, n_rows=1)}
    before = recipe().inputs(without, folder, receipt).hash
    assert hash_of(synthetic_queries=1) == hash_of(synthetic_queries=1, seed_docs=0) == before
    assert hash_of(synthetic_queries=1, seed_docs=1) != before


def test_a_step_reads_declared_tables_only(project: Project, tmp_path: Path) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    folder = CorpusFolder("tiny", tmp_path)
    step = Step(TABLES["reference_labels"], folder, warehouse, project, silent)
    assert step.read("seed_docs").is_empty()
    for read_table in (step.read, step.read_batches, lambda name: step.read_column(name, "grade")):
        with pytest.raises(ValueError, match="reference_labels reads teacher_labels"):
            read_table("teacher_labels")
