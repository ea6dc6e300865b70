"""Cross-encoders on tiny models: training, saving, and equal scores in other libraries."""

from pathlib import Path

import numpy as np
import pytest
import torch
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForSequenceClassification,
)

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.student import Labeler, train_student
from relabel_assets.student.folder import ADAPTER
from relabel_assets.student.pair_reader import document_text
from relabel_assets_tests.student.tiny_models import (
    ENCODERS,
    RUBRIC,
    SIZES,
    pairs,
    save_encoder,
    tokenizer,
)

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("method", ["lora", "full"])
@pytest.mark.parametrize("name", list(ENCODERS))
def test_a_cross_encoder_is_trained_saved_and_reloaded_with_the_same_scores(
    tmp_path: Path, name: str, method: str
) -> None:
    base = save_encoder(tmp_path / "base", name)
    config = StudentConfig(
        precision="fp32",
        base_model=str(base),
        architecture="cross_encoder",
        method=method,
        max_length=64,
        epochs=2,
    )
    trained = train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    assert [epoch.number for epoch in trained.history] == [0, 1, 2]
    assert (tmp_path / "s" / ADAPTER).is_dir() == (method == "lora")
    labeler = Labeler.load(tmp_path / "s")
    scores = labeler.grader.scores(pairs())
    assert np.ptp(scores) > 0
    one = np.concatenate([labeler.grader.scores(pairs().slice(row, 1)) for row in range(4)])
    assert np.allclose(one, scores[:4], atol=1e-5)  # padding changes nothing
    model, words = (
        kind.from_pretrained(tmp_path / "s")
        for kind in (AutoModelForSequenceClassification, AutoTokenizer)
    )
    row = pairs().row(5, named=True)
    inputs = words(
        row["text"],
        document_text(row, 64),
        truncation="longest_first",
        max_length=64,
        return_tensors="pt",
    )
    with torch.inference_mode():
        assert model(**inputs).logits.item() == pytest.approx(scores[5], abs=1e-5)


def test_a_cross_encoder_grades_the_same_in_sentence_transformers(tmp_path: Path) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    base = save_encoder(tmp_path / "base", "bert")
    config = StudentConfig(
        precision="fp32",
        base_model=str(base),
        architecture="cross_encoder",
        max_length=64,
        epochs=1,
    )
    train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    scores = Labeler.load(tmp_path / "s").grader.scores(pairs())
    texts = [(row["text"], document_text(row, 64)) for row in pairs().to_dicts()]
    assert np.allclose(
        sentence_transformers.CrossEncoder(str(tmp_path / "s")).predict(texts), scores, atol=1e-5
    )


def test_a_published_reranker_keeps_its_head_and_is_its_own_baseline(
    tmp_path: Path,
) -> None:
    words = tokenizer("encoder")
    torch.manual_seed(2)
    BertForSequenceClassification(
        BertConfig(vocab_size=len(words), num_labels=1, pad_token_id=words.pad_token_id, **SIZES)
    ).save_pretrained(tmp_path / "base")
    words.save_pretrained(tmp_path / "base")
    config = StudentConfig(
        precision="fp32",
        base_model=str(tmp_path / "base"),
        architecture="cross_encoder",
        max_length=64,
        epochs=0,
    )
    train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    base = Labeler.untrained(pairs(), config=config, rubric=RUBRIC)
    assert not base.grader.is_fresh
    assert np.allclose(
        base.grader.scores(pairs()), Labeler.load(tmp_path / "s").grader.scores(pairs()), atol=1e-5
    )
