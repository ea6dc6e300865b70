"""Runs started by the command: selections, progress lines, outcomes, and leftovers of killed runs."""

import json
import logging
import socket
import subprocess
import sys
from pathlib import Path

import dagster as dg
import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.running import runner
from relabel_assets.running.dagster_state import HOST_TAG, PROCESS_TAG
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import relabel, write_corpus


@pytest.mark.parametrize(
    ("selection", "tables"),
    [
        (None, list(TABLES)),
        ("*reference_labels", ["seed_docs", "synthetic_queries", "reference_labels"]),
        (
            "seed_docs+ and +reference_labels",
            ["seed_docs", "synthetic_queries", "reference_labels"],
        ),
        ("kind:pytorch", ["student_model", "student_labels", "final_labels"]),
        ("kind:tantivy", ["bm25_candidates"]),
    ],
)
def test_a_selection_names_tables_in_pipeline_order(
    selection: str | None, tables: list[str]
) -> None:
    assert runner.select_tables(selection) == tables


@pytest.mark.parametrize(
    "selection",
    ["nothing", "group:none", "corpus_folder", "((", "(" * 9_999, "+" * 9_999, "\udcff"],
)
def test_a_selection_of_no_table_is_refused_with_their_names(selection: str) -> None:
    with pytest.raises(ConfigError, match="Tables: seed_docs, synthetic_queries") as refused:
        runner.select_tables(selection)
    assert len(str(refused.value)) < 700


def test_a_broken_corpus_fails_and_other_corpora_run(home: Path) -> None:
    (write_corpus(home / "data" / "broken") / "corpus.yaml").write_text("studnt: 1")
    done = relabel("run", "-s", "seed_docs")
    assert done.returncode == 1
    assert "broken failed: broken/corpus.yaml" in done.stderr and "studnt" in done.stderr
    assert "tiny / seed_docs: 8 rows" in done.stderr
    assert "Failed: broken. Finished work is kept" in done.stderr


def test_a_failed_step_is_one_line_and_with_debug_a_traceback(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELABEL_DEBUG", "")
    (home / "data" / "tiny" / "documents.jsonl").write_text("")
    (failed,) = (
        line
        for line in relabel("run", "-s", "seed_docs").stderr.splitlines()
        if "/" in line and "failed:" in line
    )
    assert "tiny / seed_docs failed: corpus 'tiny' has no usable document" in failed
    debugged = relabel("--debug", "run", "-s", "seed_docs").stderr
    assert "in seed_docs" in debugged and "CorpusError" in debugged


def test_progress_lines_name_corpus_table_rows_and_run(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    logger = logging.getLogger("relabel_assets.progress")
    project, warehouse = runner.from_environment()
    documents = home / "data" / "tiny" / "documents.jsonl"
    documents.write_text(documents.read_text() + "{\n")
    logger.addHandler(caplog.handler)
    logger.setLevel(logging.INFO)
    try:
        for _ in range(2):
            runner.run_corpus(project, "tiny", ["seed_docs"])
    finally:
        logger.removeHandler(caplog.handler)
    records = [record for record in caplog.records if record.name == logger.name]
    lines = list(dict.fromkeys(record.getMessage() for record in records))
    assert lines[0] == "tiny / seed_docs ..."
    assert lines[1].startswith("tiny / seed_docs: 8 rows in ")
    assert lines[1].endswith(" s, 1 set aside")
    assert lines[2].startswith("  set aside: tiny/documents.jsonl:9: ")
    assert lines[3] == "tiny / seed_docs: unchanged, 8 rows"
    receipt = warehouse.receipt("seed_docs", "tiny")
    assert receipt is not None
    for record in records[:3]:
        assert (record.corpus, record.asset) == ("tiny", "seed_docs")  # type: ignore[attr-defined]
        assert record.run == receipt.run_id  # type: ignore[attr-defined]


def test_the_pool_slots_of_a_killed_run_are_freed(home: Path) -> None:
    project, warehouse = runner.from_environment()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        pass
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        tags = {HOST_TAG: socket.gethostname(), PROCESS_TAG: str(ended.pid)}
        status = dg.DagsterRunStatus.STARTED
        run = dg.DagsterRun(job_name="__ASSET_JOB", run_id="0" * 32, tags=tags, status=status)
        instance.add_run(run)
        storage = instance.event_log_storage
        storage.initialize_concurrency_limit_to_default("teacher")
        claim = storage.claim_concurrency_slot("teacher", run.run_id, "teacher_labels")
        assert claim.is_claimed
    tables = ["seed_docs", "synthetic_queries"]
    outcome = runner.bring_up_to_date(project, warehouse, "tiny", tables)
    assert outcome is not None and outcome.is_success
    with dg.DagsterInstance.from_config(str(project.home.dagster)) as instance:
        stored_run = instance.get_run_by_id(run.run_id)
        assert stored_run is not None
        assert stored_run.status == dg.DagsterRunStatus.FAILURE


def test_commands_end_with_their_exit_code_and_message(home: Path) -> None:
    assert "corpus" in relabel("--help").stdout
    done = relabel("run", "-c", "tiny", "-s", "seed_docs")
    assert (done.returncode, "tiny / seed_docs: 8 rows" in done.stderr) == (0, True), done.stderr
    assert relabel("sql", "select count(*) as n from seed_docs", "-f", "csv").stdout == "n\n8\n"
    row = json.loads(relabel("sql", "select [1, 2] as l", "-f", "json").stdout)
    assert row == {"l": [1, 2]}
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
        output = failed.stderr + failed.stdout
        assert (failed.returncode, message in output) == (code, True), output
        assert "Traceback" not in output
