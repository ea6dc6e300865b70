"""Grades that people gave pairs of a corpus, for the rows of a file that are these pairs.

What belongs here: which rows they hold for. What does not: reading reference labels and reviews
(current_student.py), and what a student does with known grades (student/cascade/).
"""

import hashlib
from dataclasses import dataclass

import polars as pl

from relabel_assets.labeling import pairs_file
from relabel_assets.labeling.chunk import Texts, gradable, with_texts

_PAIR = ["query_id", "doc_id"]
_OWN = ["own_query_id", "own_doc_id"]


@dataclass(frozen=True)
class PeoplesGrades:
    """`grades` has query_id, doc_id and grade, one row a pair; `texts` looks the corpus' texts up."""

    grades: pl.DataFrame
    texts: Texts

    @property
    def identity(self) -> str:
        """SHA-256 of the grades: 64 hex digits."""
        rows = self.grades.select(*_PAIR, "grade").sort(_PAIR).write_csv()
        return hashlib.sha256(rows.encode()).hexdigest()

    def of(self, rows: pl.DataFrame) -> pl.DataFrame:
        """The rows that people graded: row and grade. `rows` is of PairChunk.rows().

        A row has the grade of its query_id and doc_id, if its texts are those of the corpus.
        """
        near = self.grades.join(rows.select(_PAIR), on=_PAIR, how="semi")
        without_texts = near.with_columns(
            pl.lit(None, pl.String).alias(name) for name in pairs_file.COLUMNS if name not in _PAIR
        )
        graded = _with_hashes(with_texts(without_texts, self.texts)).select(*_OWN, *_PAIR, "grade")
        return _with_hashes(rows).join(graded, on=[*_OWN, *_PAIR]).select("row", "grade")


def _with_hashes(rows: pl.DataFrame) -> pl.DataFrame:
    """The gradable `rows` with hashes of their texts as ids, and their own ids beside these."""
    return gradable(rows.with_columns(own_query_id="query_id", own_doc_id="doc_id"))
