"""Graders without a model, for tests of the code around grading."""

import polars as pl

from relabel_assets.tables.schemas import DOCUMENT_COLUMNS


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
