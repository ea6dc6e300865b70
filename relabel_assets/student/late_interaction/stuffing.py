"""The stuffing guard: it lowers the score of documents that carry a query's words and do not answer.

What belongs here: fitting and applying the guard. What does not: making stuffed documents
(student/stuffed_documents.py) and the features (features.py). Imported only where a model is needed:
it loads torch.

The guard is a second head over the same features. It tells stuffed documents (stuffed_documents.py)
from documents with a grade above 0:

    score = head's score - 3 * max(0, guard's score - limit)

Fitting one head to both kinds was measured: it costs the honest pairs .03 NDCG@10, and this does .006
(docs/experiments.md). Below the limit the guard changes nothing.
"""

from collections.abc import Sequence

import numpy as np
import pydantic
from numpy.typing import NDArray

from relabel_assets.progress import Progress, silent
from relabel_assets.student.late_interaction.head import DECAYS, Head, fit_head, held_out_scores

# In units of the score for each unit above the limit; both are log odds. Measured beside .5, 1, 2, 5, 10
# and 30 (docs/experiments.md).
_PENALTY = 3.0
# The limit: the guard lowers 3 % of the relevant documents of training. Measured beside 95 to 99 %.
_SHARE_BELOW_LIMIT = 0.97


class StuffingGuard(pydantic.BaseModel):
    """A head whose score is high for stuffed documents, and the `limit` above which it counts.

    >>> head = Head(names=["covered_by_title"], mean=[0.0], spread=[1.0], weight=[1.0])
    >>> StuffingGuard(head=head, limit=0.5).penalty(np.array([[0.2], [0.9]])).round(6).tolist()
    [0.0, 1.2]
    """

    model_config = pydantic.ConfigDict(allow_inf_nan=False)

    head: Head
    limit: float

    def penalty(self, features: NDArray) -> NDArray:
        """What is taken from the score of each row of `features`, (N,) from (N, F); at least 0."""
        return _penalty_of(self.head.scores(features), self.limit)


def fit_stuffing_guard(
    features: NDArray,
    grades: NDArray,
    queries: Sequence[str],
    stuffed_features: NDArray,
    stuffed_queries: Sequence[str],
    *,
    names: Sequence[str],
    seed: int,
    progress: Progress = silent,
) -> tuple[StuffingGuard | None, NDArray]:
    """The guard, and the penalty (N,) of each pair by guards that were fitted without its query.

    `features` (N, F), `grades` and `queries` (N,) are of the training pairs, `stuffed_features`
    (M, F) and `stuffed_queries` (M,) of pairs with stuffed documents. None, and no penalty, without
    stuffed documents or without a grade above 0.

    >>> features, grades = np.array([[0.0], [0.1], [0.9]]), np.array([3, 2, 0])
    >>> guard, penalties = fit_stuffing_guard(
    ...     features, grades, ["q1", "q2", "q2"], np.array([[1.0]]), ["q1"], names=["bm25"], seed=13
    ... )
    >>> bool(guard.penalty(np.array([[1.0]])) > guard.penalty(np.array([[0.0]])))
    True
    """
    is_relevant = grades > 0
    if not len(stuffed_features) or not is_relevant.any():
        return None, np.zeros(len(features))
    rows = np.concatenate([features[is_relevant], stuffed_features])
    is_stuffed = np.repeat([0, 1], [is_relevant.sum(), len(stuffed_features)])
    row_queries = [*np.array(queries)[is_relevant], *stuffed_queries]
    # The least decay, without a choice: the features are few and the two kinds are far apart.
    head = fit_head(
        rows, is_stuffed, row_queries, names=names, seed=seed, decay=DECAYS[0], progress=progress
    )
    held_out = held_out_scores(
        rows, is_stuffed, row_queries, names=names, seed=seed, decay=DECAYS[0], progress=progress
    )
    scores = head.scores(features)  # of grade 0: the head was not fitted to these
    scores[is_relevant] = held_out[: is_relevant.sum()]
    answers = 2 * grades > grades.max()  # the upper half of the grades: 2 and 3 of 0 to 3
    limit = float(np.quantile(scores[answers], _SHARE_BELOW_LIMIT))
    return StuffingGuard(head=head, limit=limit), _penalty_of(scores, limit)


def _penalty_of(scores: NDArray, limit: float) -> NDArray:
    return _PENALTY * np.maximum(0.0, scores - limit)
