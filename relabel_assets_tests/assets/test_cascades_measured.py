"""`benchmark_report` of a real run has the cascades, asks nobody, and says where there are none."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.benchmark.costs import usd_text
from relabel_assets.benchmark.labelers import CASCADES, LABELERS, PEOPLE_LABELERS, POOL_PEOPLE
from relabel_assets.cli.printing.output_verdict import verdict_facts
from relabel_assets.running import runner
from relabel_assets.student.hardening.probes import PROBES
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import N_PAIRS, ask_live, make, relabel
from relabel_assets_tests.faults.teacher_server import TeacherServer

pytestmark = pytest.mark.slow

PRICE = {"price_usd_per_million_tokens": {"input": 1.0, "output": 1.0}}


def sentences() -> list[str]:
    """What the verdict says about cascades."""
    project, warehouse = runner.from_environment()
    rows = warehouse.read("benchmark_report", "tiny")
    return [*verdict_facts(project, warehouse, "tiny", rows).frontier]


def card(labeler: str) -> dict[str, int]:
    """The documents of each probe that `labeler` graded."""
    _, warehouse = runner.from_environment()
    rows = warehouse.read("benchmark_report", "tiny").filter(
        pl.col("metric") == "false_high", pl.col("labeler") == labeler
    )
    return dict(rows.select("slice", "n_pairs").iter_rows())


def test_cascades_are_measured_with_paid_grades_and_nothing_is_asked(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with TeacherServer().running() as server:
        ask_live(home, base_url=server.base_url, **PRICE)
        make(*TABLES.keys() - {"benchmark_report"})
        n_requests = server.requests.total()
        assert n_requests == N_PAIRS
        outcome = make("benchmark_report")
        assert outcome is not None and outcome.is_success, outcome.failures
        assert server.requests.total() == n_requests
    project, warehouse = runner.from_environment()
    rows = warehouse.read("benchmark_report", "tiny")
    assert set(rows.filter(pl.col("slice") == "all")["labeler"]) == {*LABELERS} - {
        *PEOPLE_LABELERS,
        POOL_PEOPLE,
    }
    others = set(rows.filter(pl.col("slice") != "all")["labeler"])
    assert others == {"teacher", "student", "base", "bm25", "student-teacher"}
    page = (project.home.reports / "tiny.html").read_text("utf-8")
    cost = warehouse.read("teacher_labels", "tiny")["cost_usd"]
    of_teacher = 1000 * float(cost.to_numpy().mean())
    assert f'<th scope="row">teacher</th><td>{usd_text(of_teacher)}</td>' in page
    for labeler in CASCADES:  # what the machine costs is not stated
        assert f'<th scope="row">{labeler}</th><td>not known</td>' in page
    (sentence,) = sentences()
    assert sentence in page.replace("&#39;", "'") and sentence in relabel("report").stdout
    slices = {f"probe={name}" for name in PROBES}
    assert (card("student"), card("teacher")) == (dict.fromkeys(slices, 4), {})
    with TeacherServer().running() as server:
        ask_live(home, base_url=server.base_url, probes=20, **PRICE)
        plan = " ".join(relabel("plan", "-c", "tiny").stdout.split())
        outcome = make("benchmark_report")
        assert outcome is not None and outcome.is_success, outcome.failures
        # Fewer than probes: a document without anything to hide or to cut is asked about once.
        n_requests = server.requests.total()
        assert 10 < n_requests <= 20
        assert f"asked about 20 probes with {n_requests} requests, about $" in plan
    assert card("teacher") == dict.fromkeys(slices, 2)


def test_a_student_of_another_architecture_has_no_cascade_and_the_report_says_why(
    home: Path,
) -> None:
    (home / "data" / "tiny" / "corpus.yaml").write_text(
        "student: {architecture: cross_encoder, max_length: 32, epochs: 1, hardening: false}\n"
        "reference: {kind: adjudicated}\n"
    )
    outcome = make(*TABLES)
    assert outcome is not None and outcome.is_success, outcome.failures
    project, warehouse = runner.from_environment()
    labelers = set(warehouse.read("benchmark_report", "tiny")["labeler"])
    assert labelers == {"teacher", "student", "base", "bm25", "student-teacher"}
    (sentence,) = sentences()
    assert sentence.startswith("Cascade: none. A cross_encoder student grades each pair alone")
    assert sentence in (project.home.reports / "tiny.html").read_text("utf-8")
    assert sentence in relabel("report").stdout
