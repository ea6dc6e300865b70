"""The checks on what a student is worth."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.benchmark.labelers import DIFFERENCE
from relabel_assets.corpus.config.config import GateConfig
from relabel_assets.graph.checks import gate_checks
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Warehouse

HASH = "0" * 64
STUDENT: dict[str, Any] = {
    "model_id": "m1", "base_model": "embedded", "architecture": "late_interaction",
    "method": "lora", "path": "models/tiny/m1", "n_train_pairs": 50, "n_dev_pairs": 9,
    "training_set_hash": HASH, "cut_points": [0.5, 1.5, 2.5], "best_epoch": 1, "train_s": 1.0,
    "is_current": True, "calibrated_to": "teacher",
}  # fmt: skip


@pytest.mark.parametrize(
    ("ci_low", "ci_high", "verdict"),
    [(-0.01, 0.03, None), (-0.09, -0.06, "failed"), (-0.09, 0.01, "cannot tell")],
)
def test_unproven_margins_are_reported_with_their_verdict(
    ci_low: float, ci_high: float, verdict: str | None
) -> None:
    row = {
        "labeler": DIFFERENCE,
        "slice": "all",
        "value": (ci_low + ci_high) / 2,
        "ci_low": ci_low,
        "ci_high": ci_high,
        "n_queries": 50,
        "n_pairs": 500,
    }
    settings = GateConfig(ndcg_margin=0.05, pairwise_margin=0.05)
    report = pl.DataFrame([row | {"metric": metric} for metric in ("ndcg@10", "pairwise_half")])
    lines = gate_checks.unproven_margins(report, settings)
    if verdict is None:
        assert lines == []
    else:
        assert [f": {verdict}. " in line for line in lines] == [True, True]


def test_a_benchmark_that_measured_nothing_has_not_passed() -> None:
    names = ("labeler", "metric", "slice", "value", "ci_low", "ci_high", "n_queries", "n_pairs")
    nothing = pl.DataFrame(schema=dict.fromkeys(names, pl.String))
    lines = gate_checks.unproven_margins(nothing, GateConfig())
    assert [line.split(". ")[0] for line in lines] == [
        "ndcg@10: not measured",
        "pairwise_half: not measured",
    ]


@pytest.mark.parametrize(
    ("students", "words"),
    [
        ([STUDENT], []),
        ([], ["No student was trained."]),
        ([STUDENT | {"n_train_pairs": 49}], ["49 graded pairs"]),
        ([STUDENT | {"n_train_pairs": 49, "n_dev_pairs": 0}], ["49 graded pairs", "no dev pairs"]),
        # An earlier student that learned from little does not count.
        ([STUDENT, STUDENT | {"model_id": "m0", "is_current": False, "n_train_pairs": 1}], []),
    ],
)
def test_the_current_student_must_have_learned_from_enough(
    students: list[dict[str, Any]], words: list[str], tmp_path: Path
) -> None:
    warehouse = Warehouse.at(tmp_path / "warehouse.duckdb")
    names = [name for name in TABLES["student_model"].schema.column_names() if name != "corpus"]
    rows = [{name: student.get(name) for name in names} for student in students]
    schema = warehouse.read("student_model", "tiny").schema
    warehouse.replace("student_model", "tiny", pl.DataFrame(rows, schema=schema), input_hash=HASH)
    found = gate_checks.limits_of_student(warehouse, "tiny")
    assert len(found) == len(words)
    for line, part in zip(found, words, strict=True):
        assert part in line


def test_new_queries_are_compared_with_training_without_pairs_that_only_a_judge_made_candidates(
    tmp_path: Path,
) -> None:
    splits = {"q1": "train", "q2": "dev", "q3": "benchmark", "q4": "label"}
    rows = [
        {"query_id": query, "doc_id": doc_id, "split": split, "source": source}
        for query, split in splits.items()
        for doc_id, source in (("d1", "bm25"), ("d2", "judged"))
    ]

    class Tables:
        """The three tables, without those that they refer to."""

        def read(self, table: str, corpus: str, *, columns: list[str]) -> pl.DataFrame:
            assert corpus == "tiny"
            frame = pl.DataFrame(rows).with_columns(expected_grade=1.0)
            key = ["query_id"] if table == "synthetic_queries" else ["query_id", "doc_id"]
            return frame.unique(key, maintain_order=True).select(columns)

    new, training = gate_checks.new_and_training(Tables(), "tiny")  # type: ignore[arg-type]
    assert new.select("query_id", "doc_id").rows() == [("q3", "d1"), ("q4", "d1")]
    assert training.select("query_id", "doc_id").rows() == [("q1", "d1"), ("q2", "d1")]
