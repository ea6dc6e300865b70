"""Cascades as labelers of the benchmark: the student's grades, some of the teacher's being known.

What belongs here: which pairs a cascade sees, and how it ranks. What does not: the grades themselves
(known_grades.py), and metrics (benchmark/).
"""

from collections.abc import Mapping

import polars as pl

from relabel_assets.corpus.pairs import with_texts
from relabel_assets.progress import Progress, silent
from relabel_assets.student.cascade.known_grades import ScoredPairs
from relabel_assets.student.labeler import Labeler

# No request was sent for a pair of these statuses, so nothing shows what asking would have given.
_NEVER_ASKED = ("not_recorded", "over_budget")


def cascade_labels(
    labeler: Labeler,
    teacher: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
    *,
    shares: Mapping[str, float],
    seed: int,
    progress: Progress = silent,
) -> dict[str, pl.DataFrame]:
    """The labels of the cascade of each of `shares`, by its name. Nobody is asked.

    `teacher` has rows of teacher_labels: all pairs of the queries. The student chooses its share of the
    pairs that the teacher was asked about. A chosen pair without a grade stays unknown. The result has
    query_id, doc_id, grade and expected_grade, to rank by. A known pair has the teacher's grade. It ranks
    by what all known grades say, as the others do: a teacher errs too (docs/experiments.md).

    A student without a second stage has no cascade, and neither has a teacher that was never asked:

    >>> from relabel_assets.corpus.config.student_config import StudentConfig
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> pairs = pl.DataFrame({"query": "parental leave", "title": ["Leave", "Printers"], "grade": [3, 0]})
    >>> base = Labeler.untrained(pairs, config=StudentConfig(), rubric=default_rubric())
    >>> pair = {"query_id": ["q"], "doc_id": ["d"], "grade": [3], "status": ["ok"]}
    >>> cascade_labels(
    ...     base, pl.DataFrame(pair), pl.DataFrame(), pl.DataFrame(), shares={"cascade@5%": 0.05}, seed=13
    ... )
    {}
    """
    asked = teacher.filter(~pl.col("status").is_in(_NEVER_ASKED)).sort("query_id", "doc_id")
    if labeler.cascade is None or asked.is_empty():
        return {}
    pairs = with_texts(asked.select("query_id", "doc_id"), queries, documents)
    scored = labeler.score(pairs, progress=progress)
    chosen = scored.to_ask_each([*shares.values()], seed)
    return {
        name: _labels(scored, asked, is_asked)
        for name, is_asked in zip(shares, chosen, strict=True)
    }


def _labels(scored: ScoredPairs, teacher: pl.DataFrame, is_asked: pl.Series) -> pl.DataFrame:
    """The labels where the chosen pairs are known. `teacher` has the rows of `scored`."""
    known = pl.select(pl.when(is_asked).then(teacher["grade"])).to_series()
    graded = scored.grade(known.cast(pl.Int64))
    return graded.select("query_id", "doc_id", "grade", "expected_grade")
