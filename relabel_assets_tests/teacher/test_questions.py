"""The questions of a corpus to its teacher, and the number of pairs before there are candidates."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.corpus.documents import empty_frame
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import ConfigError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt, queries_prompt
from relabel_assets.teacher.questions import (
    AssumedPairs,
    GradingQuestions,
    QueryQuestions,
    _sample,
)
from relabel_assets_tests.builders import make_pairs
from relabel_assets_tests.faults.teacher_server import chat_body

OWN_GRADING = "user: 'mine: {{query}} {{body}} {{grades}}'"
OWN_QUERIES = "user: 'mine: {{body}} {{wanted}}'"


def corpus(tmp_path: Path, n_documents: int, **settings: object) -> CorpusFolder:
    """A corpus of documents that differ only in their number."""
    rows = [
        {"doc_id": f"d{n}", "title": f"T{n}", "body": f"word{n} " * 30} for n in range(n_documents)
    ]
    folder = tmp_path / "corpus"
    folder.mkdir()
    (folder / "documents.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (folder / "corpus.yaml").write_text(json.dumps(settings))
    return CorpusFolder("corpus", folder)


def test_there_is_one_request_per_pair_model_and_vote() -> None:
    config = TeacherConfig(votes=2, panel=["other"])
    questions = GradingQuestions(make_pairs(3), config, default_rubric(), grading_prompt())
    assert (questions.n_per_pair, questions.models) == (4, ("gpt-4o", "other"))
    assert len(list(questions)) == len(list(questions)) == 12  # as often as they are gone through
    assert len(questions) == 12


def test_a_grade_is_parsed_by_the_rubric() -> None:
    two = default_rubric().model_copy(update={"grades": default_rubric().grades[:2]})
    questions = GradingQuestions(make_pairs(1), TeacherConfig(), two, grading_prompt())
    assert questions.read(chat_body('{"grade": 1}')).value.grade == 1
    assert questions.read(chat_body('{"grade": 2}')).status == "unparseable"


def test_only_the_first_model_writes_queries(tmp_path: Path) -> None:
    documents = corpus(tmp_path, 5).documents().frame
    config = TeacherConfig(votes=3, panel=["other"])
    questions = QueryQuestions(documents, config, QueriesConfig(per_document=2), queries_prompt())
    assert questions.models == ("gpt-4o",)
    assert [request.model for request in questions] == ["gpt-4o"] * 5
    assert len(questions) == 5
    assert questions.assumed_completion_tokens == 2 * 30


def test_a_corpus_uses_its_own_prompts_and_settings(tmp_path: Path) -> None:
    teacher = {"model": "mine", "prompt": "grading.yaml"}
    folder = corpus(tmp_path, 2, teacher=teacher, queries={"prompt": "queries.yaml"})
    (folder.path / "grading.yaml").write_text(OWN_GRADING)
    (folder.path / "queries.yaml").write_text(OWN_QUERIES)
    (pair,) = GradingQuestions.for_corpus(folder, make_pairs(1))
    writing = next(iter(QueryQuestions.for_corpus(folder, folder.documents().frame)))
    for request in (pair, writing):
        assert request.model == "mine"
        assert request.messages[-1]["content"].startswith("mine: ")


def test_a_corpus_without_prompts_uses_the_packaged_ones(tmp_path: Path) -> None:
    folder = corpus(tmp_path, 1)
    assert folder.grading_prompt == grading_prompt()
    assert folder.queries_prompt == queries_prompt()


def test_a_wrong_prompt_names_the_corpus_and_the_file(tmp_path: Path) -> None:
    folder = corpus(tmp_path, 1, teacher={"prompt": "p.yaml"}, queries={"prompt": "q.yaml"})
    (folder.path / "p.yaml").write_text("user: '{{query}}'")
    with pytest.raises(ConfigError, match=r"corpus/p\.yaml: lacks"):
        GradingQuestions.for_corpus(folder, make_pairs(1))
    with pytest.raises(ConfigError, match=r"corpus/q\.yaml: there is no such file"):
        _ = folder.queries_prompt


# Before there are candidates


def test_assumed_pairs_follow_from_the_queries_to_write(tmp_path: Path) -> None:
    queries, candidates = {"seed_documents": 10, "per_document": 3}, {"bm25_top_k": 5, "random": 1}
    teacher = {"model": "gpt-4o"}
    folder = corpus(tmp_path, 40, teacher=teacher, queries=queries, candidates=candidates)
    assumed = AssumedPairs.for_corpus(folder)
    assert assumed.n_pairs == 10 * 3 * (5 + 1 + 1)  # BM25, the seed document, a random one
    assert assumed.assumption.startswith("10 seed documents x 3 queries x 7 candidates")
    assert assumed.sample.height == 40
    next(iter(GradingQuestions.for_corpus(folder, assumed.sample)))


def test_assumed_pairs_follow_from_the_provided_queries(tmp_path: Path) -> None:
    folder = corpus(tmp_path, 40, candidates={"bm25_top_k": 5, "random": 0, "include_seed": False})
    rows = [json.dumps({"query_id": f"q{n}", "text": f"query {n}"}) for n in range(7)]
    (folder.path / "queries.jsonl").write_text("\n".join(rows))
    assumed = AssumedPairs.for_corpus(folder)
    assert assumed.n_pairs == 7 * 5
    assert assumed.assumption.startswith("7 queries of queries.jsonl x 5 candidates")


def test_no_query_has_more_candidates_than_there_are_documents(tmp_path: Path) -> None:
    assumed = AssumedPairs.for_corpus(corpus(tmp_path, 4))
    assert assumed.n_pairs == 4 * 3 * 4  # four seed documents, three queries each, every document


def test_a_large_corpus_is_estimated_from_200_documents(tmp_path: Path) -> None:
    assumed = AssumedPairs.for_corpus(corpus(tmp_path, 230))
    assert assumed.sample.height == assumed.sample["doc_id"].n_unique() == 200
    assert assumed.assumption.endswith("the length of 200 documents")
    assert assumed.sample.select(pl.col("text").n_unique()).item() == 1


def test_the_sample_does_not_depend_on_the_batches() -> None:
    ids = [f"d{n:03}" for n in range(500)]
    texts = [f"text {n}" for n in range(500)]
    whole = documents_frame(ids, texts)
    sample, n_documents = _sample([whole], seed=7)
    assert n_documents == 500
    assert _sample(whole.reverse().iter_slices(60), seed=7)[0].equals(sample)
    assert sample.join(whole, on=["doc_id", "body"]).height == 200
    # Each part of the corpus is in it: a fifth of 200 is 40, give or take 5 standard deviations.
    fifths = sample["doc_id"].str.slice(1).cast(int) // 100
    assert all(15 <= n <= 65 for n in fifths.value_counts()["count"])
    assert not _sample([whole], seed=8)[0].equals(sample)


def test_a_corpus_without_documents_has_an_empty_sample() -> None:
    sample, n_documents = _sample([], seed=7)
    assert (sample.height, n_documents) == (0, 0)


def documents_frame(ids: list[str], bodies: list[str]) -> pl.DataFrame:
    rows = pl.DataFrame({"doc_id": ids, "body": bodies})
    missing = [
        pl.lit(None, dtype).alias(name)
        for name, dtype in empty_frame().schema.items()
        if name not in rows.columns
    ]
    return rows.with_columns(missing).select(empty_frame().columns)
