"""Training on the embedded MiniLM: reproducible weights, dev pairs, and whole folders."""

from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import pytest

from relabel_assets.benchmark.gates.training_limits import training_limits
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student import Labeler, student_id, train_student, training_set_hash
from relabel_assets.student.cross_encoder import CrossEncoder
from relabel_assets_tests.student.tiny_models import save_encoder

pytestmark = pytest.mark.slow

SUBJECTS = ("parental leave", "travel expenses", "laptop repair", "visitor badges")
CONFIG = StudentConfig(epochs=1)
RUBRIC = default_rubric()


def embedded_pairs() -> pl.DataFrame:
    no_metadata = dict.fromkeys(("author", "path", "updated_at", "doc_type"))
    rows = [
        {
            "query_id": f"q{q}",
            "doc_id": f"d{d}",
            "grade": 3 if q == d else 0,
            "expected_grade": None,
            "text": f"{query} rules",
            "title": document,
            "body": f"All about {document}. " * 3,
            **no_metadata,
            "split": "dev" if q == 3 else "train",
        }
        for q, query in enumerate(SUBJECTS)
        for d, document in enumerate(SUBJECTS)
    ]
    return pl.DataFrame(
        rows,
        schema_overrides=dict.fromkeys(("author", "path", "updated_at", "doc_type"), pl.String),
    )


def test_the_same_pairs_give_the_same_weights_and_a_reload_gives_the_same_grades(
    tmp_path: Path,
) -> None:
    trained = [
        train_student(embedded_pairs(), config=CONFIG, rubric=RUBRIC, folder=tmp_path / name)
        for name in ("one", "two")
    ]
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert files[0] == files[1]
    assert trained[0].settings == trained[1].settings
    assert trained[0].settings.model_id == student_id(
        training_set_hash(embedded_pairs().reverse()), CONFIG, RUBRIC
    )
    grades = [Labeler.load(tmp_path / name).grade(embedded_pairs()) for name in ("one", "two")]
    assert grades[0].equals(grades[1])
    one_by_one = pl.concat(
        Labeler.load(tmp_path / "one").grade(embedded_pairs().slice(row, 1)) for row in range(3)
    )
    assert np.allclose(one_by_one["expected_grade"], grades[0]["expected_grade"][:3], atol=1e-5)
    assert (
        grades[0]
        .filter(pl.col("query_id").str.slice(1) == pl.col("doc_id").str.slice(1))["grade"]
        .to_list()
        == [3] * 4
    )


def test_dev_grades_fit_the_saved_cut_points_and_not_the_measured_ones(
    tmp_path: Path,
) -> None:
    is_dev = pl.col("split") == "dev"
    rows = embedded_pairs().with_columns(
        grade=pl.when(is_dev).then("grade").otherwise(pl.col("grade").clip(0, 1))
    )
    trained = train_student(rows, config=CONFIG, rubric=RUBRIC, folder=tmp_path / "s")
    labels = Labeler.load(tmp_path / "s").grade(rows.filter(is_dev))
    assert labels["grade"].to_list() == [0, 0, 0, 3]
    measured = trained.settings.figures["kappa_quadratic"]
    assert measured is not None
    assert measured < 1, "no train pair has a 3, so that what is measured cannot give one"
    base = Labeler.untrained(rows, config=CONFIG, rubric=RUBRIC)
    assert base.grade(rows)["grade"].max() == 3, "the base has seen the same grades"


