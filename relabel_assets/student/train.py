"""The training of a student: from graded pairs to its folder.

What belongs here: the steps of a training: train, calibrate, measure on dev, save. What does not:
how an architecture is trained (architectures.py) and how pairs are chosen (corpus/pairs.py).
Imported only where a model is needed: it loads torch.
"""

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from numpy.typing import NDArray

from relabel_assets.benchmark.cut_points import grades_from, refuse_collapsed
from relabel_assets.benchmark.metrics import kappa, ndcg_at_10, pairwise
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.architectures import architecture
from relabel_assets.student.calibration import (
    Calibration,
    expected_calibration_error,
    expected_grades,
    reliability,
)
from relabel_assets.student.cascade.cascade import Cascade, fit_cascade
from relabel_assets.student.cascade.known_grades import query_pairs, rows_by_query
from relabel_assets.student.folder import SETTINGS, Settings, model_card, read_settings
from relabel_assets.student.grader import Grader, TrainedGrader, TrainingTask
from relabel_assets.student.hardening.stuffed_documents import stuffed_pairs
from relabel_assets.student.identity import people_id, student_id, training_set_hash
from relabel_assets.student.labeler import Labeler, calibrate
from relabel_assets.student.long_documents import with_nearest_passages
from relabel_assets.student.people.people_calibration import PeopleGrades, fit_to_people
from relabel_assets.student.sample import corpus_sample
from relabel_assets.student.training.epochs import Epoch, best_epoch
from relabel_assets.student.vectors.store import VectorStore

# (mean probability, observed frequency, share of all) by bin: see calibration.reliability.
ReliabilityCurve = list[tuple[float, float, float]]
DEV_METRICS = ("ndcg_at_10", "pairwise_half", "kappa_quadratic", "calibration_error")


@dataclass(frozen=True)
class TrainedStudent:
    """A saved student for the table student_model: settings, epochs and reliability on dev."""

    settings: Settings
    history: Sequence[Epoch]
    reliability: ReliabilityCurve
    train_s: float


def train_student(
    pairs: pl.DataFrame,
    *,
    config: StudentConfig,
    rubric: Rubric,
    folder: Path,
    corpus: pl.DataFrame | None = None,
    store: VectorStore | None = None,
    progress: Progress = silent,
) -> TrainedStudent:
    """Train a student on `pairs` (see pairs.training_pairs) and save it in `folder`.

    The train split trains, and the dev split chooses the epoch. Late interaction's head and guard, the
    calibration and the cut points are fitted twice afterwards. A first fit, to train, gives the dev
    metrics. The second, to train and dev together, is saved. Calibration, cut points and the second
    stage of a cascade are fitted to scores of heads that had not seen the pair's query. With
    `hardening`, stuffed documents are trained on too (stuffed_documents.py).

    `corpus` has documents of the corpus, graded or not (see corpus_sample). Without it, late
    interaction uses the documents of `pairs`. Vectors of documents are kept in `store`. Raises
    StudentError where no train pair is graded, the base cannot be loaded, or the student would never
    give a grade that the pairs have.

    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> pairs = pl.DataFrame({"query_id": ["q1"], "doc_id": ["d1"], "grade": [3], "split": ["dev"]})
    >>> train_student(pairs, config=StudentConfig(), rubric=default_rubric(), folder=Path("student"))
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: no training pair has a grade, so there is nothing to learn from. ...
    """
    started = time.monotonic()
    is_train = pairs["split"] == "train"
    n_train = int(is_train.sum())
    if not n_train:
        raise StudentError(
            "no training pair has a grade, so there is nothing to learn from. Add queries with the "
            "split train, or see teacher_labels.status and `relabel corpora check`."
        )
    trained = _train(pairs, is_train, corpus, config, rubric, store or VectorStore(), progress)
    grades = pairs["grade"].to_numpy()[trained.is_unseen]
    calibration, points = calibrate(trained.scores[trained.is_unseen], grades, rubric.n_grades)
    refuse_collapsed(points, grades)
    metrics, curve = _dev_metrics(pairs, trained.scores_without_dev, is_train, rubric.n_grades)
    set_hash = training_set_hash(pairs, corpus)
    settings = {
        "model_id": student_id(set_hash, config, rubric),
        "base_model": config.base_model,
        "architecture": config.architecture,
        "method": config.method,
        "max_length": config.max_length,
        "precision": config.precision,
        "n_grades": rubric.n_grades,
        "calibration": calibration,
        "cut_points": points,
        "cascade": _cascade(pairs, trained, calibration, points, config.seed, progress),
        "training_set_hash": set_hash,
        "seed": config.seed,
        "n_train_pairs": n_train,
        "n_dev_pairs": pairs.height - n_train,
        "best_epoch": best_epoch(trained.history).number,
        "figures": metrics,
    }
    saved_settings = _save(trained.grader, settings, folder)
    return TrainedStudent(saved_settings, trained.history, curve, time.monotonic() - started)


