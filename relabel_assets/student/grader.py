"""The types that all architectures of students share: a grader, a training task and its result.

What belongs here: these types, without torch. What does not: the architectures themselves
(late_interaction/, cross_encoder.py, decoder/) and choosing one by name (architectures.py).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import polars as pl
from numpy.typing import NDArray

from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.rubric import Rubric
from relabel_assets.student.training.epochs import Epoch
from relabel_assets.student.vectors.store import VectorStore


class Grader(Protocol):
    """A model that scores pairs: a higher score for a document that answers the query better."""

    def scores(self, pairs: pl.DataFrame, progress: Progress = silent) -> NDArray:
        """The score of each row of `pairs`, (N,), in its order."""
        ...

    def with_store(self, store: VectorStore) -> "Grader":
        """The same grader, which keeps vectors of documents in `store` where it reads documents apart."""
        ...

    def save(self, folder: Path) -> dict[str, Any]:
        """Write the model's files into `folder`, and return the model's part of student.json."""
        ...


@dataclass(frozen=True)
class PairEvidence:
    """What a grader computes of N pairs for a cascade (student/cascade/), beside their scores.

    `vectors` (N, H) are the documents' unit mean vectors, `features` (N, F) the pairs' z-scores.
    """

    vectors: NDArray
    features: NDArray


@runtime_checkable
class EvidenceGrader(Grader, Protocol):
    """A grader that can be the first stage of a cascade."""

    def scores_and_evidence(
        self, pairs: pl.DataFrame, progress: Progress = silent
    ) -> tuple[NDArray, PairEvidence]:
        """The score of each row of `pairs`, (N,), and its evidence."""
        ...


@dataclass(frozen=True)
class TrainingTask:
    """The data and the settings of one training.

    `pairs` are graded train and dev pairs (see pairs.training_pairs), and `is_train` (N,) marks the
    train pairs. `stuffed` has pairs of their queries with stuffed documents (stuffed_documents.py),
    or none. `corpus` has documents of the corpus, graded or not (see corpus_sample).
    `dev_metric` measures scores of the dev pairs, (M,) in their order; None without dev pairs. Vectors
    of documents are kept in `store`.
    """

    pairs: pl.DataFrame
    is_train: pl.Series
    stuffed: pl.DataFrame
    corpus: pl.DataFrame
    config: StudentConfig
    rubric: Rubric
    dev_metric: Callable[[NDArray], float | None]
    progress: Progress
    store: VectorStore = field(default_factory=VectorStore)

    @property
    def train_pairs(self) -> pl.DataFrame:
        """The train rows of `pairs`."""
        return self.pairs.filter(self.is_train)

    @property
    def stuffed_train_pairs(self) -> pl.DataFrame:
        """The rows of `stuffed` with a train query."""
        return self.stuffed.join(self.train_pairs, on="query_id", how="semi", maintain_order="left")

    @property
    def dev_pairs(self) -> pl.DataFrame:
        """The dev rows of `pairs`."""
        return self.pairs.filter(~self.is_train)


@dataclass(frozen=True)
class TrainedGrader:
    """A grader after training, its epochs, and two scores of every pair of the task, (N,) each.

    `scores` are for the calibration, on the rows of `is_unseen` (N,): nothing that made them was
    fitted to the grade of their pair, as far as that can be. `scores_without_dev` are from before any
    part of the grader was fitted to dev grades: dev metrics are computed on these. `evidence` is of
    the pairs too; None for a grader that cannot be the first stage of a cascade.
    """

    grader: Grader
    scores: NDArray
    is_unseen: NDArray
    scores_without_dev: NDArray
    history: Sequence[Epoch]
    evidence: PairEvidence | None = None