def test_the_folder_loads_in_plain_transformers(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    config = CONFIG.model_copy(update={"precision": "fp32"})
    train_student(embedded_pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    labeler = Labeler.load(tmp_path / "s")
    ids = AutoTokenizer.from_pretrained(tmp_path / "s")("parental leave", return_tensors="pt")
    with torch.inference_mode():
        plain = AutoModel.from_pretrained(tmp_path / "s")(**ids).last_hidden_state[0, 1:-1]
    vectors, weights = labeler.grader.scorer.encode_query_tokens(["parental leave"])[0]
    assert torch.allclose(torch.nn.functional.normalize(plain, dim=-1), vectors, atol=1e-5)
    assert weights.sum().item() == pytest.approx(1.0)


def test_training_without_grades_or_without_a_base_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="no training pair"):
        train_student(embedded_pairs().clear(), config=CONFIG, rubric=RUBRIC, folder=tmp_path / "s")
    with pytest.raises(StudentError, match="no causal language model"):
        train_student(
            embedded_pairs(),
            config=StudentConfig(architecture="decoder"),
            rubric=RUBRIC,
            folder=tmp_path / "s",
        )
    with pytest.raises(StudentError, match="cannot be loaded"):
        train_student(
            embedded_pairs(),
            config=StudentConfig(base_model=str(tmp_path)),
            rubric=RUBRIC,
            folder=tmp_path / "s",
        )
    with pytest.raises(StudentError, match="is not a student"):
        Labeler.load(tmp_path)
    assert not (tmp_path / "s").exists()


def test_a_student_that_would_never_give_a_grade_of_its_training_pairs_is_refused(
    tmp_path: Path,
) -> None:
    """The documents of one query are the same, and so are their scores; their grades are not."""
    same = embedded_pairs().with_columns(
        title=pl.lit("Rules"), body=pl.lit("All about rules."), text=pl.lit("rules"),
        grade=pl.Series([0, 1, 2, 3] * 4),
    )  # fmt: skip
    with pytest.raises(StudentError, match="would never give grade 1, which 4 of its 16"):
        train_student(same, config=CONFIG, rubric=RUBRIC, folder=tmp_path / "s")
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("grades", [[2] * 4, [0] * 4, [1, 1, 1, 2]])
def test_one_or_two_grades_train_a_student_that_gives_no_other(
    grades: list[int], tmp_path: Path
) -> None:
    few = embedded_pairs().with_columns(grade=pl.Series(grades * 4))
    trained = train_student(few, config=CONFIG, rubric=RUBRIC, folder=tmp_path / "s")
    absent = {0, 1, 2, 3} - {*grades}
    assert not absent & {*Labeler.load(tmp_path / "s").grade(few)["grade"]}
    (limit,) = [line for line in training_limits(trained.settings.model_dump()) if "never" in line]
    assert f"never gives grades {', '.join(map(str, sorted(absent)))}, which" in limit


def test_a_failed_save_keeps_the_previous_student(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    base = save_encoder(tmp_path / "base", "bert")
    config = StudentConfig(
        base_model=str(base), architecture="cross_encoder", max_length=64, epochs=0
    )
    train_student(embedded_pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    before = sorted((file.name, file.stat().st_mtime_ns) for file in (tmp_path / "s").iterdir())

    def full_disk(self: CrossEncoder, folder: Path) -> dict[str, Any]:
        (folder / "model.safetensors").write_bytes(b"half")
        raise OSError("No space left on device")

    monkeypatch.setattr(CrossEncoder, "save", full_disk)
    with pytest.raises(OSError, match="No space"):
        train_student(embedded_pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    assert before == sorted(
        (file.name, file.stat().st_mtime_ns) for file in (tmp_path / "s").iterdir()
    )


def test_without_dev_pairs_the_last_epoch_is_kept_and_no_metric_is_computed(tmp_path: Path) -> None:
    base = save_encoder(tmp_path / "base", "bert")
    config = StudentConfig(
        base_model=str(base), architecture="cross_encoder", max_length=64, epochs=2
    )
    pairs = embedded_pairs().with_columns(split=pl.lit("train"))
    trained = train_student(pairs, config=config, rubric=RUBRIC, folder=tmp_path / "s")
    assert trained.settings.best_epoch == 2
    assert trained.settings.n_dev_pairs == 0
    assert set(trained.settings.figures.values()) == {None}
    assert trained.reliability == []


def test_the_epoch_is_chosen_by_the_mean_of_ndcg_and_pairwise_accuracy(tmp_path: Path) -> None:
    base = save_encoder(tmp_path / "base", "bert")
    config = StudentConfig(
        base_model=str(base), architecture="cross_encoder", max_length=64, epochs=0
    )
    trained = train_student(embedded_pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    metrics = trained.settings.figures
    assert metrics["ndcg_at_10"] is not None
    assert metrics["pairwise_half"] is not None
    mean = (metrics["ndcg_at_10"] + metrics["pairwise_half"]) / 2
    assert trained.history[0].dev_metric == pytest.approx(mean)
