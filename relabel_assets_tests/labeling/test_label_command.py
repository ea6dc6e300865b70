"""`relabel label` with a real student: ids and texts, rows without a grade, messages."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import relabel


@pytest.fixture(autouse=True)
def tiny(finished_home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RELABEL_HOME", str(finished_home))
    monkeypatch.setenv("RELABEL_DATA", str(finished_home.parent / "data"))


@pytest.fixture
def expected(finished_home: Path) -> pl.DataFrame:
    return Warehouse.at(finished_home / "warehouse.duckdb").query(
        "select query_id, text as query, doc_id, title, body, author, grade, "
        "expected_grade, model_id "
        "from student_labels join synthetic_queries using (corpus, query_id) "
        "join seed_docs using (corpus, doc_id) order by hash(query_id || doc_id)"
    )


def label(pairs: Path, out: Path) -> pl.DataFrame:
    done = relabel("label", str(pairs), "-c", "tiny", "-o", str(out))
    assert done.returncode == 0, done.stderr
    assert not out.with_name(f"{out.name}.parts").exists()
    return {".parquet": pl.read_parquet, ".csv": pl.read_csv, ".jsonl": pl.read_ndjson}[out.suffix](
        out
    )


def assert_same(labels: pl.DataFrame, expected: pl.DataFrame) -> None:
    assert labels["row"].to_list() == list(range(expected.height))
    assert labels["grade"].to_list() == expected["grade"].to_list()
    assert labels["expected_grade"].to_list() == pytest.approx(
        expected["expected_grade"].to_list(), abs=1e-4
    )
    assert set(labels["model_id"]) == set(expected["model_id"])
    assert set(labels["status"]) == {"ok"}


def test_pairs_of_ids_have_the_grades_of_the_student_labels_table(
    expected: pl.DataFrame, tmp_path: Path
) -> None:
    expected.select("query_id", "doc_id").write_parquet(tmp_path / "pairs.parquet")
    labels = label(tmp_path / "pairs.parquet", tmp_path / "labels.parquet")
    assert_same(labels, expected)
    assert labels["grade_probs"].list.sum().to_list() == pytest.approx([1.0] * labels.height)
    assert labels["model_hash"].str.len_chars().unique().to_list() == [64]


def test_texts_have_the_grades_of_their_ids(expected: pl.DataFrame, tmp_path: Path) -> None:
    expected.select("query", "title", "body", "author").write_csv(tmp_path / "pairs.csv")
    assert_same(label(tmp_path / "pairs.csv", tmp_path / "labels.jsonl"), expected)
    expected.select("query", "title", "body", "author", doc_id=pl.lit("the same")).write_ndjson(
        tmp_path / "pairs.jsonl"
    )
    assert_same(label(tmp_path / "pairs.jsonl", tmp_path / "labels.csv"), expected)


def test_rows_without_a_grade_are_written_with_a_reason(
    expected: pl.DataFrame, tmp_path: Path
) -> None:
    rows = [
        *expected.select("query_id", "doc_id").head(2).to_dicts(),
        {"query_id": "q00", "doc_id": "nowhere"},
        {"query_id": None, "doc_id": "d0"},
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    done = relabel(
        "label", str(tmp_path / "pairs.jsonl"), "-c", "tiny", "-o", str(tmp_path / "labels.parquet")
    )
    assert "1 without a grade: the document is not known" in done.stderr
    labels = pl.read_parquet(tmp_path / "labels.parquet")
    assert labels["status"].to_list() == ["ok", "ok", "set_aside", "set_aside"]
    assert labels["grade"].is_null().to_list() == [False, False, True, True]


def test_an_unusable_pairs_file_is_refused_before_labeling(tmp_path: Path) -> None:
    (tmp_path / "pairs.csv").write_text("query_id,doc_id\nq00,d0\nq00,d0,d1\n")
    done = relabel(
        "label", str(tmp_path / "pairs.csv"), "-c", "tiny", "-o", str(tmp_path / "labels.parquet")
    )
    assert done.returncode == 4
    assert "pairs.csv:3: it has 3 fields" in done.stderr.replace("\n", " ")
    assert not list(tmp_path.glob("labels.parquet*"))


def test_an_unknown_engine_is_refused_and_the_known_ones_are_named(tmp_path: Path) -> None:
    done = relabel(
        "label", str(tmp_path / "pairs.csv"), "-c", "tiny", "-o", "labels.csv", "--engine", "spark"
    )
    assert done.returncode == 2
    # The message is in a box as wide as the terminal.
    assert "'local', 'ray'" in " ".join(done.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    "out", ["/proc/labels.parquet", "pairs.jsonl/labels.parquet", "labels.txt"]
)
def test_an_unwritable_labels_file_is_refused(out: str, tmp_path: Path) -> None:
    (tmp_path / "pairs.jsonl").write_text('{"query": "leave", "body": "rules"}\n')
    done = relabel("label", str(tmp_path / "pairs.jsonl"), "-c", "tiny", "-o", str(tmp_path / out))
    assert done.returncode == 4
    assert "--out" in done.stderr


def test_ids_and_texts_may_be_mixed_and_repeated_rows_are_kept(
    expected: pl.DataFrame, tmp_path: Path
) -> None:
    row = expected.row(0, named=True)
    document = {name: row[name] for name in ("title", "body", "author")}
    rows = [
        {"query": row["query"], "doc_id": row["doc_id"]},
        {"query_id": row["query_id"], **document},
        {"query_id": row["query_id"], "doc_id": row["doc_id"]},
        {"query": row["query"], "doc_id": "x", **document},
    ]
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(pair) + "\n" for pair in rows * 3))
    labels = label(tmp_path / "pairs.jsonl", tmp_path / "labels.parquet")
    assert labels["row"].to_list() == list(range(12))
    assert labels["grade"].to_list() == [row["grade"]] * 12
    assert labels["expected_grade"].to_list() == pytest.approx(
        [row["expected_grade"]] * 12, abs=1e-4
    )


def test_a_body_of_almost_four_megabytes_is_graded(tmp_path: Path) -> None:
    body = "All that there is to know about parental leave. " * 80_000
    (tmp_path / "pairs.csv").write_text(
        f'query,body\nparental leave,"{body}"\nparental leave,lunch\n'
    )
    labels = label(tmp_path / "pairs.csv", tmp_path / "labels.csv")
    assert labels["status"].to_list() == ["ok", "ok"]
    # One sentence 80,000 times is a stuffed document, whose grade is low.
    assert labels["grade"].null_count() == 0
