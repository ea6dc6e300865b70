"""One chunk of pairs: the source of its texts, and its rows without a grade."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.labeling import pairs_file
from relabel_assets.labeling.chunk import with_texts, write_part
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
from relabel_assets_tests.labeling.graders import CountingGrader

NO_QUERY, NO_DOCUMENT = (
    f"the {name} is not known or has no text" for name in ("query", "document")
)


def texts(column: str, ids: pl.Series) -> pl.DataFrame:
    """A corpus of query q1 and document d1."""
    document = dict.fromkeys(DOCUMENT_COLUMNS) | {"title": "Known", "body": "Known rules."}
    rows = {
        "query_id": {"query_id": "q1", "text": "known query"},
        "doc_id": {"doc_id": "d1", **document},
    }
    return pl.DataFrame([rows[column]]).filter(pl.col(column).is_in(ids.implode()))


def chunk(*rows: dict[str, str]) -> pl.DataFrame:
    return pl.DataFrame(rows, schema=dict.fromkeys(pairs_file.COLUMNS, pl.String))


def test_a_row_without_texts_gets_the_texts_of_its_ids() -> None:
    (row,) = with_texts(chunk({"query_id": "q1", "doc_id": "d1"}), texts).to_dicts()
    assert (row["text"], row["title"], row["body"]) == ("known query", "Known", "Known rules.")
    assert row["status_reason"] is None


def test_a_rows_own_texts_override_the_texts_of_its_ids() -> None:
    row = {"query_id": "q1", "query": "own query", "doc_id": "d1", "body": "Own rules."}
    (with_own,) = with_texts(chunk(row), texts).to_dicts()
    assert (with_own["text"], with_own["title"], with_own["body"]) == (
        "own query",
        None,
        "Own rules.",
    )


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ({"query_id": "unknown", "doc_id": "d1"}, NO_QUERY),
        ({"query": " \n", "doc_id": "d1"}, NO_QUERY),
        ({"query_id": "q1", "doc_id": "unknown"}, NO_DOCUMENT),
        ({"query_id": "q1", "title": " ", "body": ""}, NO_DOCUMENT),
        ({"doc_id": "unknown"}, NO_QUERY),
    ],
)
def test_a_row_without_text_has_a_reason(row: dict[str, str], reason: str) -> None:
    assert with_texts(chunk(row), texts)["status_reason"].to_list() == [reason]


def test_a_title_alone_is_a_document() -> None:
    row = {"query": "leave", "title": "Leave"}
    assert with_texts(chunk(row), texts)["status_reason"].to_list() == [None]


def test_rows_without_a_grade_keep_their_position(tmp_path: Path) -> None:
    rows = with_texts(
        chunk(
            {"query_id": "q1", "doc_id": "d1"},
            {"query_id": "q1", "doc_id": "unknown"},
            {"query_id": "q1", "doc_id": "d1"},
        ),
        texts,
    )
    rows = rows.with_columns(row=pl.int_range(3), model_id=pl.lit("m"), model_hash=pl.lit("h"))
    grader = CountingGrader()
    write_part(tmp_path / "0.parquet", rows, grader)
    labels = pl.read_parquet(tmp_path / "0.parquet")
    assert grader.calls == [2]
    assert labels["status"].to_list() == ["ok", "set_aside", "ok"]
    assert labels["grade"].to_list() == [0, None, 0]
    assert [file.name for file in tmp_path.iterdir()] == ["0.parquet"]


def test_two_texts_with_one_id_are_two_documents_for_the_labeler(tmp_path: Path) -> None:
    rows = chunk(
        {"query": "leave", "doc_id": "same", "body": "One."},
        {"query": "leave", "doc_id": "same", "body": "Two."},
    )
    rows = with_texts(rows, texts).with_columns(
        row=pl.int_range(2), model_id=pl.lit("m"), model_hash=pl.lit("h")
    )

    class Recording(CountingGrader):
        def grade(self, pairs: pl.DataFrame, **kwargs: object) -> pl.DataFrame:
            assert pairs["doc_id"].n_unique() == 2
            assert pairs["query_id"].n_unique() == 1
            return super().grade(pairs, **kwargs)

    write_part(tmp_path / "0.parquet", rows, Recording())
    assert pl.read_parquet(tmp_path / "0.parquet")["doc_id"].to_list() == ["same", "same"]
