"""A document is read once: by the first table that needs it, and by no later table, student or command."""

import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.graph.catalog import last_metadata
from relabel_assets.running import runner
from relabel_assets.running.dagster_state import usable_instance
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel
from relabel_assets_tests.running.homes import use_copy

pytestmark = pytest.mark.slow

N_DOCUMENTS = 8  # of `tiny`
READERS = ("student_model", "student_labels", "benchmark_report")


def counts(home: Path) -> dict[str, tuple[int, int]]:
    """By table: how many documents its last step read, and how many it took from the store."""
    project, _ = runner.from_environment()
    assert project.home.path == home
    with usable_instance(project.home) as instance:
        metadata = {name: last_metadata(instance, TABLES[name], "tiny") for name in READERS}
    names = ("documents_read", "documents_from_store")
    return {
        table: tuple(values[name].value for name in names) for table, values in metadata.items()
    }  # type: ignore[misc]


@pytest.fixture
def own(finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_copy(monkeypatch, finished_home.parent, tmp_path) / "home"


def train_again(home: Path) -> dict[str, tuple[int, int]]:
    shutil.rmtree(home / "models")  # an unchanged student would be kept
    done = relabel("run", "-c", "tiny", "--force", "-s", "student_model+")
    assert done.returncode == 0, done.stderr
    return counts(home)


def test_the_first_table_reads_every_document_and_the_others_none(own: Path) -> None:
    assert counts(own) == {
        "student_model": (N_DOCUMENTS, 0),
        "student_labels": (0, N_DOCUMENTS),
        "benchmark_report": (0, 2 * N_DOCUMENTS),  # for the base, and for the student of cascades
    }


def test_a_second_student_reads_none_and_a_new_document_is_read_alone(own: Path) -> None:
    settings = own.parent / "data" / "tiny" / "corpus.yaml"
    settings.write_text(settings.read_text().replace("epochs: 1", "epochs: 1, seed: 5"))
    assert relabel("run", "-c", "tiny").returncode == 0
    assert {n_read for n_read, _ in counts(own).values()} == {0}
    documents = own.parent / "data" / "tiny" / "documents.jsonl"
    line = '{"doc_id": "d8", "title": "Car Pool", "body": "Who may borrow a car."}\n'
    documents.write_text(documents.read_text() + line)
    assert relabel("run", "-c", "tiny").returncode == 0
    assert counts(own)["student_model"] == (1, N_DOCUMENTS)


def test_rows_are_equal_with_a_damaged_store_and_without_one(
    own: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    warehouse = Warehouse.at(own / "warehouse.duckdb")

    def hashes() -> dict[str, str]:
        receipts = warehouse.receipts()
        return {table: receipts["tiny", table].content_hash for table in READERS}

    before = hashes()
    for file in (own / "vectors").rglob("*.vectors"):
        content = bytearray(file.read_bytes())
        content[-1] ^= 1
        file.write_bytes(content)
    # The last document of each segment is damaged: of the graded documents, and of the others.
    assert train_again(own)["student_model"] == (2, N_DOCUMENTS - 2)
    assert hashes() == before
    monkeypatch.setenv("RELABEL_VECTORS_GB", "0")
    assert {n_from_store for _, n_from_store in train_again(own).values()} == {0}
    assert hashes() == before


def test_label_reads_none_of_the_corpus_documents(own: Path, tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"query_id": "q00", "doc_id": "d0"},
        {"query_id": "q00", "doc_id": "d1"},
    ]
    pl.DataFrame(rows).write_csv(tmp_path / "pairs.csv")
    arguments = ("label", str(tmp_path / "pairs.csv"), "-c", "tiny", "--force", "-o")
    done = relabel(*arguments, str(tmp_path / "labels.csv"))
    assert "0 documents read, 2 from the store" in done.stderr
    shutil.rmtree(own / "vectors")
    done = relabel(*arguments, str(tmp_path / "labels.csv"))
    assert "2 documents read, 0 from the store" in done.stderr


def test_a_store_that_cannot_be_written_costs_a_notice_alone(own: Path) -> None:
    shutil.rmtree(own / "vectors")
    (own / "vectors").write_text("a file in the folder's place")
    done = relabel("run", "-c", "tiny", "--force", "-s", "student_labels")
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("vectors of documents are not kept in") == 1
    assert counts(own)["student_labels"] == (N_DOCUMENTS, 0)


def test_doctor_shows_the_size_of_the_store_and_removes_a_damaged_segment(own: Path) -> None:
    done = relabel("doctor")
    assert done.returncode == 0, done.stdout
    # The documents of the corpus, and the stuffed ones of training.
    assert "vectors: " in done.stdout and " of at most 20 GB" in done.stdout
    file = next((own / "vectors").rglob("*.vectors"))
    file.write_bytes(file.read_bytes()[:40])
    done = relabel("doctor")
    assert done.returncode != 0 and "damaged: " in done.stdout
    relabel("doctor", "--fix")
    assert relabel("doctor").returncode == 0
    assert not file.exists()
