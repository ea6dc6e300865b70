"""The whole graph through real Dagster runs on a temporary home."""

import json
import subprocess
import sys
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.graph.table_asset import RECIPES
from relabel_assets.running import runner
from relabel_assets.running.plan import stale_tables
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import write_corpus


def up_to_date(corpus: str = "tiny", *, is_forced: bool = False) -> runner.Outcome | None:
    project, warehouse = runner.from_environment()
    return runner.bring_up_to_date(project, warehouse, corpus, list(TABLES), is_forced=is_forced)


def test_from_documents_to_benchmark_and_then_nothing_to_do(home: Path) -> None:
    outcome = up_to_date()
    assert outcome is not None
    assert (outcome.is_success, outcome.failures) == (True, {})
    assert set(outcome.findings) <= {"benchmark_report: student_is_as_good_as_teacher"}
    project, warehouse = runner.from_environment()
    before = {key: receipt.content_hash for key, receipt in warehouse.receipts().items()}
    assert [name for _, name in before] and {name for _, name in before} == set(TABLES)
    model = warehouse.read("student_model", "tiny").row(0, named=True)
    assert (project.home.path / model["path"] / "model.safetensors").is_file()
    assert "<html" in (project.home.reports / "tiny.html").read_text()
    labels = warehouse.read("student_labels", "tiny")
    assert labels.select(pl.col("grade_probs").list.sum().is_between(1 - 1e-9, 1 + 1e-9).all()).item()
    assert labels.height == warehouse.read("bm25_candidates", "tiny").height
    assert stale_tables(project, warehouse, "tiny", list(TABLES)) == {}
    assert up_to_date() is None
    assert up_to_date(is_forced=True).is_success  # type: ignore[union-attr]
    assert {key: receipt.content_hash for key, receipt in warehouse.receipts().items()} == before


def test_a_changed_document_is_seen_and_a_removed_one_goes(home: Path) -> None:
    project, warehouse = runner.from_environment()
    tables = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "teacher_labels"]
    assert runner.bring_up_to_date(project, warehouse, "tiny", tables).is_success  # type: ignore[union-attr]
    file = home / "data" / "tiny" / "documents.jsonl"
    rows = [json.loads(line) for line in file.read_text().splitlines()][1:]
    rows[0]["body"] += " And more."
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert stale_tables(project, warehouse, "tiny", tables)["seed_docs"] == "changed: files documents"
    assert runner.bring_up_to_date(project, warehouse, "tiny", tables).is_success  # type: ignore[union-attr]
    assert warehouse.read("seed_docs", "tiny").height == 7
    assert warehouse.receipt("synthetic_queries", "tiny").n_set_aside == 2  # type: ignore[union-attr]
    assert "d0" not in warehouse.read("teacher_labels", "tiny")["doc_id"].to_list()


def test_a_pair_without_a_recorded_grade_is_never_guessed(home: Path) -> None:
    file = home / "data" / "tiny" / "teacher_labels.jsonl"
    file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
    project, warehouse = runner.from_environment()
    outcome = runner.bring_up_to_date(
        project, warehouse, "tiny", [name for name in TABLES if name.split("_")[0] not in ("student", "benchmark")]
    )
    missing = warehouse.read("teacher_labels", "tiny").filter(pl.col("status") != "ok")
    assert missing.select("query_id", "doc_id", "grade", "status").rows() == [("q00", "d0", None, "not_recorded")]
    assert "1 pairs not_recorded" in outcome.findings["teacher_labels: every_pair_is_graded"]  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (lambda folder: (folder / "corpus.yaml").write_text("studnt: 1"), "Did you mean 'student'"),
        (lambda folder: (folder / "documents.jsonl").write_text("{\n"), "no document that can be used"),
        (lambda folder: (folder / "queries.jsonl").unlink(), "has no queries.jsonl"),
        (lambda folder: (folder / "teacher_labels.jsonl").write_text("\n"), "no training pair has a grade"),
    ],
)
def test_a_broken_corpus_fails_with_a_message_and_costs_no_other_its_run(home: Path, break_it, message: str) -> None:
    break_it(write_corpus(home / "data" / "broken"))
    outcome = up_to_date("broken")
    assert outcome is not None
    assert not outcome.is_success
    assert message in " ".join(outcome.failures.values())
    project, warehouse = runner.from_environment()
    assert runner.bring_up_to_date(project, warehouse, "tiny", ["seed_docs"]).is_success  # type: ignore[union-attr]


