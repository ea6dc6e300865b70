"""`relabel evaluate`: its table, its files, holes that are filled, errors; and the table system_rankings."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.runs.system_files import systems_in
from relabel_assets.labeling.systems.evaluation import evaluate_systems
from relabel_assets.labeling.systems.fill import filled_holes
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel, write_runs


@pytest.fixture(autouse=True)
def tiny(finished_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(finished_home))
    monkeypatch.setenv("RELABEL_DATA", str(finished_home.parent / "data"))


@pytest.fixture
def runs(tmp_path: Path) -> Path:
    return write_runs(tmp_path / "runs")


def evaluated(*arguments: str) -> dict[str, object]:
    done = relabel("evaluate", *arguments, "-c", "tiny", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_systems_are_ranked_by_every_labeler_and_bad_lines_are_named(runs: Path) -> None:
    (runs / "odd.txt").write_text("q00 Q0 d0 1 nan t\nq00 Q0 zz 1 3 t\nnone Q0 d1 1 2 t\n")
    record = evaluated(str(runs))
    assert record["corpus"] == "tiny"
    best = {row["labeler"]: row["system"] for row in record["systems"] if row["rank"] == 1}
    assert best == dict.fromkeys(("final", "student", "teacher", "reference"), "good")
    assert [problem["message"] for problem in record["problems"]] == [
        "the score 'nan' is no number",
        "1 unknown query, not in the corpus: none",
        "1 unknown document, not in the corpus: zz",
    ]
    assert [problem["file"] for problem in record["problems"]] == ["odd.txt", "runs", "runs"]


def test_the_table_reads_at_80_columns(runs: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    done = relabel("evaluate", str(runs), "-c", "tiny", "--labeler", "student", "--related", "weak")
    assert done.returncode == 0, done.stderr
    assert "tiny: nDCG@10 of 2 systems by the student's grades (expected), 16 quer" in done.stdout
    assert "weak *" in done.stdout and "declared with --related" in done.stdout
    table = done.stdout.split("Told apart:")[0]
    assert max(map(len, table.splitlines())) <= 80


def test_any_measure_is_computed_and_all_rows_go_to_a_file(runs: Path, tmp_path: Path) -> None:
    out = tmp_path / "rankings.csv"
    measures = ("-m", "nDCG@10", "-m", "P(rel=2)@1")
    done = relabel("evaluate", str(runs), "-c", "tiny", *measures, "--out", str(out))
    assert done.returncode == 0, done.stderr
    rows = pl.read_csv(out)
    assert set(rows["measure"]) == {"nDCG@10", "P(rel=2)@1"}
    precision = rows.filter(measure="P(rel=2)@1", labeler="teacher", system="good")
    assert precision.select("value", "gain", "n_queries").row(0) == (1.0, "grade", 16)
    again = relabel("evaluate", str(runs), "-c", "tiny", "--out", str(out))
    assert again.returncode == 4 and "already exists" in again.stderr


def test_holes_are_graded_by_the_student_and_counted_and_people_and_teacher_have_none(
    runs: Path, finished_home: Path
) -> None:
    """As if one pair had never been graded: the student grades it as it did in student_labels."""
    warehouse, pair = (
        Warehouse.at(finished_home / "warehouse.duckdb"),
        {"query_id": "q00", "doc_id": "d0"},
    )
    is_hole = (pl.col("query_id") == "q00") & (pl.col("doc_id") == "d0")

    def read(table: str) -> pl.DataFrame:
        rows = warehouse.read(table, "tiny")
        return rows.filter(~is_hole) if table.endswith("_labels") else rows

    systems = systems_in(runs)
    filled = filled_holes(systems, read, None, finished_home)
    before = warehouse.read("student_labels", "tiny").filter(is_hole)
    assert filled.select("query_id", "doc_id", "grade").to_dicts() == [
        pair | {"grade": before["grade"][0]}
    ]
    rows = evaluate_systems(systems, read, n_grades=4, filled=filled).rankings.rows
    holes = {
        row["labeler"]: (row["n_unjudged"], row["n_filled"])
        for row in rows.filter(system="good").iter_rows(named=True)
    }
    assert holes == {"final": (0, 1), "student": (0, 1), "teacher": (1, 0), "reference": (0, 0)}
    assert evaluated(str(runs), "--fill")["systems"][0]["n_filled"] == 0  # tiny has no hole


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (("nowhere",), 3, "nowhere is no folder of run files"),
        (("{runs}", "-m", "ndgc@10"), 4, "'ndgc@10' is no measure of ir_measures"),
        (("{runs}", "--fill", "-m", "ndgc"), 4, "'ndgc' is no measure of ir_measures"),
        (
            ("{runs}", "--related", "god"),
            4,
            "--related god: there is no such run. Systems: good, weak",
        ),
        (("{runs}", "--out", "x.txt"), 4, "its ending is unknown"),
    ],
)
def test_an_error_names_the_culprit_and_what_is_allowed(
    arguments: tuple[str, ...], code: int, message: str, runs: Path
) -> None:
    done = relabel("evaluate", "-c", "tiny", *(each.format(runs=runs) for each in arguments))
    assert done.returncode == code and message in done.stderr, done.stderr


def test_a_run_of_the_graph_ranks_the_runs_of_the_corpus_folder(finished_home: Path) -> None:
    done = relabel(
        "sql", "select system, final, student, reference from system_ranks", "-f", "json"
    )
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    assert rows == [
        {"system": "good", "final": 1, "student": 1, "reference": 1},
        {"system": "weak", "final": 2, "student": 2, "reference": 2},
    ]
    of_folder = evaluated()["systems"]
    stored = relabel(
        "sql", "select value from system_rankings order by labeler, rank", "-f", "json"
    )
    values = [json.loads(line)["value"] for line in stored.stdout.splitlines()]
    ordered = sorted(of_folder, key=lambda row: (row["labeler"], row["rank"]))
    assert values == pytest.approx([row["value"] for row in ordered])
