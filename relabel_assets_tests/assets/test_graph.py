"""The whole graph in real Dagster runs, mostly on copies of one finished home."""

import json
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.running import runner
from relabel_assets.running.plan import stale_tables
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import write_corpus
from relabel_assets_tests.running.homes import use_copy

UP_TO_LABELS = [
    "seed_docs",
    "synthetic_queries",
    "reference_labels",
    "bm25_candidates",
    "teacher_labels",
]


def bring_up_to_date(
    corpus: str = "tiny", tables: list[str] | None = None, *, is_forced: bool = False
) -> runner.Outcome | None:
    project, warehouse = runner.from_environment()
    names = tables or list(TABLES)
    return runner.bring_up_to_date(project, warehouse, corpus, names, is_forced=is_forced)


def run(corpus: str = "tiny", tables: list[str] | None = None) -> runner.Outcome:
    """Bring a corpus up to date; return the outcome of its run."""
    outcome = bring_up_to_date(corpus, tables)
    assert outcome is not None
    return outcome


def test_a_run_writes_every_table_and_its_files(finished_home: Path) -> None:
    warehouse = Warehouse.at(finished_home / "warehouse.duckdb")
    assert {name for _, name in warehouse.receipts()} == set(TABLES)
    model = warehouse.read("student_model", "tiny").row(0, named=True)
    assert (finished_home / model["path"] / "model.safetensors").is_file()
    assert "<html" in (finished_home / "reports" / "tiny.html").read_text()
    labels = warehouse.read("student_labels", "tiny")
    assert labels.height == warehouse.read("bm25_candidates", "tiny").height
    sums = labels.select(pl.col("grade_probs").list.sum()).to_series()
    assert sums.is_between(1 - 1e-9, 1 + 1e-9).all()


def test_unchanged_tables_are_skipped_and_a_forced_run_reproduces_them(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_copy(monkeypatch, finished_home.parent, tmp_path)
    project, warehouse = runner.from_environment()
    before = warehouse.receipts()
    assert stale_tables(project, warehouse, "tiny", list(TABLES)) == {}
    assert bring_up_to_date() is None
    assert warehouse.receipts() == before
    outcome = bring_up_to_date(is_forced=True)
    assert outcome is not None
    assert (outcome.is_success, outcome.failures) == (True, {})
    too_small = {
        "benchmark_report: probes_fool_no_labeler",
        "benchmark_report: student_can_replace_teacher",
        "benchmark_report: student_is_as_good_as_teacher",
        "student_model: student_learned_from_enough",
    }
    assert set(outcome.findings) <= too_small
    after = warehouse.receipts()
    assert after.keys() == before.keys()
    for key, receipt in after.items():
        assert receipt.content_hash == before[key].content_hash, key
        assert receipt.written_at > before[key].written_at, key


def test_changed_and_removed_documents_reach_every_table(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_copy(monkeypatch, finished_home.parent, tmp_path)
    project, warehouse = runner.from_environment()
    file = tmp_path / "data" / "tiny" / "documents.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()][1:]
    rows[0]["body"] += " And more."
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    stale = stale_tables(project, warehouse, "tiny", UP_TO_LABELS)
    assert stale["seed_docs"] == "changed: files documents"
    assert run(tables=UP_TO_LABELS).is_success
    documents = warehouse.read("seed_docs", "tiny")
    assert documents.height == 7
    assert documents.row(0, named=True)["body"].endswith(" And more.")
    receipt = warehouse.receipt("synthetic_queries", "tiny")
    assert receipt is not None
    assert receipt.n_set_aside == 2  # the queries that were written from the removed document
    assert "d0" not in warehouse.read("teacher_labels", "tiny")["doc_id"].to_list()


def test_a_pair_without_a_recorded_grade_stays_ungraded(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_copy(monkeypatch, finished_home.parent, tmp_path)
    file = tmp_path / "data" / "tiny" / "teacher_labels.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    outcome = run(tables=UP_TO_LABELS)
    _, warehouse = runner.from_environment()
    missing = warehouse.read("teacher_labels", "tiny").filter(pl.col("status") != "ok")
    columns = missing.select("query_id", "doc_id", "grade", "status")
    assert columns.rows() == [("q00", "d0", None, "not_recorded")]
    assert "teacher_labels: every_pair_is_graded" not in outcome.findings  # a sample is no fault


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (
            lambda folder: (folder / "documents.jsonl").write_text("{\n"),
            "no usable document",
        ),
        (lambda folder: (folder / "queries.jsonl").unlink(), "has no queries.jsonl"),
        (
            lambda folder: (folder / "teacher_labels.jsonl").write_text("\n"),
            "no training pair has a grade",
        ),
    ],
)
def test_a_broken_corpus_fails_with_a_message(
    home: Path, break_it: Callable[[Path], object], message: str
) -> None:
    break_it(write_corpus(home / "data" / "broken"))
    outcome = run("broken")
    assert not outcome.is_success
    assert message in " ".join(outcome.failures.values())
    assert "Traceback" not in " ".join(outcome.failures.values())


def test_a_corpus_of_one_document_and_one_query_is_labelled_without_a_benchmark(
    home: Path,
) -> None:
    folder = write_corpus(home / "data" / "single")
    for name in ("documents.jsonl", "queries.jsonl", "teacher_labels.jsonl"):
        (folder / name).write_text((folder / name).read_text().splitlines(keepends=True)[0])
    (folder / "reference_labels.qrels").unlink()
    outcome = run("single")
    assert (outcome.is_success, outcome.failures) == (True, {})
    _, warehouse = runner.from_environment()
    pair = ("q00", "d0", 3)
    for table in ("teacher_labels", "student_labels"):
        columns = warehouse.read(table, "single").select("query_id", "doc_id", "grade")
        assert columns.rows() == [pair], table
    assert warehouse.read("benchmark_report", "single").is_empty()
