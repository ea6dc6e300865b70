"""The architectures of students by name, and everything that depends on the name.

What belongs here: how each architecture is loaded, used untrained, and trained. What does not: the
models (late_interaction/, cross_encoder.py, decoder/). Their modules load torch, so the functions
that need them import them.

A new architecture needs a name in tables/schemas.py STUDENT_ARCHITECTURES, a class here, and a grader.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.errors import StudentError
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.base import base_path
from relabel_assets.student.grader import Grader, TrainedGrader, TrainingTask

if TYPE_CHECKING:  # it loads torch
    from relabel_assets.student.folder import Settings


class Architecture(Protocol):
    """A kind of student: it makes graders, which score pairs and save themselves.

    `files` describes the student's folder in the model card. `uses_corpus`: a score depends on the
    documents of the corpus beside the pair. `reads_rubric`: the model's input has the rubric.
    `reads_excerpts`: of a body over max_length, it reads the passages nearest the query.
    """

    files: str
    uses_corpus: bool
    reads_rubric: bool
    reads_excerpts: bool

    def load(self, folder: Path, settings: "Settings") -> Grader:
        """The student saved in `folder`. Raises StudentError where it is damaged."""
        ...

    def untrained(self, config: StudentConfig, rubric: Rubric) -> Grader:
        """The base model without training, the baseline. Raises StudentError where it cannot be loaded."""
        ...

    def train(self, task: TrainingTask) -> TrainedGrader:
        """Train a student on `task`. Raises StudentError where its base cannot be loaded."""
        ...


class _LateInteraction:
    files = (
        "this folder is the query encoder, adapter merged; `document_encoder/` encodes documents.\n"
        "  It loads as a MultiVectorEncoder in sentence-transformers 6.\n"
        "  `evidence.safetensors` is what the student knows of the corpus. It holds vectors and word\n"
        "  counts of the corpus' documents: share it as you would share them."
    )
    uses_corpus = True
    reads_rubric = False
    reads_excerpts = False

    def load(self, folder: Path, settings: "Settings") -> Grader:
        from relabel_assets.student.late_interaction.student import LateInteraction

        return LateInteraction.load(folder, settings)

    def untrained(self, config: StudentConfig, rubric: Rubric) -> Grader:
        from relabel_assets.student.late_interaction.student import LateInteraction

        return LateInteraction.untrained(config)

    def train(self, task: TrainingTask) -> TrainedGrader:
        from relabel_assets.student.training.late_interaction_training import train

        return train(task)


class _CrossEncoder:
    files = (
        "this folder loads as a sequence classifier with one logit in plain transformers, and as a\n"
        "  CrossEncoder in sentence-transformers. A pair is the query, and the document's header and body."
    )
    uses_corpus = False
    reads_rubric = False
    reads_excerpts = True

    def load(self, folder: Path, settings: "Settings") -> Grader:
        from relabel_assets.student.cross_encoder import CrossEncoder
        from relabel_assets.student.folder import not_a_student

        grader = CrossEncoder.load(str(folder), settings.max_length, settings.precision)
        if grader.is_fresh:
            raise not_a_student(folder, "a weight", ValueError("it has no trained head"))
        return grader

    def untrained(self, config: StudentConfig, rubric: Rubric) -> Grader:
        """A published reranker as it is; any other encoder, without a trained head, by late interaction."""
        from relabel_assets.student.cross_encoder import CrossEncoder

        base = base_path(config.base_model)
        reranker = CrossEncoder.load(base, config.max_length, config.precision)
        if not reranker.is_fresh:
            return reranker
        return ARCHITECTURES["late_interaction"].untrained(config, rubric)

    def train(self, task: TrainingTask) -> TrainedGrader:
        from relabel_assets.student.cross_encoder import CrossEncoder

        grader = CrossEncoder.to_train(task.config)
        return grader.learner(task.config, task.pairs, task.rubric.n_grades).train(task)


class _Decoder:
    files = "this folder loads as a causal language model; its prompt is in `student.json`."
    uses_corpus = False
    reads_rubric = True
    reads_excerpts = True

    def load(self, folder: Path, settings: "Settings") -> Grader:
        from relabel_assets.student.decoder.decoder import Decoder
        from relabel_assets.student.decoder.prompt import saved_prompt
        from relabel_assets.student.folder import SETTINGS, not_a_student

        if settings.prompt is None:
            raise not_a_student(folder, SETTINGS, ValueError("no prompt"))
        prompt = saved_prompt(**settings.prompt)
        return Decoder.load(
            str(folder), settings.max_length, prompt, settings.n_grades, settings.precision
        )

    def untrained(self, config: StudentConfig, rubric: Rubric) -> Grader:
        from relabel_assets.student.decoder.decoder import Decoder
        from relabel_assets.student.decoder.prompt import student_prompt

        base, prompt = base_path(config.base_model), student_prompt(rubric, config.prompt)
        return Decoder.load(base, config.max_length, prompt, rubric.n_grades, config.precision)

    def train(self, task: TrainingTask) -> TrainedGrader:
        from relabel_assets.student.decoder.learner import DigitLearner

        return DigitLearner.start(task.config, task.rubric, task.pairs).train(task)


ARCHITECTURES: dict[str, Architecture] = {
    "late_interaction": _LateInteraction(),
    "cross_encoder": _CrossEncoder(),
    "decoder": _Decoder(),
}


def architecture(name: str) -> Architecture:
    """The architecture of that name.

    Raises StudentError for an unknown name, which a student of a later version may have.

    >>> architecture("decoder").reads_rubric
    True
    >>> architecture("two_tower")
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: the student's architecture 'two_tower' is not known. ...
    """
    if name not in ARCHITECTURES:
        raise StudentError(
            f"the student's architecture {name!r} is not known. "
            f"Architectures: {', '.join(ARCHITECTURES)}. "
            "Install the version that trained it; or remove its folder and train it again: "
            "`relabel run --select student_model+`."
        )
    return ARCHITECTURES[name]
