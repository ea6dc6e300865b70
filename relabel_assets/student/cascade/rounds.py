"""Rounds: ask about some pairs, learn from the answers, and ask about others where this helps most.

What belongs here: how many pairs each round asks about, and what is known after it. What does not: which
pairs these are (asking.py), and who answers: that is a function of the caller, such as a live teacher,
recorded grades, or people.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from relabel_assets.student.cascade.known_grades import ScoredPairs

# Gets whether to ask about each pair (N,), and gives the grades (N,): null where nobody asked or answered.
Ask = Callable[[pl.Series], pl.Series]


@dataclass(frozen=True)
class AskedPairs:
    """Whether each pair was asked about, `is_asked` (N,), and all grades that are `known` now (N,)."""

    is_asked: pl.Series
    known: pl.Series


def ask_in_rounds(
    scored: ScoredPairs,
    share: float,
    ask: Ask,
    *,
    seed: int,
    known: pl.Series | None = None,
    n_rounds: int = 1,
) -> AskedPairs:
    """Ask about `share` of the pairs of each query, in at most `n_rounds` rounds.

    `known` (N,) has grades that are known before, such as people's; null elsewhere. They steer the choice,
    and are not asked about. A pair that gets no answer counts as asked about, and another one is not asked
    about in its place. `scored.grade(result.known)` gives the labels.

    The choice follows from the scores and the grades. So a call that is repeated asks the same, if it gets
    the same answers.

    >>> from relabel_assets.student.cascade.cascade import Cascade
    >>> from relabel_assets.student.cascade.residual_process import ResidualProcess
    >>> from relabel_assets.student.grader import PairEvidence
    >>> process = ResidualProcess(offset=0.1, similarity=0.6, length=0.2, features=0.1, noise=0.1)
    >>> cascade = Cascade(process=process, shares=[0.0], cut_points=[[0.5, 1.5, 2.5]])
    >>> evidence = PairEvidence(vectors=np.eye(4), features=np.zeros((4, 1)))
    >>> keys = pl.DataFrame({"query_id": ["q"] * 4, "doc_id": list("abcd")})
    >>> scored = ScoredPairs(keys, [np.arange(4)], np.full((4, 4), 0.25), evidence, cascade)
    >>> of_people = pl.Series([3, None, None, None])
    >>> of_teacher = pl.Series([0, 0, 1, 2])
    >>> ask = lambda is_asked: pl.select(pl.when(is_asked).then(of_teacher)).to_series()
    >>> asked = ask_in_rounds(scored, 0.5, ask, seed=13, known=of_people, n_rounds=2)
    >>> asked.is_asked.to_list(), asked.known.to_list()
    ([False, True, True, False], [3, 0, 1, None])
    >>> scored.grade(asked.known)["grade"].to_list()
    [3, 0, 1, 1]
    """
    n_pairs = scored.keys.height
    known = pl.Series("known", [None] * n_pairs, pl.Int64) if known is None else known
    is_asked = pl.Series("is_asked", np.zeros(n_pairs, dtype=bool))
    totals = scored.counts(share, seed)
    n_before = np.zeros_like(totals)
    for number in range(1, n_rounds + 1):
        n_until = -(
            -totals * number // n_rounds
        )  # rounded up: a single pair is asked in the first round
        chosen = scored.choose(n_until - n_before, known, is_asked)
        n_before = n_until
        if chosen.any():
            known = known.zip_with(~chosen, ask(chosen).cast(pl.Int64))
            is_asked = is_asked | chosen
    return AskedPairs(is_asked, known.rename("known"))
