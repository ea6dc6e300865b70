"""The student on the embedded MiniLM: scores by hand, the same weights twice, and the same grades after a reload."""

from pathlib import Path

import numpy as np
import polars as pl
import pytest

from relabel_assets.corpus.config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.student import Labeler, student_id, train_student, training_set_hash
from relabel_assets.student.calibration import expected_calibration_error, fit_calibration
from relabel_assets.student.windows import windows

SUBJECTS = ("parental leave", "travel expenses", "laptop repair", "visitor badges")
CONFIG = StudentConfig(epochs=1)
RUBRIC = default_rubric()


def pairs() -> pl.DataFrame:
    rows = [
        {"query_id": f"q{q}", "doc_id": f"d{d}", "grade": 3 if q == d else 0, "expected_grade": None, "text": f"{query} rules", "title": document,
         "body": f"All about {document}. " * 3, "author": None, "path": None, "updated_at": None, "doc_type": None, "split": "dev" if q == 3 else "train"}
        for q, query in enumerate(SUBJECTS)
        for d, document in enumerate(SUBJECTS)
    ]  # fmt: skip
    return pl.DataFrame(rows, schema_overrides=dict.fromkeys(("author", "path", "updated_at", "doc_type"), pl.String))


def test_the_same_pairs_give_the_same_weights_and_a_reload_the_same_grades(tmp_path: Path) -> None:
    trained = [train_student(pairs(), config=CONFIG, rubric=RUBRIC, folder=tmp_path / name) for name in ("one", "two")]
    files = [(tmp_path / name / "model.safetensors").read_bytes() for name in ("one", "two")]
    assert files[0] == files[1]
    assert trained[0].settings == trained[1].settings
    assert trained[0].settings.model_id == student_id(training_set_hash(pairs().reverse()), CONFIG, RUBRIC)
    grades = [Labeler.load(tmp_path / name).grade(pairs()) for name in ("one", "two")]
    assert grades[0].equals(grades[1])
    one_by_one = pl.concat(Labeler.load(tmp_path / "one").grade(pairs().slice(row, 1)) for row in range(3))
    assert np.allclose(one_by_one["expected_grade"], grades[0]["expected_grade"][:3], atol=1e-5)
    assert (
        grades[0].filter(pl.col("query_id").str.slice(1) == pl.col("doc_id").str.slice(1))["grade"].to_list() == [3] * 4
    )


def test_a_student_keeps_what_dev_teaches_and_is_measured_without_it(tmp_path: Path) -> None:
    is_dev = pl.col("split") == "dev"
    rows = pairs().with_columns(grade=pl.when(is_dev).then("grade").otherwise(pl.col("grade").clip(0, 1)))
    trained = train_student(rows, config=CONFIG, rubric=RUBRIC, folder=tmp_path / "s")
    given = Labeler.load(tmp_path / "s").grade(rows.filter(is_dev))
    assert given["grade"].to_list() == [0, 0, 0, 3]
    measured = trained.settings.figures["kappa_quadratic"]
    assert measured is not None
    assert measured < 1, "no train pair has a 3, so that what is measured cannot give one"
    base = Labeler.untrained(rows, config=CONFIG, rubric=RUBRIC)
    assert base.grade(rows)["grade"].max() == 3, "the base has seen the same grades"


def test_the_folder_loads_in_plain_transformers(tmp_path: Path) -> None:
    import torch
    from transformers import AutoModel, AutoTokenizer

    config = CONFIG.model_copy(update={"precision": "fp32"})
    train_student(pairs(), config=config, rubric=RUBRIC, folder=tmp_path / "s")
    labeler = Labeler.load(tmp_path / "s")
    ids = AutoTokenizer.from_pretrained(tmp_path / "s")("parental leave", return_tensors="pt")
    with torch.inference_mode():
        plain = AutoModel.from_pretrained(tmp_path / "s")(**ids).last_hidden_state[0, 1:-1]
    vectors, weights = labeler.grader.scorer.encode_query_tokens(["parental leave"])[0]
    assert torch.allclose(torch.nn.functional.normalize(plain, dim=-1), vectors, atol=1e-5)
    assert weights.sum().item() == pytest.approx(1.0)


