"""Corpora that are too small to measure or to learn from: the run ends, and says what it cannot say."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from relabel_assets.running import runner
from relabel_assets.tables.tables import TABLES
from relabel_assets_tests.builders import jsonl, write_corpus

pytestmark = pytest.mark.slow

GATE, LEARNED = (
    "benchmark_report: student_is_as_good_as_teacher",
    "student_model: student_learned_from_enough",
)


def no_reference_labels(folder: Path) -> None:
    (folder / "reference_labels.qrels").unlink()


def two_queries_with_a_pair_each(folder: Path) -> None:
    """One query to learn from and one to measure on, each graded on its own document alone."""
    queries = {"q00", "q12"}
    for name in ("queries.jsonl", "teacher_labels.jsonl"):
        rows = [json.loads(line) for line in (folder / name).read_text().splitlines()]
        kept = [row for row in rows if row["query_id"] in queries and row.get("grade", 3) == 3]
        (folder / name).write_text(jsonl(kept))
    (folder / "reference_labels.qrels").write_text("q12 0 d6 3\n")


def one_grade(folder: Path) -> None:
    labels, qrels = folder / "teacher_labels.jsonl", folder / "reference_labels.qrels"
    rows = [json.loads(line) for line in labels.read_text().splitlines()]
    labels.write_text(jsonl([row | {"grade": 2} for row in rows]))
    pairs = [line.rsplit(" ", 1)[0] for line in qrels.read_text().splitlines()]
    qrels.write_text("".join(f"{pair} 2\n" for pair in pairs))


@pytest.mark.parametrize(
    ("shrink", "reason", "limits"),
    [
        (no_reference_labels, "No reference label has a grade by every labeler.", []),
        (
            two_queries_with_a_pair_each,
            "No query has documents of different reference grades.",
            ["learned from 1 graded pair,", "has no dev pairs"],
        ),
        (
            one_grade,
            "No query has documents of different reference grades.",
            ["never gives"],
        ),
    ],
)
def test_a_corpus_that_is_too_small_ends_with_a_statement(
    shrink: Callable[[Path], None], reason: str, limits: list[str], home: Path
) -> None:
    shrink(write_corpus(home / "data" / "small"))
    project, _ = runner.from_environment()
    outcome = runner.run_corpus(project, "small", list(TABLES))
    assert outcome.is_success, outcome.failures
    for metric in ("ndcg@10", "pairwise_half"):
        assert f"{metric}: not measured. {reason}" in outcome.findings[GATE]
    assert all(limit in outcome.findings[LEARNED] for limit in limits)
    page = (project.home.reports / "small.html").read_text(encoding="utf-8")
    assert "Gate: not measured." in page and reason in page
    assert all(limit in page for limit in limits)
