"""From graded pairs to a student's folder.

What belongs here: the order of things: encode, train, weigh, calibrate, measure on dev, save. Imported only where a model is
needed.
"""

import copy
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import torch

from relabel_assets.core.corpus_config import StudentConfig
from relabel_assets.core.cut_points import grades_from
from relabel_assets.core.metrics import kappa, ndcg_at_10, pairwise
from relabel_assets.core.pairs import DOCUMENT_COLUMNS
from relabel_assets.core.progress import Progress, silent
from relabel_assets.core.student import storage, training
from relabel_assets.core.student.base import base_path
from relabel_assets.core.student.calibration import expected_calibration_error, expected_grades
from relabel_assets.core.student.encoder import Encoder, load_encoder
from relabel_assets.core.student.evidence import NAMES, Background, Lexicon, ReadDocument
from relabel_assets.core.student.head import fit_head
from relabel_assets.core.student.identity import student_id, training_set_hash
from relabel_assets.core.student.labeler import Weighing, calibrate, documents_in_chunks, pair_figures
from relabel_assets.core.student.late_interaction import QueryScorer
from relabel_assets.errors import StudentError

_BACKGROUND = 64  # documents; each costs every query one more comparison


@dataclass(frozen=True)
class TrainedStudent:
    """What student_model says of a student, and its figures by epoch."""

    settings: storage.Settings
    history: list[training.Epoch]
    train_s: float


def train_student(
    pairs: pl.DataFrame, *, config: StudentConfig, n_grades: int, folder: Path, progress: Progress = silent
) -> TrainedStudent:
    """Train on the train split of `pairs` (see pairs.training_pairs), stop on dev, and put the student in `folder`.

    Raises StudentError where no train pair is graded, or the architecture is not there.
    """
    started = time.monotonic()
    if config.architecture != "late_interaction":
        raise StudentError(
            f"student.architecture {config.architecture!r} is not there yet. There is: late_interaction."
        )
    train, dev = (pairs.filter(pl.col("split") == split) for split in ("train", "dev"))
    if train.is_empty():
        raise StudentError(
            "no training pair has a grade, so there is nothing to learn from. See teacher_labels.status."
        )
    documents_encoder = load_encoder(base_path(config.base_model), config.max_length)
    scorer = QueryScorer(
        Encoder(copy.deepcopy(documents_encoder.model), documents_encoder.tokenizer, documents_encoder.max_length)
    )
    documents = dict(documents_in_chunks(documents_encoder, pairs, progress))
    places = {doc_id: place for place, doc_id in enumerate(documents)}
    vectors = [document.vectors.clone() for document in documents.values()]  # out of inference mode

    def graded(rows: pl.DataFrame) -> list[training.GradedQuery]:
        queries = (
            rows.sort("query_id", "doc_id").group_by("query_id", "text", maintain_order=True).agg("doc_id", "grade")
        )
        ids = scorer.encoder.token_ids(queries["text"].to_list()) if queries.height else []
        return [
            training.GradedQuery(
                query, [places[doc_id] for doc_id in doc_ids], torch.tensor(grades, dtype=torch.float32)
            )
            for query, doc_ids, grades in zip(ids, queries["doc_id"].to_list(), queries["grade"].to_list(), strict=True)
        ]

    def scores(rows: pl.DataFrame) -> np.ndarray:
        asked = rows.unique("query_id", maintain_order=True)
        queries = dict(zip(asked["query_id"], scorer.grade_queries(asked["text"].to_list()), strict=True))
        with torch.inference_mode():
            return np.array(
                [
                    scorer.pair_score(queries[q], vectors[places[d]])
                    for q, d in rows.select("query_id", "doc_id").iter_rows()
                ]
            )

    def figure(_: QueryScorer) -> float | None:
        if dev.is_empty():
            return None
        graded_dev = dev.select("query_id", "doc_id", "grade", score=pl.Series(scores(dev)))
        return float(
            np.mean(
                [
                    value
                    for value in (ndcg_at_10(graded_dev), pairwise(graded_dev)["pairwise_half"])
                    if value is not None
                ]
                or [0.0]
            )
        )

    history = training.fit(
        scorer, graded(train), vectors, method=config.method, epochs=config.epochs, learning_rate=config.learning_rate,
        seed=config.seed, figure=figure, progress=progress,
    )  # fmt: skip
    weighing, train_figures = _weigh(scorer, documents_encoder, documents, train, config.seed)
    calibration, points = calibrate(weighing.head.scores(train_figures), train["grade"].to_numpy(), n_grades)
    figures: dict[str, float | None] = dict.fromkeys(
        ("ndcg_at_10", "pairwise_half", "kappa_quadratic", "calibration_error")
    )
    if not dev.is_empty():
        dev_figures = pair_figures(scorer, documents.items(), dev, weighing.lexicon, weighing.background)
        probs = calibration.grade_probs(weighing.head.scores(dev_figures))
        expected = expected_grades(probs)
        frame = dev.select("query_id", "doc_id", "grade", score=pl.Series(expected))
        figures = {
            "ndcg_at_10": ndcg_at_10(frame),
            "pairwise_half": pairwise(frame)["pairwise_half"],
            "kappa_quadratic": kappa(dev["grade"].to_numpy(), grades_from(expected, points), weights="quadratic"),
            "calibration_error": expected_calibration_error(probs, dev["grade"].to_numpy()),
        }
    set_hash = training_set_hash(pairs)
    settings = storage.Settings(
        model_id=student_id(set_hash, config, n_grades), base_model=config.base_model, architecture=config.architecture,
        method=config.method, max_length=config.max_length, n_grades=n_grades, head=weighing.head, calibration=calibration, cut_points=points,
        token_weight=scorer.token_weight.tolist(), training_set_hash=set_hash, seed=config.seed, n_train_pairs=train.height,
        n_dev_pairs=dev.height, best_epoch=training.best_epoch(history), figures=figures,
    )  # fmt: skip
    _save(scorer, documents_encoder, weighing, settings, folder)
    return TrainedStudent(settings, history, time.monotonic() - started)


