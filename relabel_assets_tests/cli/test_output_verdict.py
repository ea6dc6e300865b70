"""The verdict is the same in the terminal, in JSON, in the check and on the page."""

import json
from pathlib import Path

import pytest

from relabel_assets.benchmark.gates.grade_shift import grade_shift
from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.benchmark.report import render_markdown, statements
from relabel_assets.cli.printing.output_verdict import verdict_facts
from relabel_assets.graph.checks.gate_checks import limits_of_student, unproven_margins
from relabel_assets.running import runner
from relabel_assets_tests.builders import relabel
from relabel_assets_tests.running.homes import use_copy

ENOUGH = "n_queries = 40, n_pairs = 400"
# How the stored benchmark of `tiny` is changed, and the verdict that it then has.
BENCHMARKS = {
    "passed": f"value = 0.01, ci_low = 0.0, ci_high = 0.02, {ENOUGH}",
    "cannot tell": f"value = -0.01, ci_low = -0.05, ci_high = 0.02, {ENOUGH}",
    "failed": f"value = -0.3, ci_low = -0.4, ci_high = -0.2, {ENOUGH}",
    "not measured": "value = null, ci_low = null, ci_high = null",
}


@pytest.fixture
def copy(finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    return use_copy(monkeypatch, finished_home.parent, tmp_path)


@pytest.mark.parametrize("verdict", BENCHMARKS)
def test_check_terminal_json_and_report_have_one_verdict(copy: Path, verdict: str) -> None:
    project, warehouse = runner.from_environment()
    with warehouse.get_connection() as con:
        # The reference labels of this corpus are its teacher's.
        con.execute("update benchmark_report set value = 0.4 where metric = 'kappa'")
        con.execute(
            f"update benchmark_report set {BENCHMARKS[verdict]} where labeler = '{DIFFERENCE}'"
        )
    rows = warehouse.read("benchmark_report", "tiny")
    facts = verdict_facts(project, warehouse, "tiny", rows)
    sentences = statements(facts)
    assert sentences[0].startswith(f"Gate: {verdict}. ")
    # The check
    settings = project.corpora().open("tiny").config.gate
    found = unproven_margins(rows, settings)
    assert found == ([] if verdict == "passed" else sentences[1:3])
    shifted = grade_shift(rows, min_queries=settings.min_queries)
    assert [*limits_of_student(warehouse, "tiny"), *shifted] == facts.limits
    # The terminal
    done = relabel("report")
    assert done.returncode == 0, done.stderr
    at = [done.stdout.find(sentence) for sentence in sentences]
    assert -1 not in at and at == sorted(at)
    # JSON
    record = json.loads(relabel("report", "--format", "json").stdout)
    assert record["verdict"] == verdict
    assert [result["reason"] for result in record["gate"]] == [
        sentence.split(". ", 1)[1] for sentence in sentences[1:3]
    ]
    assert record["limits"] == facts.limits
    # The report
    assert f"**Gate: {verdict}. " in render_markdown(rows, facts)


def test_a_benchmark_that_measured_nothing_says_so_and_does_not_ask_who_graded(copy: Path) -> None:
    _, warehouse = runner.from_environment()
    with warehouse.get_connection() as con:
        con.execute("delete from benchmark_report")
    shown = relabel("report").stdout
    assert "tiny: the benchmark measured nothing." in shown
    assert "Gate: not measured." in shown
    assert "Who gave the reference grades" not in shown


def test_grades_of_nobody_stated_are_asked_about(copy: Path) -> None:
    _, warehouse = runner.from_environment()
    with warehouse.get_connection() as con:
        con.execute("update benchmark_report set reference_kind = 'not stated'")
    shown = relabel("report").stdout
    assert "tiny: against reference labels, 4 queries" in shown
    assert "state reference.kind in corpus.yaml, human or adjudicated." in shown
