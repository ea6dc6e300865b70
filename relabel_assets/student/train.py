"""From graded pairs to a student's folder.

What belongs here: the order of things: train, calibrate, measure on dev, save. Imported only where a model is needed.
"""

import shutil
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from relabel_assets.benchmark.cut_points import grades_from
from relabel_assets.benchmark.metrics import kappa, ndcg_at_10, pairwise
from relabel_assets.corpus.config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student import cross_encoder
from relabel_assets.student import fit as training
from relabel_assets.student import folder as storage
from relabel_assets.student.calibration import expected_calibration_error, expected_grades, reliability
from relabel_assets.student.decoder import decoder
from relabel_assets.student.identity import student_id, training_set_hash
from relabel_assets.student.labeler import calibrate
from relabel_assets.student.late_interaction import student as interaction
from relabel_assets.student.sample import corpus_sample


@dataclass(frozen=True)
class TrainedStudent:
    """What student_model says of a student: its figures by epoch, and (said, came true, share) of dev probabilities."""

    settings: storage.Settings
    history: list[training.Epoch]
    reliability: list[tuple[float, float, float]]
    train_s: float


def train_student(
    pairs: pl.DataFrame,
    *,
    config: StudentConfig,
    rubric: Rubric,
    folder: Path,
    corpus: pl.DataFrame | None = None,
    progress: Progress = silent,
) -> TrainedStudent:
    """Train on the train split of `pairs` (see pairs.training_pairs), stop on dev, and put the student in `folder`.

    What follows training (late interaction's head, calibration, cut points) is fitted twice: to train, by which the student
    is measured on dev, and to train and dev together, which is what it keeps.
    `corpus` is its documents, graded or not (see corpus_sample); without it, late interaction knows those of `pairs`.
    Raises StudentError where no train pair is graded, or the base cannot be loaded.
    """
    started = time.monotonic()
    is_train = pairs["split"] == "train"
    train, dev = pairs.filter(is_train), pairs.filter(~is_train)
    if train.is_empty():
        raise StudentError(
            "no training pair has a grade, so there is nothing to learn from. See teacher_labels.status."
        )
    grader, measured, scores, history = _trained(pairs, is_train, corpus, config, rubric, progress)
    calibration, points = calibrate(scores, pairs["grade"].to_numpy(), rubric.n_grades)
    figures, curve = _on_dev(pairs, measured, is_train, rubric.n_grades)
    set_hash = training_set_hash(pairs, corpus)
    settings = {
        "model_id": student_id(set_hash, config, rubric), "base_model": config.base_model,
        "architecture": config.architecture, "method": config.method, "max_length": config.max_length,
        "precision": config.precision,
        "n_grades": rubric.n_grades, "calibration": calibration, "cut_points": points, "training_set_hash": set_hash,
        "seed": config.seed, "n_train_pairs": train.height, "n_dev_pairs": dev.height,
        "best_epoch": training.best_epoch(history), "figures": figures,
    }  # fmt: skip
    saved = _save(grader, settings, folder)
    return TrainedStudent(saved, history, curve, time.monotonic() - started)


def _on_dev(
    pairs: pl.DataFrame, scores: NDArray, is_train: pl.Series, n_grades: int
) -> tuple[dict[str, float | None], list[tuple[float, float, float]]]:
    """How good `scores` (N,) of `pairs` are on dev, calibrated and cut on train: figures by name, and their reliability."""
    dev, grades_of_train = pairs.filter(~is_train), pairs.filter(is_train)["grade"].to_numpy()
    if dev.is_empty():
        return dict.fromkeys(("ndcg_at_10", "pairwise_half", "kappa_quadratic", "calibration_error")), []
    calibration, points = calibrate(scores[is_train.to_numpy()], grades_of_train, n_grades)
    probs = calibration.grade_probs(scores[~is_train.to_numpy()])
    expected, grades = expected_grades(probs), dev["grade"].to_numpy()
    figures = _order(dev, expected) | {
        "kappa_quadratic": kappa(grades, grades_from(expected, points), weights="quadratic"),
        "calibration_error": expected_calibration_error(probs, grades),
    }
    return figures, reliability(probs, grades)


def _order(pairs: pl.DataFrame, scores: NDArray) -> dict[str, float | None]:
    """How well `scores` (N,) put `pairs` in order."""
    frame = pairs.select("query_id", "doc_id", "grade", score=pl.Series(scores))
    return {"ndcg_at_10": ndcg_at_10(frame), "pairwise_half": pairwise(frame)["pairwise_half"]}


def _trained(
    pairs: pl.DataFrame,
    is_train: pl.Series,
    corpus: pl.DataFrame | None,
    config: StudentConfig,
    rubric: Rubric,
    progress: Progress,
) -> tuple[Any, NDArray, NDArray, list[training.Epoch]]:
    """The trained grader; its score of each of `pairs` before it saw a grade of dev, and after; and its epochs."""
    torch.manual_seed(config.seed)  # adapters and fresh heads are drawn before training begins
    dev = pairs.filter(~is_train)
    graded = [
        training.GradedQuery(text, doc_ids, torch.tensor(grades, dtype=torch.float32))
        for text, doc_ids, grades in pairs.filter(is_train)
        .sort("query_id", "doc_id")
        .group_by("query_id", "text", maintain_order=True)
        .agg("doc_id", "grade")
        .select("text", "doc_id", "grade")
        .iter_rows()
    ]

    def figure(scores: NDArray) -> float | None:
        if dev.is_empty():
            return None
        return float(np.mean([value for value in _order(dev, scores).values() if value is not None] or [0.0]))

    if config.architecture == "late_interaction":
        known = corpus_sample(pairs.unique("doc_id"), config) if corpus is None else corpus
        return interaction.train(
            pairs, config, rubric.n_grades, graded=graded, is_train=is_train, corpus=known, figure=figure,
            progress=progress,
        )  # fmt: skip
    grader: cross_encoder.CrossEncoder | decoder.Decoder
    if config.architecture == "cross_encoder":
        grader = cross_encoder.start(config)
        learner = cross_encoder.learner(grader, config, pairs, rubric.n_grades)
    else:
        grader = decoder.start(config, rubric)
        learner = decoder.learner(grader, config, pairs, rubric.n_grades)
    history = training.fit(
        learner, graded, epochs=config.epochs, seed=config.seed,
        figure=lambda: None if dev.is_empty() else figure(grader.scores(dev)), progress=progress,
    )  # fmt: skip
    scores = grader.scores(pairs, progress)
    return grader, scores, scores, history


def _save(grader: Any, settings: dict[str, Any], folder: Path) -> storage.Settings:
    """Write beside `folder`, then rename: a half-written student is never where one is looked for."""
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    saved = storage.Settings(**settings, **grader.save(half))
    (half / "README.md").write_text(storage.model_card(saved), encoding="utf-8")
    (half / storage.SETTINGS).write_text(saved.model_dump_json(indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    half.replace(folder)
    return saved
