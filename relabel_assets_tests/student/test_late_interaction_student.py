"""The late-interaction student on tiny models: other libraries, and heads of other versions."""

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.student import Labeler, train_student
from relabel_assets.student.hardening.stuffed_documents import stuffed_pairs
from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets_tests.student.tiny_models import RUBRIC, SUBJECTS, pairs, save_encoder

pytestmark = pytest.mark.slow


def test_a_student_folder_computes_the_same_token_vectors_in_sentence_transformers(
    tmp_path: Path,
) -> None:
    sentence_transformers = pytest.importorskip("sentence_transformers")
    config = StudentConfig(
        precision="fp32", base_model=str(save_encoder(tmp_path / "base", "bert")), epochs=1
    )
    train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    grader: Any = Labeler.load(tmp_path / "s").grader
    elsewhere = sentence_transformers.SentenceTransformer(str(tmp_path / "s"))
    for text in SUBJECTS:
        vectors, _ = grader.scorer.encode_query_tokens([text])[0]
        with_special = elsewhere.encode([text], output_value="token_embeddings")[0]
        token_vectors = torch.nn.functional.normalize(with_special[1:-1], dim=-1)
        assert torch.allclose(token_vectors, vectors, atol=1e-5)


def test_a_head_with_fewer_features_loads_and_one_with_unknown_features_is_refused(
    tmp_path: Path,
) -> None:
    base = save_encoder(tmp_path / "base", "bert")
    config = StudentConfig(precision="fp32", base_model=str(base), max_length=64, epochs=0)
    trained = train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    head = trained.settings.head
    assert head is not None

    def scores(**last: Any) -> np.ndarray:
        lists = {
            name: getattr(head, name)[:-1] + last.get(name, []) for name in type(head).model_fields
        }
        settings = trained.settings.model_copy(update={"head": type(head)(**lists)})
        (tmp_path / "s" / "student.json").write_text(settings.model_dump_json())
        return Labeler.load(tmp_path / "s").grader.scores(pairs())

    # A student of an earlier version has fewer features: it grades as if the new one had no weight.
    unweighed = {"names": head.names[-1:], "mean": [0.0], "spread": [1.0], "weight": [0.0]}
    assert np.allclose(scores(), scores(**unweighed), atol=1e-9)
    with pytest.raises(StudentError, match="weights 'of_tomorrow', a feature that this version"):
        scores(**unweighed | {"names": ["of_tomorrow"]})


def test_a_score_is_the_weighted_mean_of_maximum_cosines() -> None:
    query, document = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    weights, documents = torch.tensor([0.5, 0.5]), [document, document[1:]]
    scores = QueryScorer.scores(None, query, weights, documents)  # type: ignore[arg-type]
    assert scores.tolist() == pytest.approx([(1.0 + 0.8) / 2, (1.0 + 0.0) / 2])


def test_the_guard_is_saved_and_lowers_scores_only_with_hardening(tmp_path: Path) -> None:
    base = str(save_encoder(tmp_path / "base", "bert"))
    config = StudentConfig(precision="fp32", base_model=base, max_length=64, epochs=0)
    rows = pairs()
    train_student(rows, config=config, rubric=RUBRIC, folder=tmp_path / "hard")
    plain_config = config.model_copy(update={"hardening": False})
    train_student(rows, config=plain_config, rubric=RUBRIC, folder=tmp_path / "plain")
    hard: Any = Labeler.load(tmp_path / "hard").grader
    plain: Any = Labeler.load(tmp_path / "plain").grader
    assert plain.guard is None
    assert hard.head == plain.head, "the head is fitted to the same pairs"
    stuffed = stuffed_pairs(rows, seed=1)
    lowered = plain.scores(stuffed) - hard.scores(stuffed)
    assert lowered.min() >= 0
    assert lowered.max() > 0
    unguarded = dataclasses.replace(hard, guard=None)
    assert unguarded.scores(stuffed) == pytest.approx(plain.scores(stuffed))
