"""The sample of documents for corpus statistics, and its part in the student's identity."""

import hashlib

import polars as pl
import pytest

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.student import corpus_sample, sample, training_set_hash
from relabel_assets.student.windows import windows
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

LATE = StudentConfig()


def documents(n: int, words: int = 10) -> pl.DataFrame:
    rows = [{"doc_id": f"d{number}", "body": " ".join(["word"] * words)} for number in range(n)]
    absent = [pl.lit(None, pl.String).alias(name) for name in DOCUMENT_COLUMNS if name != "body"]
    return pl.DataFrame(rows).with_columns(absent)


def taken(frame: pl.DataFrame) -> list[str]:
    return corpus_sample(frame, LATE)["doc_id"].to_list()


def test_a_small_corpus_is_sampled_whole_in_any_order() -> None:
    frame = documents(5)
    assert taken(frame) == taken(frame.reverse()) == ["d0", "d1", "d2", "d3", "d4"]


def test_one_more_document_changes_the_sample_of_a_large_corpus_by_one_at_most(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sample, "MAX_WINDOWS", 60)
    frame = documents(200, words=170)
    assert len(windows(frame.row(0, named=True))) == 3
    before, after = taken(frame), taken(documents(201, words=170))
    assert len(before) == 20
    assert len(set(before) - set(after)) <= 1


def test_a_first_document_above_the_window_limit_is_sampled_alone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sample, "MAX_WINDOWS", 2)
    assert taken(documents(1, words=500)) == ["d0"]
    assert taken(documents(3, words=0)) != []  # a body of nothing is a window


@pytest.mark.parametrize(
    ("limit", "expected"), [(5, ["d"]), (6, ["c", "d"]), (8, ["c", "d"]), (9, ["b", "c", "d"])]
)
def test_documents_are_sampled_in_hash_order_up_to_the_limit(
    monkeypatch: pytest.MonkeyPatch, limit: int, expected: list[str]
) -> None:
    by_hash = sorted("abcd", key=lambda doc_id: hashlib.sha256(doc_id.encode()).digest())
    assert by_hash == ["d", "c", "b", "a"]
    monkeypatch.setattr(sample, "MAX_WINDOWS", limit)
    frame = documents(4, words=161)  # three windows each
    assert taken(frame.with_columns(doc_id=pl.Series(["a", "b", "c", "d"]))) == expected


@pytest.mark.parametrize(("n_words", "limit", "n_taken"), [(80, 2, 2), (81, 2, 1), (0, 1, 1)])
def test_windows_are_counted_as_they_are_cut(
    monkeypatch: pytest.MonkeyPatch, n_words: int, limit: int, n_taken: int
) -> None:
    monkeypatch.setattr(sample, "MAX_WINDOWS", limit)
    assert len(taken(documents(2, words=n_words))) == n_taken


def test_windows_of_a_script_without_spaces_are_counted_too(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sample, "MAX_WINDOWS", 3)
    frame = documents(2).with_columns(body=pl.lit("育児休業" * 31))  # 124 characters: two windows
    assert len(windows(frame.row(0, named=True))) == 2
    assert len(taken(frame)) == 1
    assert len(taken(documents(2).with_columns(body=pl.lit("育児休業" * 30)))) == 2


def test_a_sample_has_25_megabytes_of_vectors_at_most() -> None:
    assert pytest.approx(25, rel=0.01) == sample.MAX_WINDOWS * 384 * 2 / 1e6


def test_architectures_without_corpus_statistics_sample_no_document() -> None:
    assert corpus_sample(documents(2), StudentConfig(architecture="cross_encoder")).is_empty()


def test_another_document_makes_another_student() -> None:
    columns = {"query_id": "q", "text": "words", "grade": 1, "split": "train"}
    pairs = documents(1).with_columns(pl.lit(value).alias(name) for name, value in columns.items())
    one, two = (corpus_sample(documents(n), LATE) for n in (1, 2))
    assert training_set_hash(pairs, one) != training_set_hash(pairs, two)
    assert training_set_hash(pairs, one) == training_set_hash(pairs, one.reverse())
