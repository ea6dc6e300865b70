"""The declarations of tables: descriptions, references, and validation of frames."""

import polars as pl
import pytest

from relabel_assets.errors import ContractError
from relabel_assets.tables.schemas import SeedDocs
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import KEPT_BY_WAREHOUSE, TABLES, upstream
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS, DOCUMENT_METADATA

EVERY_TABLE = [*TABLES.values(), *KEPT_BY_WAREHOUSE]


@pytest.mark.parametrize("table", EVERY_TABLE, ids=lambda table: table.name)
def test_every_table_and_column_has_a_description_of_one_line(table: Table) -> None:
    columns = table.schema.columns()
    assert next(iter(columns)) == "corpus"
    for text in (
        table.description,
        table.grain,
        *(column.description for column in columns.values()),
    ):
        assert text and "\n" not in text


def test_a_documents_columns_are_those_of_seed_docs_in_order() -> None:
    names = ("corpus", "doc_id", *DOCUMENT_COLUMNS, "content_hash")
    assert tuple(SeedDocs.column_names())[: len(names)] == names
    assert DOCUMENT_COLUMNS == ("title", "body", "author", "path", "updated_at", "doc_type")
    assert DOCUMENT_COLUMNS[2:] == DOCUMENT_METADATA


def test_tables_come_after_the_tables_they_read() -> None:
    names = list(TABLES)
    for table in TABLES.values():
        assert all(names.index(parent) < names.index(table.name) for parent in table.reads)


@pytest.mark.parametrize("table", TABLES.values(), ids=lambda table: table.name)
def test_references_and_sources_name_columns_that_exist(table: Table) -> None:
    for reference in table.references:
        assert set(reference.columns) <= set(table.schema.column_names())
        assert set(reference.parent_columns) <= set(TABLES[reference.parent].schema.column_names())
    for column, sources in table.column_sources.items():
        assert column in table.schema.column_names()
        for source in sources:
            parent, parent_column = source.split(".")
            assert parent in table.reads
            assert parent_column in TABLES[parent].schema.column_names()


def test_upstream_has_all_direct_and_indirect_inputs() -> None:
    assert list(upstream({"reference_labels"})) == [
        "seed_docs",
        "synthetic_queries",
        "reference_labels",
    ]
    assert list(upstream({"benchmark_report", "system_rankings"})) == list(TABLES)
    assert list(upstream(set())) == []


def test_times_and_durations_do_not_count_as_a_change() -> None:
    stable = TABLES["teacher_labels"].stable_columns
    assert {"latency_s", "labeled_at", "n_asked_together"}.isdisjoint(stable)
    assert {"grade", "cost_usd", "status"} <= set(stable)


def candidate(**changes: object) -> pl.DataFrame:
    row = {
        "corpus": "c",
        "query_id": "q",
        "doc_id": "d",
        "rank": 1,
        "bm25_score": 1.0,
        "source": "bm25",
        "dense_rank": None,
        "dense_score": None,
    }
    return pl.DataFrame({name: [value] for name, value in (row | changes).items()})


def test_a_validated_frame_has_the_tables_columns_and_types() -> None:
    table = TABLES["bm25_candidates"]
    frame = table.validate(candidate().select(sorted(candidate().columns)))
    assert frame.columns == table.schema.column_names()
    assert frame.schema["rank"] == pl.Int32


@pytest.mark.parametrize(
    ("frame", "message"),
    [
        (candidate().drop("rank"), "missing ['rank']"),
        (candidate().with_columns(score=1.0), "unknown ['score']"),
        (candidate(corpus="HR Docs"), "corpus"),
        (candidate(query_id=""), "query_id"),
        (candidate(bm25_score=-1.0), "bm25_score"),
        (candidate(rank=0), "rank"),
        (candidate(source="guess"), "source"),
        (pl.concat([candidate(), candidate()]), "primary_key"),
    ],
)
def test_a_frame_that_breaks_the_declaration_is_refused(frame: pl.DataFrame, message: str) -> None:
    with pytest.raises(ContractError) as refused:
        TABLES["bm25_candidates"].validate(frame)
    assert "table bm25_candidates" in str(refused.value)
    assert message in str(refused.value)


@pytest.mark.parametrize(
    ("status", "grade", "is_allowed"),
    [("ok", 2, True), ("ok", None, False), ("failed", None, True), ("failed", 2, False)],
)
def test_a_teachers_label_has_a_grade_if_and_only_if_its_status_is_ok(
    status: str, grade: int | None, is_allowed: bool
) -> None:
    table = TABLES["teacher_labels"]
    key = {"corpus": "c", "query_id": "q", "doc_id": "d"}
    row = dict.fromkeys(table.schema.column_names()) | key
    row |= {"status": status, "grade": grade, "attempts": 1}
    frame = pl.DataFrame({name: [value] for name, value in row.items()})
    if is_allowed:
        assert table.validate(frame).height == 1
    else:
        with pytest.raises(ContractError, match="grade_only_when_ok"):
            table.validate(frame)
