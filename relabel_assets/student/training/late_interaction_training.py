"""The training of the late-interaction student.

What belongs here: its parts and their order. What does not: the student itself
(late_interaction/student.py) and the loop over epochs (fit.py). Imported only where a model is needed:
it loads torch.

First the query encoder learns to rank documents, whose vectors stay those of the base
(query_learner.py). Then corpus statistics are computed (corpus_statistics.py). Then the head is fitted to
features and grades (head.py). Last the guard is fitted to stuffed documents (stuffing.py).
"""

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.progress import Progress, renamed
from relabel_assets.student.base import base_path
from relabel_assets.student.grader import TrainedGrader, TrainingTask
from relabel_assets.student.late_interaction.cache import iter_encoded_documents
from relabel_assets.student.late_interaction.corpus_statistics import compute_corpus_statistics
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.features import FEATURE_NAMES, PRIOR_WEIGHTS
from relabel_assets.student.late_interaction.head import (
    Head,
    choose_decay,
    fit_head,
    held_out_scores,
)
from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets.student.late_interaction.query_learner import QueryEncoderLearner
from relabel_assets.student.late_interaction.scoring import (
    feature_matrix,
    late_interaction_scores,
)
from relabel_assets.student.late_interaction.student import (
    LateInteraction,
    evidence_of,
    with_mean_vectors,
)
from relabel_assets.student.late_interaction.stuffing import StuffingGuard, fit_stuffing_guard
from relabel_assets.student.runtime.encoder import Encoder, load_encoder
from relabel_assets.student.runtime.precision import InferenceCopy
from relabel_assets.student.training.epochs import Epoch
from relabel_assets.student.training.fit import fit, graded_queries, with_lora

# LoRA has few weights, which start without effect, so it takes larger steps than a pretrained encoder.
# Other rates were not measured.
_LEARNING_RATE = {"lora": 1e-4, "full": 1e-5}
# Half the rank of the architectures that adapt the reading of documents too. Not measured.
_LORA_RANK = 8


def train(task: TrainingTask) -> TrainedGrader:
    """Train the query encoder on the task's train pairs, then fit head and guard.

    Both are fitted twice. The first fit, to the train pairs, gives the dev metrics. The second, to
    all pairs, is the student's own.

    >>> from relabel_assets.corpus.config.student_config import StudentConfig
    >>> from relabel_assets.progress import silent
    >>> from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> texts = {name: ["parental leave", "train tickets"] for name in DOCUMENT_COLUMNS}
    >>> keys = {"query_id": ["q1", "q1"], "text": ["leave of parents"] * 2, "doc_id": ["d1", "d2"]}
    >>> pairs = pl.DataFrame({**keys, "grade": [3, 0], **texts})
    >>> config, is_train, no_dev = StudentConfig(epochs=0), pl.Series([True, True]), lambda scores: None
    >>> task = TrainingTask(pairs, is_train, pairs.clear(), pairs, config, default_rubric(), no_dev, silent)
    >>> trained = train(task)
    >>> bool(trained.scores[0] > trained.scores[1])
    True
    """
    config, pairs, stuffed = task.config, task.pairs, task.stuffed
    document_encoder = load_encoder(
        base_path(config.base_model), config.max_length, config.precision
    )
    encoded = dict(iter_encoded_documents(document_encoder, pairs, task.progress, store=task.store))
    scorer, history = _train_scorer(task, document_encoder, encoded)
    statistics = compute_corpus_statistics(
        document_encoder, encoded, pairs, task.corpus, config.seed, task.progress, task.store
    )
    vectors: dict[str, NDArray] = {}
    documents = with_mean_vectors(encoded.items(), vectors)
    features = feature_matrix(scorer, documents, pairs, statistics, progress=task.progress)
    stuffed_documents = iter_encoded_documents(
        document_encoder, stuffed, task.progress, store=task.store, noun="stuffed documents"
    )
    stuffed_features = feature_matrix(scorer, stuffed_documents, stuffed, statistics)

    def fitted(is_chosen: NDArray) -> "_Fitted":
        chosen = pairs.filter(pl.Series(is_chosen))
        of_chosen = stuffed["query_id"].is_in(chosen["query_id"].implode())
        return _fit(
            features[is_chosen],
            chosen,
            stuffed_features[of_chosen.to_numpy()],
            stuffed.filter(of_chosen),
            config.seed,
            task.progress,
        )

    is_train, is_all = task.is_train.to_numpy(), np.ones(pairs.height, dtype=bool)
    on_train = fitted(is_train)
    own = on_train if is_train.all() else fitted(is_all)
    scores_without_dev = np.empty(pairs.height)
    scores_without_dev[is_train] = on_train.held_out_scores
    scores_without_dev[~is_train] = on_train.scores(features[~is_train])
    return TrainedGrader(
        grader=LateInteraction(scorer, document_encoder, statistics, own.head, own.guard),
        scores=own.held_out_scores,
        is_unseen=is_all,
        scores_without_dev=scores_without_dev,
        history=history,
        evidence=evidence_of(features, vectors, pairs, own.head),
    )


