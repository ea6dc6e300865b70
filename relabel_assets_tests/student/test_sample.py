"""Which documents a student knows its corpus by, and that its identity follows them."""

import polars as pl
import pytest

from relabel_assets.corpus.config import StudentConfig
from relabel_assets.corpus.pairs import DOCUMENT_COLUMNS
from relabel_assets.student import corpus_sample, sample, training_set_hash
from relabel_assets.student.windows import windows

LATE = StudentConfig()


def documents(n: int, words: int = 10) -> pl.DataFrame:
    rows = [{"doc_id": f"d{number}", "body": " ".join(["word"] * words)} for number in range(n)]
    others = [pl.lit(None, pl.String).alias(name) for name in DOCUMENT_COLUMNS if name != "body"]
    return pl.DataFrame(rows).with_columns(others)


def drawn(frame: pl.DataFrame) -> list[str]:
    return corpus_sample(frame, LATE)["doc_id"].to_list()


def test_a_corpus_is_known_whole_in_whatever_order_it_comes() -> None:
    frame = documents(5)
    assert drawn(frame) == drawn(frame.reverse()) == ["d0", "d1", "d2", "d3", "d4"]


def test_a_large_corpus_is_known_by_some_documents_and_one_more_changes_few(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "WINDOWS", 60)
    frame = documents(200, words=170)
    assert len(windows(frame.row(0, named=True))) == 3
    before, after = drawn(frame), drawn(documents(201, words=170))
    assert len(before) == 20
    assert len(set(before) - set(after)) <= 1


def test_a_document_with_more_windows_than_all_may_have_is_known_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sample, "WINDOWS", 2)
    assert drawn(documents(1, words=500)) == ["d0"]
    assert drawn(documents(3, words=0)) != []  # a body of nothing is a window


def test_architectures_that_read_pairs_alone_know_no_corpus() -> None:
    assert corpus_sample(documents(2), StudentConfig(architecture="cross_encoder")).is_empty()


def test_another_document_is_another_student() -> None:
    columns = {"query_id": "q", "text": "words", "grade": 1, "split": "train"}
    pairs = documents(1).with_columns(pl.lit(value).alias(name) for name, value in columns.items())
    one, two = (corpus_sample(documents(n), LATE) for n in (1, 2))
    assert training_set_hash(pairs, one) != training_set_hash(pairs, two)
    assert training_set_hash(pairs, one) == training_set_hash(pairs, one.reverse())
