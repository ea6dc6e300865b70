"""Candidates of a corpus in scripts without spaces, with dense ones and those of a run."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.running import runner
from relabel_assets_tests.builders import jsonl
from relabel_assets_tests.candidates.unspaced_corpus import documents, queries

pytestmark = pytest.mark.slow

TABLES = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates"]
CHECK = "bm25_candidates: queries_find_documents"


def write(folder: Path, texts: pl.Series) -> None:
    folder.mkdir(parents=True)
    (folder / "corpus.yaml").write_text(
        "teacher: {kind: recorded}\ncandidates: {bm25_top_k: 3, dense_top_k: 2, runs: 1}\n"
    )
    rows = documents().select("doc_id", "title", "body").to_dicts()
    (folder / "documents.jsonl").write_text(jsonl(rows))
    asked = queries().with_columns(text=texts).to_dicts()
    (folder / "queries.jsonl").write_text(jsonl(asked))
    (folder / "teacher_labels.jsonl").write_text(
        json.dumps({"query_id": "q00", "doc_id": "zh00", "grade": 3}) + "\n"
    )
    (folder / "runs").mkdir()
    (folder / "runs" / "own.run").write_text("q00 Q0 th29 1 2.0 own\nq00 Q0 th28 2 1.0 own\n")


def test_queries_find_documents_by_words_vectors_and_runs_or_it_is_said(
    home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    texts = queries()["text"]
    write(home / "data" / "found", texts)
    write(home / "data" / "lost", pl.Series([f"xyzzy{n}" for n in range(texts.len())]))
    project, warehouse = runner.from_environment()
    for name, is_found in (("found", True), ("lost", False)):
        caplog.clear()
        outcome = runner.run_corpus(project, name, TABLES)
        assert outcome.is_success, outcome.failures
        assert (CHECK in outcome.findings) is not is_found
        assert ("BM25 finds no document for 30 of 30 queries" in caplog.text) is not is_found
    pairs = warehouse.read("bm25_candidates", "found")
    assert {"bm25", "dense", "run"} <= set(pairs["source"])
    of_run = pairs.filter((pl.col("query_id") == "q00") & (pl.col("doc_id") == "th29"))
    assert of_run["source"].item() == "run"
    assert (
        pairs.group_by("query_id").agg(pl.col("dense_rank").max())["dense_rank"].to_list()
        == [2] * 30
    )