def _weigh(
    scorer: QueryScorer, encoder: Encoder, documents: Mapping[str, ReadDocument], train: pl.DataFrame, seed: int
) -> tuple[Weighing, np.ndarray]:
    """The head fitted on the train pairs, with the words and the background it needs; and their figures, (N, F)."""
    lexicon = Lexicon.of(list(documents.values()), len(encoder.tokenizer))
    texts = train.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
    background = Background.of(encoder, texts.sample(min(_BACKGROUND, texts.height), seed=seed).to_dicts())
    figures = pair_figures(scorer, documents.items(), train, lexicon, background)
    head = fit_head(figures, train["grade"].to_numpy(), train["query_id"].to_list(), names=NAMES, seed=seed)
    return Weighing(lexicon, background, head), figures


def _save(
    scorer: QueryScorer, documents_encoder: Encoder, weighing: Weighing, settings: storage.Settings, folder: Path
) -> None:
    """Write beside `folder`, then rename: a half-written student is never where one is looked for."""
    half = folder.with_name(f".{folder.name}.half")
    shutil.rmtree(half, ignore_errors=True)
    half.mkdir(parents=True)
    model = scorer.model
    if hasattr(model, "merge_and_unload"):
        model.save_pretrained(half / storage.ADAPTER)  # type: ignore[operator]
        model = model.merge_and_unload()  # type: ignore[operator]
    model.save_pretrained(half)  # type: ignore[operator]
    scorer.encoder.tokenizer.save_pretrained(half)
    documents_encoder.model.save_pretrained(half / storage.DOCUMENT_ENCODER)  # type: ignore[operator]
    documents_encoder.tokenizer.save_pretrained(half / storage.DOCUMENT_ENCODER)
    storage.save_evidence(half, weighing.lexicon, weighing.background)
    (half / "README.md").write_text(storage.model_card(settings), encoding="utf-8")
    (half / storage.SETTINGS).write_text(settings.model_dump_json(indent=1), encoding="utf-8")
    shutil.rmtree(folder, ignore_errors=True)
    half.replace(folder)
