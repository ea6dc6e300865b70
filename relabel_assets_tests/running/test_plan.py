"""The plan beside the run: predicted changes equal the changes of every table."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.graph.forecast import Changes, changes_between
from relabel_assets.running import runner
from relabel_assets.running.plan import Planned, plan, stale_tables
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.replica import PARQUET
from relabel_assets_tests import builders
from relabel_assets_tests.builders import ask_live, relabel, write_corpus
from relabel_assets_tests.faults.teacher_server import TeacherServer
from relabel_assets_tests.running.homes import use_copy, use_home

pytestmark = pytest.mark.slow

LABELS = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels"]


def edit(file: Path, change: Callable[[list[dict[str, Any]]], object]) -> None:
    """Change the rows of a file of JSON Lines in place."""
    rows = [json.loads(line) for line in file.read_text().splitlines()]
    change(rows)
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))


def run_beside_its_plan(corpus: str, tables: list[str]) -> dict[str, Planned]:
    """Plan, run, and compare row counts, skipped tables, other corpora and the readers' copies."""
    project, warehouse = runner.from_environment()
    before, receipts_before = (
        {name: warehouse.read(name, corpus) for name in tables},
        warehouse.receipts(),
    )
    planned = {change.table: change for change in plan(project, warehouse, corpus, tables)}
    assert all(warehouse.read(name, corpus).equals(before[name]) for name in tables), (
        "a plan changes nothing"
    )
    assert warehouse.receipts() == receipts_before
    outcome = runner.bring_up_to_date(project, warehouse, corpus, tables)
    assert outcome is None or outcome.is_success, outcome
    receipts_after = warehouse.receipts()
    for name in tables:
        done = changes_between(TABLES[name], before[name], warehouse.read(name, corpus))
        predicted = planned[name].changes if name in planned else Changes(0, 0, 0)
        if predicted is not None and predicted.is_upper_bound:
            assert (done.added, done.changed) <= (predicted.added, predicted.changed), name
        elif predicted is not None:
            assert done == predicted, (name, planned.get(name))
        if name not in planned:
            assert receipts_after.get((corpus, name)) == receipts_before.get((corpus, name)), (
                f"{name} was written, and the plan did not predict it"
            )
        query = f"select * from {name} where corpus = '{corpus}' order by all"
        rows = warehouse.query(query)
        assert warehouse.read_replica(query).equals(rows)
        file = (
            Path(warehouse.database).parent / PARQUET / name / f"corpus={corpus}" / "rows.parquet"
        )
        assert pl.read_parquet(file).height == rows.height == receipts_after[corpus, name].n_rows
    assert {key: receipt for key, receipt in receipts_after.items() if key[0] != corpus} == {
        key: receipt for key, receipt in receipts_before.items() if key[0] != corpus
    }
    assert stale_tables(project, warehouse, corpus, tables) == {}
    return planned


