"""A student as a folder: weights, tokenizer, adapter, calibration and model card.

What belongs here: what the files say. What does not: training (trainer.py) and grading (labeler.py).
"""

from pathlib import Path
from typing import Any

import pydantic
import torch
import yaml
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from scipy.sparse import csr_array

from relabel_assets.errors import StudentError
from relabel_assets.student.calibration import Calibration
from relabel_assets.student.late_interaction.corpus_statistics import Background, Collection, Feedback, Lexicon
from relabel_assets.student.late_interaction.head import Head

SETTINGS = "student.json"
DOCUMENT_ENCODER = "document_encoder"
ADAPTER = "adapter"
EVIDENCE = "evidence.safetensors"


class Settings(pydantic.BaseModel):
    """student.json: everything but the weights."""

    model_config = pydantic.ConfigDict(protected_namespaces=())

    model_id: str
    base_model: str
    architecture: str
    method: str
    max_length: int
    precision: str = "auto"
    n_grades: int
    calibration: Calibration
    cut_points: list[float]
    head: Head | None = None  # late interaction only, as token_weight
    token_weight: list[float] = []
    prompt: dict[str, str] | None = None  # decoders only
    training_set_hash: str
    seed: int
    n_train_pairs: int
    n_dev_pairs: int
    best_epoch: int
    figures: dict[str, float | None]


def read_settings(folder: Path) -> Settings:
    """Raises StudentError where the folder is not a whole student."""
    try:
        return Settings.model_validate_json((folder / SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise not_a_student(folder, SETTINGS, error) from error


def not_a_student(folder: Path, file: str, error: Exception) -> StudentError:
    return StudentError(
        f"{folder} is not a student: {file} cannot be read ({type(error).__name__}). Train it again: "
        "`relabel run --select student_model`."
    )


def save_merged(model: Any, tokenizer: Any, folder: Path) -> None:
    """The model with its adapter merged, which is kept alone in ADAPTER too, and its tokenizer."""
    if hasattr(model, "merge_and_unload"):
        model.save_pretrained(folder / ADAPTER)
        model = model.merge_and_unload()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def yaml_of(values: dict[str, str]) -> str:
    return yaml.safe_dump(values)


def save_evidence(folder: Path, collection: Collection) -> None:
    lexicon, background, feedback = collection.lexicon, collection.background, collection.feedback
    tensors = {
        "idf": torch.tensor(lexicon.idf),
        "mean_length": torch.tensor(lexicon.mean_length, dtype=torch.float64),
        "vectors": background.vectors.half().contiguous(),
        "lengths": torch.tensor(background.lengths),
        "words": torch.tensor([i for ids in background.words for i in ids], dtype=torch.int32),
        "n_words": torch.tensor([len(ids) for ids in background.words]),
        "feedback_vectors": feedback.vectors.half().contiguous(),
        "feedback_document": torch.tensor(feedback.document, dtype=torch.int32),
        "feedback_words": torch.tensor(feedback.counts.indices, dtype=torch.int32),
        "feedback_counts": torch.tensor(feedback.counts.data, dtype=torch.int32),
        "feedback_ends": torch.tensor(feedback.counts.indptr, dtype=torch.int64),
    }
    save_file(tensors, folder / EVIDENCE)


def read_evidence(folder: Path) -> Collection:
    """What save_evidence wrote. Raises StudentError where the file is missing or not whole."""
    try:
        tensors = load_file(folder / EVIDENCE)
        words = [part.tolist() for part in tensors["words"].split(tensors["n_words"].tolist())]
        lexicon = Lexicon(tensors["idf"].numpy(), tensors["mean_length"].item())
        background = Background(tensors["vectors"].float(), words, tensors["lengths"].tolist())
        ends = tensors["feedback_ends"].numpy()
        counts = csr_array(
            (tensors["feedback_counts"].numpy(), tensors["feedback_words"].numpy(), ends),
            (len(ends) - 1, len(lexicon.idf)),
        )
        vectors, document = tensors["feedback_vectors"].float(), tensors["feedback_document"].numpy()
        return Collection(lexicon, background, Feedback(vectors, document, counts, lexicon))
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise not_a_student(folder, EVIDENCE, error) from error


_FILES = {
    "late_interaction": (
        f"this folder is the query encoder, adapter merged; `{DOCUMENT_ENCODER}/` encodes documents, where it is there, else "
        f"this folder does too; `{EVIDENCE}` has what the head's figures need to know of\n  the corpus. Vectors and word counts of its documents are among it: share it as you would share them."
    ),
    "cross_encoder": (
        "this folder loads as a sequence classifier with one logit in plain transformers, and as a CrossEncoder in "
        "sentence-transformers; a pair is the query, and the document's header and body."
    ),
    "decoder": "this folder loads as a causal language model; its prompt is in `student.json`.",
}


def model_card(settings: Settings) -> str:
    """README.md of the folder: data, settings, figures and limits."""
    figures = "\n".join(
        f"| {name} | {'-' if value is None else f'{value:.4f}'} |" for name, value in settings.figures.items()
    )
    return f"""---
library_name: transformers
tags: [relevance, {settings.architecture.replace("_", "-")}]
---
# Student {settings.model_id}

Grades (query, document) pairs from 0 to {settings.n_grades - 1}, as its teacher does.

- Base: {settings.base_model}. The embedded base is all-MiniLM-L6-v2, Apache-2.0.
- Training: {settings.method}; {settings.n_train_pairs} pairs of a teacher's grades (SHA-256
  {settings.training_set_hash}), seed {settings.seed}; {settings.n_dev_pairs} dev pairs chose epoch
  {settings.best_epoch} (0 is the untrained base). What turns its scores into grades was then
  fitted to both; the figures below are of the student before it had seen a grade of dev.
- Files: {_FILES[settings.architecture]} `{ADAPTER}/` is the adapter alone; `{SETTINGS}` holds calibration and cut points.

| figure on dev, against the teacher | value |
|---|---|
{figures}

Limits: it knows the corpus it was trained on. Another corpus wants a student of its own.
"""
