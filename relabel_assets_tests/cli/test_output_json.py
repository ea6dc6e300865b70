"""`--format json`: an object a line on stdout, with the same keys whatever happened, and nothing else."""

import json
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.benchmark.labelers import LABELERS, PEOPLE_LABELERS, POOL_PEOPLE
from relabel_assets.cli.printing import output_json
from relabel_assets.running.runner import Outcome
from relabel_assets_tests.builders import relabel, write_corpus

RUN_KEYS = {"corpus", "error", "status", "run_id", "failed_steps", "failed_checks", "set_aside"}


def objects(*arguments: str, code: int = 0) -> list[dict[str, Any]]:
    """The objects that a command prints."""
    done = relabel(*arguments, "--format", "json")
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.fixture
def at_finished_home(finished_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(finished_home))
    monkeypatch.setenv("RELABEL_DATA", str(finished_home.parent / "data"))


def test_a_run_is_an_object_a_corpus_also_of_one_that_failed(home: Path) -> None:
    (write_corpus(home / "data" / "broken") / "corpus.yaml").write_text("studnt: 1")
    tiny, broken = objects("run", "-s", "seed_docs", code=1)
    assert set(tiny) == RUN_KEYS
    assert (tiny["corpus"], tiny["status"], tiny["error"]) == ("tiny", "succeeded", None)
    assert len(tiny["run_id"]) == 36
    assert set(broken) == {"corpus", "error"}
    assert "studnt" in broken["error"] and broken["corpus"] == "broken"
    (again,) = objects("run", "-s", "seed_docs", "-c", "tiny")
    assert set(again) == RUN_KEYS
    assert (again["status"], again["run_id"]) == ("up_to_date", None)


def test_a_failed_run_has_its_steps_and_checks() -> None:
    outcome = Outcome("tiny", False, "1", {"teacher_labels": "no key"}, {"seed_docs: x": "- 1 row"})
    record = output_json.of_outcome(outcome)
    assert record["status"] == "failed"
    assert record["failed_steps"] == {"teacher_labels": "no key"}
    assert record["failed_checks"] == {"seed_docs: x": "- 1 row"}


def test_a_plan_has_the_changes_of_each_table_where_they_are_known(home: Path) -> None:
    (plan,) = objects("plan", "-s", "seed_docs or student_labels")
    documents, labels = plan["tables"]
    assert set(documents) == {"table", "reason", "changes", "note"}
    assert (documents["table"], documents["reason"]) == ("seed_docs", "never made")
    changes = {"added": 8, "changed": 0, "removed": 0, "is_upper_bound": False}
    assert documents["changes"] == changes
    assert labels["table"] == "student_labels"


@pytest.mark.usefixtures("at_finished_home")
def test_a_plan_of_what_is_up_to_date_has_no_tables() -> None:
    assert objects("plan") == [{"corpus": "tiny", "error": None, "tables": []}]


@pytest.mark.usefixtures("at_finished_home")
def test_a_report_has_each_metric_of_each_labeler() -> None:
    (report,) = objects("report")
    keys = {"reference_kind", "n_queries", "n_pairs", "metrics", "page", "cost"}
    keys |= {"verdict", "gate", "frontier", "limits"}
    assert set(report) == {"corpus", "error", *keys}
    assert [set(result) for result in report["gate"]] == [
        {"metric", "margin", "verdict", "reason"}
    ] * 2
    assert Path(report["page"]).is_file()
    cost = {"pairs", "graded_pairs", "requests", "cost_usd", "pairs_of_unknown_price"}
    assert set(report["cost"]) == cost
    of_all = [metric for metric in report["metrics"] if metric["slice"] == "all"]
    assert {metric["labeler"] for metric in of_all} == {*LABELERS} - {*PEOPLE_LABELERS, POOL_PEOPLE}
    keys = {"slice", "labeler", "metric", "value", "ci_low", "ci_high"}
    assert all(set(metric) == keys for metric in report["metrics"])


def test_a_report_without_a_benchmark_has_the_same_keys(home: Path) -> None:
    (report,) = objects("report")
    assert (report["metrics"], report["page"], report["cost"]) == ([], None, None)
    assert report["n_queries"] is None


@pytest.mark.usefixtures("at_finished_home")
def test_corpora_are_listed_with_their_counts() -> None:
    (corpus,) = objects("corpora", "list")
    assert (corpus["corpus"], corpus["n_documents"], corpus["teacher"]) == ("tiny", 8, "recorded")
    keys = {"description", "n_queries", "n_recorded_labels", "reference_kind", "n_reference_labels"}
    assert set(corpus) >= keys


def test_problems_of_a_corpus_have_file_line_and_remedy(home: Path) -> None:
    with (home / "data" / "tiny" / "queries.jsonl").open("a") as file:
        file.write('{"query_id": "q99"}\n')
    (checked,) = objects("corpora", "check", code=3)
    (problem,) = checked["problems"]
    assert set(problem) == {"file", "line", "message", "remedy"}
    assert problem["file"] == "queries.jsonl" and problem["line"] > 1


def test_text_from_data_does_nothing_to_a_terminal(home: Path) -> None:
    (home / "data" / "tiny" / "corpus.yaml").write_text("description: 'a \x9b2J \u202e'\n", "utf-8")
    stdout = relabel("corpora", "list", "--format", "json").stdout
    assert stdout.isascii()
