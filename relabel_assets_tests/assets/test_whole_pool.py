"""People's sample in a whole run: rows on the whole pool, the check, and a gate that blocks."""

import shutil
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.graph.project import Project
from relabel_assets.review.draws.draw import draw_sample
from relabel_assets.review.review import Review
from relabel_assets.review.samples import read_frame, read_samples
from relabel_assets.review.store import FOLDER, append_reviews
from relabel_assets.running import runner
from relabel_assets.running.review_pool import review_pool
from relabel_assets.warehouse.warehouse import Warehouse

pytestmark = pytest.mark.slow
TABLES = ["reference_labels", "bm25_candidates", "review_samples", "benchmark_report"]


@pytest.fixture
def opened(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Project, Warehouse]:
    """A finished home of its own."""
    shutil.copytree(finished_home.parent, tmp_path, dirs_exist_ok=True)
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELABEL_DATA", str(tmp_path / "data"))
    return runner.from_environment()


def test_a_graded_sample_is_measured_on_the_whole_pool(opened: tuple[Project, Warehouse]) -> None:
    project, warehouse = opened
    folder = project.corpora().open("tiny").path / FOLDER
    pool = review_pool(warehouse, "tiny", read_frame(folder), ["benchmark"])
    draw_sample(folder, pool, n=24)
    sample, now = read_samples(folder), datetime(2026, 5, 4, tzinfo=UTC)
    pairs = sample.select("query_id", "doc_id").iter_rows()
    reviews = [
        Review("grade", *pair, "ana", now, grade=place % 4) for place, pair in enumerate(pairs)
    ]
    append_reviews(folder, "ana", reviews)
    outcome = runner.run_corpus(project, "tiny", TABLES)
    assert outcome.is_success, outcome.failures
    rows = warehouse.read("benchmark_report", "tiny").filter(pl.col("slice") == "pool")
    assert set(rows["n_pairs"]) == {sample.height}
    assert set(rows["reference_kind"]) == {"human"}
    mean = rows.filter(pl.col("labeler") == "people").row(0, named=True)
    assert mean["ci_low"] < mean["value"] < mean["ci_high"]
    (finding,) = (text for name, text in outcome.findings.items() if "replace_teacher" in name)
    assert "grades of people on 4 queries" in finding and "at least 30 queries" in finding


def test_a_failed_gate_that_blocks_keeps_final_labels(opened: tuple[Project, Warehouse]) -> None:
    project, warehouse = opened
    before = warehouse.read("final_labels", "tiny")
    # The recorded teacher gave each pair its reference grade, by which a gate cannot tell.
    report = warehouse.read("benchmark_report", "tiny").filter(pl.col("metric") != "kappa")
    is_difference = (pl.col("labeler") == DIFFERENCE) & (pl.col("slice") == "all")
    worse = {"value": -0.4, "ci_low": -0.5, "ci_high": -0.3}
    failed = report.with_columns(
        pl.when(is_difference).then(pl.lit(number)).otherwise(name).alias(name)
        for name, number in worse.items()
    )
    warehouse.replace("benchmark_report", "tiny", failed, input_hash="0" * 64)
    settings = project.corpora().open("tiny").path / "corpus.yaml"
    text = settings.read_text(encoding="utf-8") if settings.exists() else ""
    gate = "\ngate: {blocking: true, min_queries: 2, min_pairs: 2}\n"
    settings.write_text(text + gate, encoding="utf-8")
    outcome = runner.run_corpus(project, "tiny", ["final_labels"], is_forced=True)
    assert "the student failed its gate" in outcome.failures["final_labels"]
    assert warehouse.read("final_labels", "tiny").equals(before)
    settings.write_text(text + gate.replace("true", "false"), encoding="utf-8")
    assert runner.run_corpus(project, "tiny", ["final_labels"], is_forced=True).is_success
