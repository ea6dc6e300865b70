"""A student as a folder: weights, tokenizer, adapter, calibration and model card.

What belongs here: what the files say. What does not: training (trainer.py) and grading (labeler.py).
"""

from pathlib import Path

import pydantic
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from relabel_assets.core.student.calibration import Calibration
from relabel_assets.core.student.evidence import Background, Lexicon
from relabel_assets.core.student.head import Head
from relabel_assets.errors import StudentError

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
    n_grades: int
    head: Head
    calibration: Calibration
    cut_points: list[float]
    token_weight: list[float]
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
        raise _not_a_student(folder, SETTINGS, error) from error


def save_evidence(folder: Path, lexicon: Lexicon, background: Background) -> None:
    tensors = {
        "idf": torch.tensor(lexicon.idf),
        "mean_length": torch.tensor(lexicon.mean_length, dtype=torch.float64),
        "vectors": background.vectors.half().contiguous(),
        "lengths": torch.tensor(background.lengths),
        "words": torch.tensor([i for ids in background.words for i in ids], dtype=torch.int32),
        "n_words": torch.tensor([len(ids) for ids in background.words]),
    }
    save_file(tensors, folder / EVIDENCE)


def read_evidence(folder: Path) -> tuple[Lexicon, Background]:
    """Raises StudentError where the file is missing or not whole."""
    try:
        tensors = load_file(folder / EVIDENCE)
        words = [part.tolist() for part in tensors["words"].split(tensors["n_words"].tolist())]
        lexicon = Lexicon(tensors["idf"].numpy(), tensors["mean_length"].item())
        return lexicon, Background(tensors["vectors"].float(), words, tensors["lengths"].tolist())
    except (OSError, ValueError, KeyError, SafetensorError) as error:
        raise _not_a_student(folder, EVIDENCE, error) from error


def _not_a_student(folder: Path, file: str, error: Exception) -> StudentError:
    return StudentError(
        f"{folder} is not a student: {file} cannot be read ({type(error).__name__}). Train it again: "
        "`relabel run --select student_model`."
    )


def model_card(settings: Settings) -> str:
    """README.md of the folder: data, settings, figures and limits."""
    figures = "\n".join(
        f"| {name} | {'-' if value is None else f'{value:.4f}'} |" for name, value in settings.figures.items()
    )
    return f"""---
library_name: transformers
tags: [relevance, late-interaction]
---
# Student {settings.model_id}

Grades (query, document) pairs from 0 to {settings.n_grades - 1}, as its teacher does.

- Base: {settings.base_model}. The embedded base is all-MiniLM-L6-v2, Apache-2.0.
- Training: {settings.method} on the query side, over document vectors of the base; {settings.n_train_pairs} pairs of a
  teacher's grades (SHA-256 {settings.training_set_hash}), seed {settings.seed}; {settings.n_dev_pairs} dev pairs chose
  epoch {settings.best_epoch} (0 is the untrained base).
- This folder is the query encoder with the adapter merged; `{DOCUMENT_ENCODER}/` encodes documents; `{ADAPTER}/` is the
  adapter alone; `{SETTINGS}` holds token weights, the head, calibration and cut points; `{EVIDENCE}` word statistics and
  the background that the head's figures need.

| figure on dev, against the teacher | value |
|---|---|
{figures}

Limits: it knows the corpus it was trained on. Another corpus wants a student of its own.
"""
