"""`calibrate: people` in a whole run: a second student, its rows of the benchmark, and what it needs."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.benchmark.labelers import PEOPLE, PEOPLE_DIFFERENCE
from relabel_assets.graph.checks.checks import calibration_note
from relabel_assets.running import runner
from relabel_assets.student import Labeler
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import make
from relabel_assets_tests.running.homes import use_copy

pytestmark = pytest.mark.slow


def run(home: Path, *tables: str, kind: str) -> Warehouse:
    """Make `tables` again with `calibrate: people` and reference labels of `kind`."""
    (home / "data" / "tiny" / "corpus.yaml").write_text(
        f"student: {{epochs: 1, calibrate: people}}\nreference: {{kind: {kind}}}\n"
    )
    outcome = make("reference_labels", *tables)
    assert outcome is not None and outcome.is_success, outcome.failures
    return runner.from_environment()[1]


def measured(warehouse: Warehouse) -> pl.DataFrame:
    """The rows over all queries that are not people's."""
    rows = warehouse.read("benchmark_report", "tiny").filter(pl.col("slice") == "all")
    of_people = pl.col("labeler").cast(pl.String).is_in([PEOPLE, PEOPLE_DIFFERENCE])
    return rows.filter(~of_people).select("labeler", "metric", "value").sort("labeler", "metric")


def test_people_calibrate_a_second_student_and_the_benchmark_measures_both(
    finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home = use_copy(monkeypatch, finished_home.parent, tmp_path)
    before = measured(runner.from_environment()[1])

    warehouse = run(home, "student_model", "student_labels", "benchmark_report", kind="human")
    students = warehouse.read("student_model", "tiny").sort("is_current")
    assert students["is_current"].to_list() == [False, True]
    assert students["calibrated_to"].to_list() == ["teacher", "people"]
    assert students.row(1, named=True)["n_people_queries"] == 4
    assert students.row(1, named=True)["n_people_pairs"] == 32
    trained, calibrated = (Labeler.load(home / "home" / path) for path in students["path"])
    assert trained.people is None and calibrated.people is not None
    assert calibrated.people.cut_points == students["cut_points"][1].to_list()
    assert calibrated.points == trained.points == students["cut_points"][0].to_list()

    # The labels are people's, and the benchmark's `student` is still the teacher's: as before.
    labels = warehouse.read("student_labels", "tiny")
    assert labels["model_id"].unique().to_list() == [students["model_id"][1]]
    assert measured(warehouse)["labeler"].to_list() == before["labeler"].to_list()
    assert measured(warehouse)["value"].to_list() == pytest.approx(before["value"].to_list())
    rows = warehouse.read("benchmark_report", "tiny")
    of_people = rows.filter(pl.col("labeler").cast(pl.String).is_in([PEOPLE, PEOPLE_DIFFERENCE]))
    assert of_people["slice"].unique().to_list() == ["all"]
    assert of_people["n_queries"].to_list() == [4] * of_people.height
    page = (home / "home" / "reports" / "tiny.html").read_text("utf-8")
    assert "Kappa of queries that the calibration had not seen" in page
    assert "32 pairs of 4 queries, of which none was in training" in calibration_note(
        warehouse, "tiny"
    )

    # An adjudicated reference is nobody's grades. The trained student grades, and says why.
    warehouse = run(home, "student_model", kind="adjudicated")
    current = warehouse.read("student_model", "tiny").filter("is_current").row(0, named=True)
    assert (current["model_id"], current["calibrated_to"]) == (students["model_id"][0], "teacher")
    assert "not to people's: these are of 0 queries" in calibration_note(warehouse, "tiny")
