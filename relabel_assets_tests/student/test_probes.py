"""Probes: each is what its name says, and irrelevant by construction."""

import random

import polars as pl
import pytest

from relabel_assets.benchmark.probes.false_high import CONTROLS
from relabel_assets.student.hardening.probes import PROBES, probe_pairs
from relabel_assets.student.hardening.stuffed_documents import KINDS
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

BODY = "Ask the porter for a badge. " * 100


def frames(n: int = 30) -> tuple[pl.DataFrame, pl.DataFrame, pl.DataFrame]:
    """Query n: document n has grade 3, the next one grade 0, the one after a 0 and a 2."""
    queries = pl.DataFrame(
        {
            "query_id": [f"q{i}" for i in range(n)],
            "text": [f"vacation{i} rules{i}" for i in range(n)],
        }
    )
    documents = pl.DataFrame(
        {"doc_id": [f"d{i}" for i in range(n)]}
        | {name: [f"{name} of d{i}." for i in range(n)] for name in DOCUMENT_COLUMNS}
        | {"body": [f"Body of d{i}. {BODY}" for i in range(n)]}
    )
    of_query = [(0, 3), (1, 0), (2, 0), (2, 2)]
    grades = [(f"q{i}", f"d{(i + step) % n}", grade) for i in range(n) for step, grade in of_query]
    return queries, documents, pl.DataFrame(grades, ["query_id", "doc_id", "grade"], orient="row")


@pytest.fixture(scope="module")
def probes() -> pl.DataFrame:
    return probe_pairs(*frames())


def of(probes: pl.DataFrame, name: str) -> list[dict[str, str]]:
    return probes.filter(pl.col("probe") == name).to_dicts()


def whole(row: dict[str, str]) -> str:
    return " ".join(str(row[name]) for name in DOCUMENT_COLUMNS)


def test_each_query_has_one_document_of_each_probe_with_ids_of_its_own(
    probes: pl.DataFrame,
) -> None:
    assert probes.height == 30 * len(PROBES) == probes["doc_id"].n_unique()
    assert set(PROBES) == {*CONTROLS, *CONTROLS.values()}
    assert probes["probe"].to_list()[: len(PROBES)] == [*PROBES]


def test_documents_are_made_of_one_that_everybody_graded_0(probes: pl.DataFrame) -> None:
    for row in of(probes, "honest"):
        number = int(row["query_id"][1:])
        assert row["body"].startswith(f"Body of d{(number + 1) % 30}.")
        assert row["title"] == f"title of d{(number + 1) % 30}."


def test_without_a_grade_of_0_a_document_that_is_no_candidate_is_taken() -> None:
    queries, documents, _ = frames(3)
    grades = pl.DataFrame(
        {"query_id": ["q0", "q0", "q1"], "doc_id": ["d0", "d1", "d2"], "grade": [3, None, 1]}
    )
    made = {
        row["query_id"]: row["body"][:11]
        for row in of(probe_pairs(queries, documents, grades), "honest")
    }
    assert made["q0"] == "Body of d2."
    assert made["q1"] in ("Body of d0.", "Body of d1.")
    every = pl.DataFrame(
        {"query_id": ["q0"] * 3, "doc_id": ["d0", "d1", "d2"], "grade": [1, 2, None]}
    )
    assert probe_pairs(queries.head(1), documents, every).is_empty()


def test_only_probes_that_should_carry_the_query_do(probes: pl.DataFrame) -> None:
    for name in ("query alone", "instructions to the grader", "boilerplate"):
        assert all(row["text"] in whole(row) for row in of(probes, name)), name
    for row in of(probes, "stuffed with the query"):
        words = row["text"].split()
        assert all(word in whole(row).lower() for word in words)
    assert all(
        row["text"][1:] in row["title"] and "Body of" not in row["body"]
        for row in of(probes, "another entity")
    )
    for name in ("honest", "honest and short", "empty", "another language"):
        assert not any("vacation" in whole(row) for row in of(probes, name)), name


def test_instructions_are_not_those_of_training(probes: pl.DataFrame) -> None:
    taught = set()
    for seed in range(50):
        document = {"body": ""}
        KINDS["instruction"]("QUERY", document, random.Random(seed))
        taught.add(document["body"])
    assert len(taught) == 3
    for row in of(probes, "instructions to the grader"):
        assert not any(text.replace("QUERY", row["text"]) in row["body"] for text in taught)


def test_hidden_text_is_read_as_documents_of_a_corpus_are(probes: pl.DataFrame) -> None:
    rows = of(probes, "hidden text")
    seen = [row for row in rows if row["text"] in row["body"]]
    assert 0 < len(seen) < len(rows)  # only white on white is not found by intake/visible_text.py
    assert all("#ffffff" in row["body"] for row in seen)
    hidden = [row for row in rows if row not in seen]
    honest = {row["query_id"]: row["body"] for row in of(probes, "honest")}
    assert all(row["body"] == honest[row["query_id"]] for row in hidden)


def test_empty_and_short_and_long_documents(probes: pl.DataFrame) -> None:
    assert {row["body"] for row in of(probes, "empty")} == {""}
    assert {len(row["body"].split()) for row in of(probes, "honest")} == {150}
    assert {len(row["body"].split()) for row in of(probes, "honest and short")} == {40}
    for name in ("another entity", "boilerplate", "another language"):
        assert all(20 <= len(row["body"].split()) <= 60 for row in of(probes, name)), name


def test_a_new_document_changes_no_probe_of_another_one(probes: pl.DataFrame) -> None:
    queries, documents, grades = frames()
    more = documents.tail(1).with_columns(doc_id=pl.lit("new"))
    graded = pl.DataFrame({"query_id": ["q3"], "doc_id": ["new"], "grade": [3]})
    again = probe_pairs(
        queries.reverse(), pl.concat([more, documents]), pl.concat([grades, graded])
    )
    assert again.equals(probes)
    assert not probe_pairs(queries, documents, grades, seed=5).equals(probes)


def test_at_most_40_queries_are_asked() -> None:
    assert probe_pairs(*frames(70))["query_id"].n_unique() == 40