@dataclass(frozen=True)
class _Fitted:
    """A head and a guard, and the score of each of its pairs by heads fitted without its query.

    These scores are without the guard: the cut points must lie where the guard's floor expects them.
    """

    head: Head
    guard: StuffingGuard | None
    held_out_scores: NDArray

    def scores(self, features: NDArray) -> NDArray:
        """The score of each row of `features`, (N,) from (N, F)."""
        scores = self.head.scores(features)
        return self.guard.guarded(scores, features) if self.guard else scores


def _train_scorer(
    task: TrainingTask, document_encoder: Encoder, encoded: Mapping[str, EncodedDocument]
) -> tuple[QueryScorer, list[Epoch]]:
    """Train a copy of the document encoder on the train pairs as query encoder; with its epochs."""
    config = task.config
    query_encoder = Encoder(
        copy.deepcopy(document_encoder.model),
        document_encoder.tokenizer,
        document_encoder.max_length,
        InferenceCopy(config.precision),
    )
    if config.method == "lora":
        query_encoder.model = with_lora(query_encoder.model, rank=_LORA_RANK)
    scorer = QueryScorer(query_encoder)
    vectors = {doc_id: document.token_vectors for doc_id, document in encoded.items()}
    learning_rate = config.learning_rate or _LEARNING_RATE[config.method]
    dev, progress = task.dev_pairs, renamed(task.progress, "measuring dev, pairs")

    def dev_metric() -> float | None:
        if dev.is_empty():
            return None
        return task.dev_metric(late_interaction_scores(scorer, encoded.items(), dev, progress))

    history = fit(
        QueryEncoderLearner(scorer, learning_rate, vectors),
        graded_queries(task.train_pairs),
        epochs=config.epochs,
        seed=config.seed,
        dev_metric=dev_metric,
        progress=task.progress,
    )
    return scorer, history


def _fit(
    features: NDArray,
    pairs: pl.DataFrame,
    stuffed_features: NDArray,
    stuffed: pl.DataFrame,
    seed: int,
    progress: Progress,
) -> _Fitted:
    """Fit head and guard to graded `pairs` (N) and `stuffed` pairs (M) with these features."""
    grades, queries = pairs["grade"].to_numpy(), pairs["query_id"].to_list()
    weighed: dict[str, Any] = {"names": FEATURE_NAMES, "seed": seed, "prior": PRIOR_WEIGHTS}
    choosing = renamed(progress, "choosing the head's decay, fits")
    decay = choose_decay(features, grades, queries, **weighed, progress=choosing)
    head = fit_head(features, grades, queries, **weighed, decay=decay, progress=progress)
    held_out = renamed(progress, "fitting the head without some queries, fits")
    scores = held_out_scores(features, grades, queries, **weighed, decay=decay, progress=held_out)
    guard = fit_stuffing_guard(
        features,
        grades,
        queries,
        scores,
        stuffed_features,
        stuffed["query_id"].to_list(),
        names=FEATURE_NAMES,
        seed=seed,
        progress=progress,
    )
    return _Fitted(head, guard, scores)
