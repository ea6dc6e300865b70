"""A late-interaction student as MultiVectorEncoder of sentence-transformers 6: the same token vectors."""

from pathlib import Path
from typing import Any

import polars as pl
import pytest
import torch

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.student import Labeler, train_student
from relabel_assets_tests.student.tiny_models import RUBRIC, SUBJECTS, pairs, save_encoder

pytestmark = pytest.mark.slow

sentence_transformers = pytest.importorskip("sentence_transformers", minversion="6")


@pytest.mark.parametrize("name", ["bert", "modernbert"])
def test_a_students_folder_loads_as_a_multi_vector_encoder(tmp_path: Path, name: str) -> None:
    base = str(save_encoder(tmp_path / "base", name))
    config = StudentConfig(precision="fp32", base_model=base, epochs=1, learning_rate=0.01)
    graded = pairs().filter(pl.col("split") == "train")  # no dev pairs, so the last epoch is kept
    train_student(graded, config=config, rubric=RUBRIC, folder=tmp_path / "s")
    grader: Any = Labeler.load(tmp_path / "s").grader
    elsewhere = sentence_transformers.MultiVectorEncoder(str(tmp_path / "s"), device="cpu")
    texts = [*SUBJECTS, "laptop", "visitor badges and travel expenses, all of them"]
    documents = grader.document_encoder.encode(texts)
    changes = []
    for text, document in zip(texts, documents, strict=True):
        query, _ = grader.scorer.encode_query_tokens([text])[0]
        theirs = elsewhere.encode_query(text), elsewhere.encode_document(text)
        assert torch.allclose(theirs[0], query, atol=1e-5)
        assert torch.allclose(theirs[1], document, atol=1e-5)
        changes.append(float((theirs[0] - theirs[1]).abs().max()))
        mean = (query @ document.T).amax(dim=1).mean()
        assert float(elsewhere.similarity(*theirs)) == pytest.approx(float(mean), abs=1e-5)
    assert max(changes) > 1e-3, "the query side was trained"