def test_frames_of_pairs_need_words_alone_and_bad_ones_are_told(tmp_path: Path) -> None:
    train_student(pairs(), config=CONFIG, rubric=RUBRIC, folder=tmp_path / "s")
    labeler = Labeler.load(tmp_path / "s")
    known = labeler.grade(pairs())
    words = pairs().select("title", "body", query="text")
    assert labeler.grade(words)["expected_grade"].to_list() == known["expected_grade"].to_list()
    assert labeler.grade(words)["query_id"].to_list() == words["query"].to_list()
    assert labeler.grade(pairs().clear()).height == 0
    bad: list[tuple[object, str]] = [
        (words.to_dicts(), "a list, and must be a polars.DataFrame"),
        (words.drop("query"), "columns: title, body"),
        (words.drop("title", "body"), "columns: text"),
        (words.with_columns(query=pl.lit(1)), "text is Int32"),
        (words.with_columns(query=pl.when(pl.int_range(pl.len()) != 2).then("query")), "row 2 has no query"),
        (pairs().with_columns(doc_id=pl.lit("d0")), "doc_id 'd0' has more than one text"),
    ]
    for frame, said in bad:
        with pytest.raises(StudentError, match=said):
            labeler.grade(frame)  # type: ignore[arg-type]


def test_a_score_is_the_mean_best_cosine_by_hand() -> None:
    import torch

    from relabel_assets.student.late_interaction.maxsim import QueryScorer

    query, document = torch.tensor([[1.0, 0.0], [0.0, 1.0]]), torch.tensor([[0.6, 0.8], [1.0, 0.0]])
    scores = QueryScorer.scores(None, query, torch.tensor([0.5, 0.5]), [document, document[1:]])  # type: ignore[arg-type]
    assert scores.tolist() == pytest.approx([(1.0 + 0.8) / 2, (1.0 + 0.0) / 2])


def test_what_cannot_be_trained_or_loaded_says_so(tmp_path: Path) -> None:
    with pytest.raises(StudentError, match="no training pair"):
        train_student(pairs().clear(), config=CONFIG, rubric=RUBRIC, folder=tmp_path / "s")
    with pytest.raises(StudentError, match="no causal language model"):
        train_student(pairs(), config=StudentConfig(architecture="decoder"), rubric=RUBRIC, folder=tmp_path / "s")
    with pytest.raises(StudentError, match="cannot be loaded"):
        train_student(pairs(), config=StudentConfig(base_model=str(tmp_path)), rubric=RUBRIC, folder=tmp_path / "s")
    with pytest.raises(StudentError, match="is not a student"):
        Labeler.load(tmp_path)
    assert not (tmp_path / "s").exists()


@pytest.mark.parametrize("grades", [[0, 0, 0, 0], [0, 3, 0, 3], [0, 1, 2, 3], [3, 3, 3, 3]])
def test_probabilities_sum_to_one_and_rise_with_the_score(grades: list[int]) -> None:
    calibration = fit_calibration([0.1, 0.2, 0.3, 0.4], grades, 4)
    probs = calibration.grade_probs([0.0, 0.25, 1.0])
    assert probs.sum(axis=1) == pytest.approx(1.0)
    assert (probs >= 0).all()
    assert (np.diff(probs @ np.arange(4)) >= 0).all()


def test_calibration_error_of_probabilities_that_come_true_is_small() -> None:
    draw = np.random.default_rng(1)
    scores = draw.normal(size=4000)
    grades = (scores[:, None] + draw.logistic(size=(4000, 1)) > np.array([0.0, 1.0, 2.0])).sum(axis=1)
    assert expected_calibration_error(fit_calibration(scores, grades, 4).grade_probs(scores), grades) < 0.02


def test_windows_keep_every_word_under_the_header() -> None:
    document = {"title": "T", "body": " ".join(f"w{n}" for n in range(200)), "author": None, "updated_at": "2026-01-01"}
    found = windows(document)
    assert [text.split("\n")[0] for text in found] == ["T | 2026-01-01"] * 3
    assert " ".join(text.split("\n")[1] for text in found) == document["body"]
    assert windows({"title": "only", "body": ""}) == ["only\n"]