@pytest.fixture(scope="module")
def three(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three corpora, each labelled as its plan predicted."""
    folder = tmp_path_factory.mktemp("three")
    for name in ("tiny", "other", "third"):
        write_corpus(folder / "data" / name)
    with pytest.MonkeyPatch.context() as patch:
        use_home(patch, folder)
        for name in ("tiny", "other", "third"):
            assert set(run_beside_its_plan(name, LABELS)) == set(LABELS)
    return folder


def change_a_document(folder: Path) -> None:
    edit(
        folder / "documents.jsonl",
        lambda rows: rows[1].update(body=rows[1]["body"] + " And about bicycle parking."),
    )


def add_a_document_and_change_a_query(folder: Path) -> None:
    edit(
        folder / "documents.jsonl",
        lambda rows: rows.append({"doc_id": "new", "body": "A new rule on lunch."}),
    )
    edit(folder / "queries.jsonl", lambda rows: rows[3].update(text="who pays for a taxi"))


def take_a_document_and_a_reference_grade_away(folder: Path) -> None:
    edit(folder / "documents.jsonl", lambda rows: rows.pop(0))
    grades = (folder / "reference_labels.qrels").read_text().splitlines(keepends=True)
    (folder / "reference_labels.qrels").write_text("".join(grades[1:]))


def take_fewer_candidates_and_change_a_grade(folder: Path) -> None:
    (folder / "corpus.yaml").write_text(
        "candidates: {bm25_top_k: 2, random: 0}\nreference: {kind: adjudicated}\n"
    )
    edit(folder / "teacher_labels.jsonl", lambda rows: rows[0].update(grade=0))


@pytest.mark.parametrize(
    ("change", "first", "reason"),
    [
        (change_a_document, "seed_docs", "files documents"),
        (add_a_document_and_change_a_query, "seed_docs", "files documents"),
        (take_a_document_and_a_reference_grade_away, "seed_docs", "files documents"),
        (
            take_fewer_candidates_and_change_a_grade,
            "bm25_candidates",
            "settings candidates.bm25_top_k, settings candidates.random",
        ),
    ],
)
def test_a_plan_predicts_the_changed_rows_of_one_of_three_corpora(
    three: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    change: Callable[[Path], object],
    first: str,
    reason: str,
) -> None:
    use_copy(monkeypatch, three, tmp_path)
    assert relabel("plan", "-s", "*teacher_labels").stdout.count("up to date") == 3
    change(tmp_path / "data" / "tiny")
    planned = run_beside_its_plan("tiny", LABELS)
    assert next(iter(planned)) == first
    assert reason in planned[first].reason
    assert all(
        not forecast.changes.is_upper_bound for forecast in planned.values() if forecast.changes
    )
    if change is change_a_document:
        assert planned["seed_docs"].changes == Changes(0, 1, 0)
        assert planned["teacher_labels"].changes == Changes(0, 0, 0)


def test_a_plan_predicts_whether_a_student_is_trained(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_copy(monkeypatch, finished_home.parent, tmp_path)
    project, warehouse = runner.from_environment()
    folder = tmp_path / "data" / "tiny"
    original_files = {
        name: (folder / name).read_text() for name in ("documents.jsonl", "queries.jsonl")
    }
    # A benchmark query is in no training pair.
    edit(folder / "queries.jsonl", lambda rows: rows[15].update(text="what is the fire drill for"))
    same_student = {
        change.table: change for change in plan(project, warehouse, "tiny", list(TABLES))
    }
    assert same_student["student_model"].changes == Changes(0, 0, 0)
    assert "stays" in same_student["student_model"].note
    assert same_student["student_labels"].changes == Changes(0, 128, 0, is_upper_bound=True)
    (folder / "queries.jsonl").write_text(original_files["queries.jsonl"])
    # Nor is its document, but a student knows the whole corpus.
    edit(folder / "documents.jsonl", lambda rows: rows[7].update(body="The fire drill is in May."))
    other_student = {
        change.table: change for change in plan(project, warehouse, "tiny", list(TABLES))
    }
    assert other_student["student_model"].changes == Changes(1, 1, 0)
    (folder / "documents.jsonl").write_text(original_files["documents.jsonl"])
    assert plan(project, warehouse, "tiny", list(TABLES)) == []
    change_a_document(folder)
    trained = run_beside_its_plan("tiny", list(TABLES))
    assert trained["student_model"].changes == Changes(1, 1, 0)
    assert trained["student_labels"].changes == Changes(0, 128, 0)
    assert "72 pairs" in trained["student_model"].note


@pytest.fixture
def live(home: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Path, TeacherServer]:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    return home, TeacherServer()


def n_asked(planned: Planned) -> int:
    assert "the teacher is asked about" in planned.note
    return int(planned.note.split(" with ")[1].split(" ")[0].replace(",", ""))


def test_a_plan_predicts_the_number_of_live_requests(
    live: tuple[Path, TeacherServer],
) -> None:
    home, server = live
    with server.running():
        ask_live(home, base_url=server.base_url)
        run_beside_its_plan("tiny", LABELS)
        for change, n_pairs in (
            (lambda: change_a_document(home / "data" / "tiny"), 16),
            (lambda: ask_live(home, base_url=server.base_url, model="newer"), 128),
            (lambda: ask_live(home, base_url=server.base_url), 0),  # the ledger has every answer
        ):
            change()
            n_before = server.requests.total()
            planned = run_beside_its_plan("tiny", LABELS)["teacher_labels"]
            assert planned.changes == Changes(0, n_pairs or 128, 0)
            assert server.requests.total() - n_before == n_pairs
            assert n_pairs == 0 if planned.note == "" else n_asked(planned) == n_pairs


def test_a_plan_predicts_the_number_of_documents_that_get_queries(
    live: tuple[Path, TeacherServer],
) -> None:
    home, server = live
    builders.write_documents(home)
    server.behave = builders.writes_queries
    with server.running():
        builders.configure(home, server)
        first = run_beside_its_plan("bare", LABELS)
        assert "asked about 12 documents" in first["synthetic_queries"].note
        assert "depend on the teacher's answers" in first["teacher_labels"].note
        n_before = server.requests.total()
        builders.write_documents(home, ("coffee machines",))
        planned = run_beside_its_plan("bare", LABELS)
        assert "asked about 1 document" in planned["synthetic_queries"].note
        assert planned["synthetic_queries"].changes == Changes(3, 0, 0, is_upper_bound=True)
        assert server.requests.total() > n_before
