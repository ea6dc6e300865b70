"""The folder of a student: weights, tokenizer, adapter, calibration and model card.

What belongs here: the content of the files. What does not: training (train.py) and grading
(labeler.py). Imported only where a model is needed: it loads torch.
"""

from pathlib import Path
from typing import Any

import pydantic

from relabel_assets.errors import StudentError
from relabel_assets.intake.input_limits import MAX_DOCUMENT_FILE_BYTES
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.one_input import SetAside, reason_of
from relabel_assets.intake.regular_files import read_regular
from relabel_assets.student.calibration import Calibration
from relabel_assets.student.cascade.cascade import Cascade
from relabel_assets.student.late_interaction.head import Head
from relabel_assets.student.late_interaction.stuffing import StuffingGuard
from relabel_assets.student.people.people_calibration import PeopleCalibration

# Files and folders of a student's folder; the weights beside them are named by transformers.
SETTINGS = "student.json"
DOCUMENT_ENCODER = "document_encoder"
ADAPTER = "adapter"


class Settings(pydantic.BaseModel):
    """student.json: everything but the weights.

    `figures` are the dev metrics by name, None without dev pairs.
    """

    model_config = pydantic.ConfigDict(protected_namespaces=(), allow_inf_nan=False)

    model_id: str
    base_model: str
    architecture: str
    method: str
    max_length: int = pydantic.Field(ge=1)
    precision: str = "auto"
    n_grades: int = pydantic.Field(ge=2)
    calibration: Calibration
    cut_points: list[float]
    people: PeopleCalibration | None = None  # with `calibrate: people` only
    head: Head | None = None  # late interaction only
    stuffing: StuffingGuard | None = None  # late interaction with `hardening` only
    token_weight: list[float] = []  # late interaction only
    cascade: Cascade | None = None  # late interaction only
    prompt: dict[str, str] | None = None  # decoders only
    training_set_hash: str
    seed: int
    n_train_pairs: int
    n_dev_pairs: int
    best_epoch: int
    figures: dict[str, float | None]

    @pydantic.model_validator(mode="after")
    def _lengths_agree(self) -> "Settings":
        points = {len(self.cut_points), len(self.calibration.thresholds)}
        if self.people:
            points.add(len(self.people.cut_points))
        if points != {self.n_grades - 1}:
            raise ValueError("its cut points and thresholds do not fit its number of grades")
        return self


def read_settings(folder: Path) -> Settings:
    """The settings of the student in `folder`.

    Raises StudentError where student.json is missing or damaged.

    >>> read_settings(Path("/nowhere"))
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: /nowhere is not a student: student.json cannot be read ...
    """
    try:
        raw = read_regular(folder, SETTINGS, max_bytes=MAX_DOCUMENT_FILE_BYTES)
        return Settings.model_validate(parse_json(raw))
    except (SetAside, OSError, ValueError) as error:
        raise not_a_student(folder, SETTINGS, error) from error


def not_a_student(folder: Path, file: str, error: BaseException) -> StudentError:
    """The error for a folder whose `file` cannot be read.

    A run keeps a student whose folder exists, even a damaged one.

    >>> print(not_a_student(Path("models/x"), SETTINGS, ValueError("no prompt")))
    models/x is not a student: student.json cannot be read (ValueError: no prompt). Remove ...
    """
    return StudentError(
        f"{folder} is not a student: {file} cannot be read ({reason_of(error)}). Remove that folder and "
        "train it again: `relabel run --select student_model+`."
    )


def save_merged(model: Any, tokenizer: Any, folder: Path) -> None:
    """Write the model with its adapter merged, its tokenizer, and the adapter alone into ADAPTER.

    >>> import tempfile
    >>> from transformers import AutoTokenizer, BertConfig, BertModel
    >>> from relabel_assets.student.base import base_path
    >>> small = {"hidden_size": 8, "num_hidden_layers": 1, "num_attention_heads": 1, "intermediate_size": 8}
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     tokenizer = AutoTokenizer.from_pretrained(base_path("embedded"))
    ...     save_merged(BertModel(BertConfig(**small)), tokenizer, Path(folder))
    ...     sorted(file.name for file in Path(folder).iterdir())
    ['config.json', 'model.safetensors', 'tokenizer.json', 'tokenizer_config.json']
    """
    if hasattr(model, "merge_and_unload"):
        model.save_pretrained(folder / ADAPTER)
        model = model.merge_and_unload()
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)


def model_card(settings: Settings, files: str) -> str:
    """The text of the folder's README.md: data, settings, dev metrics and limits.

    `files` describes the files of the architecture, see architectures.py.

    >>> settings = Settings(
    ...     model_id="4f1c", base_model="embedded", architecture="cross_encoder", method="lora",
    ...     max_length=192, n_grades=4, cut_points=[0.5, 1.5, 2.5],
    ...     calibration={"slope": 1.0, "thresholds": [0.0, 1.0, 2.0]},
    ...     training_set_hash="0" * 64, seed=13, n_train_pairs=900, n_dev_pairs=100, best_epoch=2,
    ...     figures={"ndcg_at_10": 0.71},
    ... )
    >>> print(model_card(settings, "a sequence classifier.").splitlines()[-3])
    | ndcg_at_10 | 0.7100 |
    """
    metrics = "\n".join(
        f"| {name} | {'-' if value is None else f'{value:.4f}'} |"
        for name, value in settings.figures.items()
    )
    people = ""
    if settings.people:
        people = (
            f"\n- Its grades are calibrated to people's: {settings.people.n_pairs} pairs of "
            f"{settings.people.n_queries} queries that were not in training."
        )
    return f"""---
library_name: transformers
tags: [relevance, {settings.architecture.replace("_", "-")}]
---
# Student {settings.model_id}

Grades (query, document) pairs from 0 to {settings.n_grades - 1}, as its teacher does.

- Base: {settings.base_model}. The embedded base is all-MiniLM-L6-v2, Apache-2.0.
- Training: {settings.method}; {settings.n_train_pairs} pairs with a teacher's grade (SHA-256
  {settings.training_set_hash}), seed {settings.seed}. {settings.n_dev_pairs} dev pairs chose epoch
  {settings.best_epoch} (0 is the untrained base). Calibration and cut points were then fitted to all of
  them; the metrics below are of the student before any part of it was fitted to a grade of dev.
- Files: {files} `{ADAPTER}/` is the adapter alone; `{SETTINGS}` holds calibration and cut points.{people}

| dev metric, against the teacher | value |
|---|---|
{metrics}

Limits: it knows the corpus it was trained on. Another corpus needs a student of its own.
"""
