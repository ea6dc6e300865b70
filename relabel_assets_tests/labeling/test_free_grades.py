"""Grades that a cascade knows before it asks: answers that are paid already, and people's."""

import shutil
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.labeling import PAID_BEFORE
from relabel_assets.labeling.chunk import Texts
from relabel_assets.labeling.people_known import PeoplesGrades
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
from relabel_assets_tests.builders import KEY
from relabel_assets_tests.faults.teacher_server import TeacherServer
from relabel_assets_tests.labeling.asking_files import (
    N_ROWS,
    label,
    labels_of,
    live_teacher,
    write_pairs,
)

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    return write_pairs(tmp_path)


def corpus_texts(rows: pl.DataFrame) -> Texts:
    """The texts of the ids in `rows`: a corpus of these queries and documents."""

    def texts(column: str, ids: pl.Series) -> pl.DataFrame:
        of_query, of_document = ("text",), DOCUMENT_COLUMNS
        columns = of_query if column == "query_id" else of_document
        absent = [
            pl.lit(None, pl.String).alias(name) for name in columns if name not in rows.columns
        ]
        found = rows.filter(pl.col(column).is_in(ids.implode())).with_columns(absent)
        return found.select(column, *columns).unique(column)

    return texts


def test_answers_that_are_paid_already_are_known_for_free_and_change_no_choice(
    folder: Path,
) -> None:
    with TeacherServer().running() as server:
        label(folder, server)
        chosen = labels_of(folder).filter(pl.col("labeler") == "teacher")["row"].to_list()
        paid = [row for row in range(N_ROWS) if row % 30 < 10]
        rows = pl.read_parquet(folder / "pairs.parquet").with_row_index("row")
        texts = rows.select("body", query_id="query", doc_id="body", text="query").with_columns(
            pl.lit(None, pl.String).alias(name) for name in DOCUMENT_COLUMNS if name != "body"
        )
        shutil.rmtree(folder / "ledger")
        teacher = live_teacher(folder, server)
        teacher.grade(texts[paid])
        n_before = server.requests.total()
        (folder / "labels.parquet").unlink()
        label(folder, server, teacher=teacher)
    labels = labels_of(folder)
    asked = labels.filter(pl.col("teacher_status") == "ok")["row"].to_list()
    free = labels.filter(pl.col("teacher_status") == PAID_BEFORE)
    assert asked == chosen
    assert free["row"].to_list() == sorted(set(paid) - set(chosen))
    assert set(free["labeler"]) == {"teacher"} and free["request_key"].null_count() == 0
    assert server.requests.total() - n_before == len(set(chosen) - set(paid))
    assert set(labels.filter(pl.col("row") % 30 < 10)["n_known"]) == {10}
    assert set(labels.filter(pl.col("row") % 30 >= 10)["n_known"]) == {5}


def test_grades_of_people_are_known_from_the_start_and_nobody_pays_for_them(folder: Path) -> None:
    rows = pl.read_parquet(folder / "pairs.parquet").with_row_index("row")
    ids = {"query_id": pl.col("row") % 30, "doc_id": pl.col("row")}
    of_corpus = rows.with_columns(**{name: value.cast(pl.String) for name, value in ids.items()})
    of_corpus.drop("row").write_parquet(folder / "pairs.parquet")
    grades = of_corpus[:60].select("query_id", "doc_id", grade=pl.lit(3))
    people = PeoplesGrades(grades, corpus_texts(of_corpus.with_columns(text="query")))
    with TeacherServer().running() as server:
        label(folder, server, people=people)
        labels = labels_of(folder)
        assert server.requests.total() == 150
    of_people = labels.filter(pl.col("labeler") == "people")
    assert of_people["row"].to_list() == list(range(60)) and set(of_people["grade"]) == {3}
    assert of_people["teacher_status"].null_count() == 60
    assert set(labels["n_known"]) == {7}  # of each query: two of people, five of the teacher