def calibrate_to_people(
    trained: Path,
    pairs: pl.DataFrame,
    *,
    folder: Path,
    store: VectorStore | None = None,
    progress: Progress = silent,
) -> TrainedStudent:
    """Save in `folder` the student of the folder `trained`, calibrated to people's grades of `pairs`.

    `pairs` has the columns of people_pairs. The two folders share their large files where the disk
    allows it. Raises StudentError where `trained` is no student.

    >>> calibrate_to_people(Path("models/none"), pl.DataFrame(), folder=Path("models/people"))
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: models/none is not a student: student.json cannot be read ...
    """
    started = time.monotonic()
    settings = read_settings(trained)
    scores = Labeler.load(trained, store=store).scores(pairs, progress=progress)
    grades = pairs["grade"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    people = PeopleGrades(scores, grades, pairs["query_id"].to_list())
    saved = settings.model_copy(
        update={
            "model_id": people_id(settings.model_id, pairs),
            "people": fit_to_people(people, settings.calibration),
        }
    )
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    shutil.copytree(trained, half, copy_function=_linked)
    for name in ("README.md", SETTINGS):  # else the trained student's own would be written over
        (half / name).unlink(missing_ok=True)
    _finish(half, saved, folder)
    return TrainedStudent(saved, (), [], time.monotonic() - started)


def _linked(source: str, target: str) -> None:
    """A hard link, or a copy on a disk that has none."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)


def _train(
    pairs: pl.DataFrame,
    is_train: pl.Series,
    corpus: pl.DataFrame | None,
    config: StudentConfig,
    rubric: Rubric,
    store: VectorStore,
    progress: Progress,
) -> TrainedGrader:
    """Train the grader that `config` describes on the train pairs."""
    pairs = with_nearest_passages(pairs)
    dev = pairs.filter(~is_train)

    def dev_metric(scores: NDArray) -> float | None:
        """The mean of the ranking metrics. There are no cut points yet, so no grades to compare."""
        if dev.is_empty():
            return None
        defined = [value for value in _ranking_metrics(dev, scores).values() if value is not None]
        return float(np.mean(defined or [0.0]))

    if corpus is None:
        corpus = corpus_sample(pairs.unique("doc_id"), config)
    torch.manual_seed(config.seed)  # adapters and fresh heads are random before training
    stuffed = stuffed_pairs(pairs, config.seed) if config.hardening else pairs.clear()
    task = TrainingTask(
        pairs, is_train, stuffed, corpus, config, rubric, dev_metric, progress, store
    )
    return architecture(config.architecture).train(task)


def _cascade(
    pairs: pl.DataFrame,
    trained: TrainedGrader,
    calibration: Calibration,
    points: list[float],
    seed: int,
    progress: Progress,
) -> Cascade | None:
    """The second stage, fitted to scores of heads that had not seen the pair's query."""
    evidence = trained.evidence
    if evidence is None:
        return None
    probs, grades = calibration.grade_probs(trained.scores), pairs["grade"].to_numpy()
    queries = [
        (query_pairs(probs, evidence, rows), grades[rows])
        for rows in rows_by_query(pairs["query_id"])
    ]
    return fit_cascade(queries, points, seed, progress)


def _dev_metrics(
    pairs: pl.DataFrame, scores: NDArray, is_train: pl.Series, n_grades: int
) -> tuple[dict[str, float | None], ReliabilityCurve]:
    """DEV_METRICS and the reliability of `scores` (N,) on the dev pairs, calibrated and cut on train."""
    train, dev = pairs.filter(is_train), pairs.filter(~is_train)
    if dev.is_empty():
        return dict.fromkeys(DEV_METRICS), []
    mask = is_train.to_numpy()
    calibration, points = calibrate(scores[mask], train["grade"].to_numpy(), n_grades)
    probs = calibration.grade_probs(scores[~mask])
    expected, grades = expected_grades(probs), dev["grade"].to_numpy()
    metrics = _ranking_metrics(dev, expected) | {
        "kappa_quadratic": kappa(grades, grades_from(expected, points), weights="quadratic"),
        "calibration_error": expected_calibration_error(probs, grades),
    }
    return metrics, reliability(probs, grades)


def _ranking_metrics(pairs: pl.DataFrame, scores: NDArray) -> dict[str, float | None]:
    """NDCG@10 and pairwise accuracy of `scores` (N,) against the grades of `pairs`."""
    frame = pairs.select("query_id", "doc_id", "grade", score=pl.Series(scores))
    return {
        "ndcg_at_10": ndcg_at_10(frame),
        "pairwise_half": pairwise(frame)["pairwise_half"],
    }


def _save(grader: Grader, settings: dict[str, Any], folder: Path) -> Settings:
    """Write the student beside `folder` and rename it, so that `folder` never has half a student."""
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    saved = Settings(**settings, **grader.save(half))
    _finish(half, saved, folder)
    return saved


def _finish(half: Path, saved: Settings, folder: Path) -> None:
    """Write the settings and the card into the folder `half`, and rename it to `folder`."""
    card = model_card(saved, architecture(saved.architecture).files)
    (half / "README.md").write_text(card, encoding="utf-8")
    (half / SETTINGS).write_text(saved.model_dump_json(indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    half.replace(folder)
