"""Graders without a model, for tests of the code around grading."""

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

if TYPE_CHECKING:
    from relabel_assets.student.cascade.known_grades import ScoredPairs


class CountingGrader:
    """Grades every pair 0, and records the number of pairs of each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def grade(self, pairs: pl.DataFrame, **kwargs: object) -> pl.DataFrame:
        self.calls.append(pairs.height)
        probs = pl.Series([[1.0, 0.0, 0.0, 0.0]] * pairs.height, dtype=pl.List(pl.Float64))
        return pairs.select("query_id", "doc_id").with_columns(
            grade=pl.lit(0, pl.Int64), expected_grade=pl.lit(0.0), grade_probs=probs
        )


def no_texts(column: str, ids: pl.Series) -> pl.DataFrame:
    """A corpus without any text."""
    columns = ("text",) if column == "query_id" else DOCUMENT_COLUMNS
    return pl.DataFrame(schema={column: pl.String} | dict.fromkeys(columns, pl.String))


class HashScorer:
    """Scores pairs by hashes of their texts, with a second stage; records the pairs of each call."""

    def __init__(self) -> None:
        self.calls: list[int] = []

    def score(self, pairs: pl.DataFrame, **kwargs: object) -> "ScoredPairs":
        from relabel_assets.student.cascade.cascade import Cascade
        from relabel_assets.student.cascade.known_grades import ScoredPairs, rows_by_query
        from relabel_assets.student.cascade.residual_process import ResidualProcess
        from relabel_assets.student.grader import PairEvidence

        self.calls.append(pairs.height)
        draws = [np.random.default_rng(seed) for seed in pairs["body"].hash()]
        vectors = np.array([draw.normal(size=8) for draw in draws])
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        process = ResidualProcess(offset=0.3, similarity=0.6, length=0.2, features=0.1, noise=0.1)
        return ScoredPairs(
            keys=pairs.select("query_id", "doc_id"),
            rows=rows_by_query(pairs["query_id"]),
            grade_probs=np.array([draw.dirichlet(np.ones(4)) for draw in draws]),
            evidence=PairEvidence(vectors, vectors),
            cascade=Cascade(process=process, shares=[0.0], cut_points=[[0.5, 1.5, 2.5]]),
        )