def test_a_corpus_of_one_document_and_one_query_ends_in_a_plain_message(home: Path) -> None:
    folder = write_corpus(home / "data" / "single")
    for name in ("documents.jsonl", "queries.jsonl", "teacher_labels.jsonl"):
        (folder / name).write_text((folder / name).read_text().splitlines(keepends=True)[0])
    (folder / "reference_labels.qrels").unlink()
    outcome = up_to_date("single")
    assert outcome is not None
    _, warehouse = runner.from_environment()
    assert warehouse.read("teacher_labels", "single").select("query_id", "doc_id", "grade").rows() == [("q00", "d0", 3)]
    if outcome.is_success:
        assert warehouse.read("benchmark_report", "single")["value"].drop_nulls().is_empty()
    else:
        assert "Traceback" not in " ".join(outcome.failures.values())


def test_loading_the_graph_imports_neither_torch_nor_openai(home: Path) -> None:
    script = "import sys, relabel_assets.definitions; print([m for m in ('torch', 'openai', 'transformers', 'peft') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_files_assets_and_tables_have_the_same_names(home: Path) -> None:
    graph = runner.build_definitions().resolve_asset_graph()
    assets = {key.to_user_string() for key in graph.get_all_asset_keys()}
    files = {file.stem for file in (Path(runner.__file__).parents[1] / "assets").glob("[a-z]*.py")}
    assert assets - {"corpus_folder"} == files == set(TABLES) == set(RECIPES)


def relabel(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", "from relabel_assets.cli.main import main; main()", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_the_command_answers_and_fails_plainly(home: Path) -> None:
    assert "corpus" in relabel("--help").stdout
    done = relabel("run", "-c", "tiny", "-s", "seed_docs")
    assert (done.returncode, "tiny / seed_docs: 8 rows" in done.stderr) == (0, True), done.stderr
    assert relabel("sql", "select count(*) as n from seed_docs", "-f", "csv").stdout == "n\n8\n"
    assert json.loads(relabel("sql", "select [1, 2] as l", "-f", "json").stdout) == {"l": [1, 2]}
    assert "tiny" in relabel("corpora", "list").stdout
    assert relabel("corpora", "check").returncode == 0
    assert "never made" in relabel("plan").stdout
    (home / "data" / "HR Docs").mkdir()
    for arguments, code, message in (
        (("sql", "select nope"), 6, "nope"),
        (("run", "-c", "tyny"), 3, "Available: tiny"),
        (("run", "-s", "nothing"), 4, "Tables: seed_docs"),
        (("corpora", "check"), 3, "Rename it to hr_docs"),
        (("sql", "select 1", "-f", "xml"), 4, "Formats"),
    ):
        failed = relabel(*arguments)
        assert (failed.returncode, message in failed.stderr + failed.stdout) == (code, True), failed.stderr
        assert "Traceback" not in failed.stderr


def test_a_killed_runs_pools_are_free_for_the_next(home: Path) -> None:
    import os
    import socket

    import dagster as dg

    project, warehouse = runner.from_environment()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        tags = {"relabel/host": socket.gethostname(), "relabel/process": str(ended.pid)}
        run = dg.DagsterRun(job_name="__ASSET_JOB", run_id="0" * 32, tags=tags, status=dg.DagsterRunStatus.STARTED)
        instance.add_run(run)
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("teacher")
        assert storage.claim_concurrency_slot("teacher", run.run_id, "teacher_labels").is_claimed
    assert runner.bring_up_to_date(project, warehouse, "tiny", ["seed_docs", "synthetic_queries"]).is_success  # type: ignore[union-attr]
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        assert instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.FAILURE  # type: ignore[union-attr]
        assert str(os.getpid()) != tags["relabel/process"]
