"""The stuffing guard: it lowers the score of documents that carry a query's words and do not answer.

What belongs here: fitting and applying the guard. What does not: making stuffed documents
(student/hardening/) and the features (features.py). Imported only where a model is needed: it loads torch.

The guard is a second head over the same features. It tells stuffed documents (stuffed_documents.py)
from documents with a grade above 0. With g its score, a pair's score becomes

    max(score - 10 * max(0, g - limit), floor)  where score is above floor
    - 10 * max(0, g - certain)

- `limit`: below it, nothing changes. It lowers 2 % of the relevant documents of training.
- `floor`: the greatest score that does not get an answering grade, such as 2. So a doubtful document gets
  at most the grade below, and stays above the irrelevant ones: it may be relevant after all.
- `certain`: the greatest g of any relevant document of training. Above it, the floor does not hold.

Fitting one head to both kinds was measured: it costs honest pairs .03 NDCG@10, and this .004
(docs/experiments.md).
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
import pydantic
from numpy.typing import NDArray

from relabel_assets.progress import Progress, silent
from relabel_assets.student.late_interaction.head import DECAYS, Head, fit_head, held_out_scores

# In units of the score for each unit of g; both are log odds. Measured beside .5 to 30, and the share
# beside 95 to 99 % (docs/experiments.md).
_PENALTY = 10.0
_SHARE_BELOW_LIMIT = 0.98


class StuffingGuard(pydantic.BaseModel):
    """A head whose score is high for stuffed documents, and the three bounds above.

    >>> head = Head(names=["covered_by_title"], mean=[0.0], spread=[1.0], weight=[1.0])
    >>> guard = StuffingGuard(head=head, limit=0.5, certain=0.8, floor=-1.0)
    >>> guard.guarded([2.0, 2.0, 2.0], np.array([[0.5], [0.8], [0.9]])).round(6).tolist()
    [2.0, -1.0, -2.0]
    """

    model_config = pydantic.ConfigDict(allow_inf_nan=False)

    head: Head
    limit: float
    certain: float
    floor: float

    def guarded(self, scores: Sequence[float] | NDArray, features: NDArray) -> NDArray:
        """The `scores` (N,), lowered where `features` (N, F) are those of stuffed documents."""
        stuffing = self.head.scores(features)
        values = np.asarray(scores, dtype=float)
        lowered = values - _PENALTY * np.maximum(0.0, stuffing - self.limit)
        held = np.where(values > self.floor, np.maximum(lowered, self.floor), values)
        return held - _PENALTY * np.maximum(0.0, stuffing - self.certain)


def fit_stuffing_guard(
    features: NDArray,
    grades: NDArray,
    queries: Sequence[str],
    scores: NDArray,
    stuffed_features: NDArray,
    stuffed_queries: Sequence[str],
    *,
    names: Sequence[str],
    seed: int,
    progress: Progress = silent,
) -> StuffingGuard | None:
    """The guard for a student that gave the training pairs these `scores` (N,).

    `features` (N, F), `grades` and `queries` (N,) are of the training pairs, `stuffed_features`
    (M, F) and `stuffed_queries` (M,) of pairs with stuffed documents. None without stuffed documents
    or without a grade above 0. The bounds come from guards that had not seen the pair's query.

    >>> features, grades = np.array([[0.0], [0.1], [0.9]]), np.array([3, 2, 0])
    >>> guard = fit_stuffing_guard(
    ...     features, grades, ["q1", "q2", "q2"], np.array([2.0, 1.0, -1.0]), np.array([[1.0]]), ["q1"],
    ...     names=["bm25"], seed=13,
    ... )
    >>> guard.guarded([2.0, 2.0], np.array([[0.0], [1.0]])).tolist()[0], guard.floor
    (2.0, -1.0)
    """
    is_relevant = grades > 0
    if not len(stuffed_features) or not is_relevant.any():
        return None
    rows = np.concatenate([features[is_relevant], stuffed_features])
    is_stuffed = np.repeat([0, 1], [is_relevant.sum(), len(stuffed_features)])
    row_queries = [*np.array(queries)[is_relevant], *stuffed_queries]
    # The least decay, without a choice: the features are few and the two kinds are far apart.
    fit: dict[str, Any] = {"names": names, "seed": seed, "decay": DECAYS[0], "progress": progress}
    head = fit_head(rows, is_stuffed, row_queries, **fit)
    held_out = held_out_scores(rows, is_stuffed, row_queries, **fit)[: is_relevant.sum()]
    answers = 2 * grades > grades.max()  # the upper half of the grades: 2 and 3 of 0 to 3
    of_answers = held_out[answers[is_relevant]]
    n_others = int((~answers).sum())
    return StuffingGuard(
        head=head,
        limit=float(np.quantile(of_answers, _SHARE_BELOW_LIMIT)),
        certain=float(held_out.max()),
        # Quantile matching, as in benchmark/cut_points.py: as many scores are below as grades.
        floor=float(np.sort(scores)[max(0, n_others - 1)]),
    )
