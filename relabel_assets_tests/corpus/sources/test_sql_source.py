"""Documents of a query: which rows, when it runs again, and what it may not reach."""

import json
import os
import time
from pathlib import Path

import duckdb
import polars as pl
import pytest

from relabel_assets.corpus.config.config_file import parse_corpus_config
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.folders import Corpora
from relabel_assets.errors import ConfigError, CorpusError
from relabel_assets.warehouse import source_query

_NOW = time.time_ns
PAGES = pl.DataFrame({"id": [2, 1, 3], "title": ["Two", "One", None], "text": ["b", "a", " "]})


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten seconds later: no file was written just now."""
    monkeypatch.setattr(time, "time_ns", lambda: _NOW() + 10_000_000_000)


@pytest.fixture
def n_queries(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The SQL of each query that ran."""
    ran: list[str] = []
    write_rows = source_query.write_rows

    def counted(sql: str, out: Path, **settings: object) -> str:
        ran.append(sql)
        return write_rows(sql, out, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(source_query, "write_rows", counted)
    return ran


def corpus(root: Path, sql: str, **settings: object) -> CorpusFolder:
    folder = root / "data" / "wiki"
    folder.mkdir(parents=True, exist_ok=True)
    PAGES.write_parquet(folder / "pages.parquet")
    documents = {"sql": sql, **settings}
    (folder / "corpus.yaml").write_text(json.dumps({"documents": documents}))
    return Corpora(root / "data", root / "cache").open("wiki")


def test_rows_of_a_file_in_the_corpus_folder_are_documents(tmp_path: Path) -> None:
    reading = corpus(tmp_path, "select id as doc_id, title, text from 'pages.parquet'").documents()
    rows = reading.frame.select("doc_id", "title", "body").rows()
    assert rows == [("1", "One", "a"), ("2", "Two", "b")]
    (problem,) = reading.problems
    assert (problem.file, problem.line) == ("documents.sql", 3)


def test_a_database_is_read_and_dates_are_iso(tmp_path: Path) -> None:
    with duckdb.connect(str(tmp_path / "wiki.duckdb")) as con:
        con.execute(
            "create table pages as select 'a' as doc_id, 'text' as body, date '2026-02-01' as d"
        )
    sql = "select doc_id, body, d as updated_at from pages"
    reading = corpus(tmp_path, sql, database="../../wiki.duckdb").documents()
    assert reading.frame["updated_at"].to_list() == ["2026-02-01"]


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("select nothing from 'pages.parquet'", "nothing"),
        ("select id as doc_id from 'pages.parquet'", "no column body"),
        ("drop table x", "not one query"),
        ("copy (select 1) to 'x.csv'", "not one query"),
        ("select 'a' as doc_id, content as body from read_text('/etc/hostname')", "disabled"),
        ("select 'a' as doc_id, content as body from read_text('../other/x')", "disabled"),
        ("select 'a' as doc_id, body from 'http://127.0.0.1:9/x.parquet'", "disabled"),
        ("select 'a' as doc_id, body from 'missing.parquet'", "No files found"),
    ],
)
def test_an_unusable_query_is_a_message_with_the_reason(
    tmp_path: Path, sql: str, message: str
) -> None:
    folder = corpus(tmp_path, sql)
    with pytest.raises(CorpusError, match=message):
        folder.documents()
    assert len(folder.fingerprint("documents")) == 64  # what reads no document goes on
    assert sorted(path.name for path in folder.path.iterdir()) == ["corpus.yaml", "pages.parquet"]


def test_a_link_out_of_the_folder_is_not_read(tmp_path: Path) -> None:
    folder = corpus(tmp_path, "select 'a' as doc_id, content as body from read_text('link.md')")
    (tmp_path / "secret.md").write_text("secret")
    (folder.path / "link.md").symlink_to(tmp_path / "secret.md")
    with pytest.raises(CorpusError, match="disabled"):
        folder.documents()


def test_another_folder_is_read_where_it_is_named(tmp_path: Path) -> None:
    (tmp_path / "lake").mkdir()
    (tmp_path / "lake" / "a.md").write_text("text")
    sql = f"select 'a' as doc_id, content as body from read_text('{tmp_path}/lake/*.md')"
    with pytest.raises(CorpusError, match="disabled"):
        corpus(tmp_path, sql).documents()
    assert corpus(tmp_path, sql, folders=["../../lake"]).documents().frame.height == 1


def test_the_fingerprint_is_that_of_the_rows(tmp_path: Path, n_queries: list[str]) -> None:
    sql = "select id as doc_id, title, text as body from 'pages.parquet'"
    folder = corpus(tmp_path, sql)
    before = folder.fingerprint("documents")
    assert folder.documents().frame.height == 2
    assert folder.fingerprint("documents") == before
    assert len(n_queries) == 1
    (folder.path / "queries.jsonl").write_text("{}")  # the query might read it
    assert folder.fingerprint("documents") == before
    assert len(n_queries) == 2
    PAGES.reverse().write_parquet(folder.path / "pages.parquet")
    assert folder.fingerprint("documents") == before
    PAGES.head(1).write_parquet(folder.path / "pages.parquet")
    assert folder.fingerprint("documents") != before
    assert folder.documents().frame.height == 1


def test_a_file_that_was_written_just_now_is_queried_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, n_queries: list[str]
) -> None:
    monkeypatch.setattr(time, "time_ns", _NOW)
    folder = corpus(tmp_path, "select id as doc_id, text as body from 'pages.parquet'")
    folder.fingerprint("documents")
    folder.fingerprint("documents")
    assert len(n_queries) == 2


def test_a_lost_file_of_rows_is_made_again(tmp_path: Path) -> None:
    folder = corpus(tmp_path, "select id as doc_id, text as body from 'pages.parquet'")
    before = folder.documents().frame
    os.truncate(tmp_path / "cache" / "wiki" / "sql-rows.parquet", 10)
    assert folder.documents().frame.equals(before)


def test_without_a_cache_the_query_runs_each_time(tmp_path: Path) -> None:
    made = corpus(tmp_path, "select id as doc_id, text as body from 'pages.parquet'")
    folder = CorpusFolder("wiki", made.path)
    assert folder.documents().frame.height == 2
    assert folder.fingerprint("documents") == made.fingerprint("documents")


def test_a_query_that_gives_nothing_for_long_is_ended(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_query, "QUERY_IDLE_S", 1)
    product = "range(10000000) x(i), range(10000000) y(i)"
    endless = f"select 'a' as doc_id, 'b' as body, sum(x.i * y.i) as n from {product}"
    with pytest.raises(CorpusError, match="no row"):
        corpus(tmp_path, endless).documents()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("documents: {sql: select 1, url: 's3://x'}", "two sources"),
        ("documents: {database: x.duckdb}", "are for documents.sql"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        parse_corpus_config(text, file="c/corpus.yaml")


def test_documents_in_the_folder_too_are_refused(tmp_path: Path) -> None:
    folder = corpus(tmp_path, "select 1")
    (folder.path / "documents").mkdir()
    with pytest.raises(CorpusError, match=r"documents and documents\.sql"):
        folder.documents()
