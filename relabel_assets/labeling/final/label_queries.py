"""Queries that only get labels: how many of their pairs the teacher is asked about, and which.

What belongs here: the share of each query, what the ledger answers for free, and the student's choice.
What does not: choosing among the pairs of one query (student/cascade/), asking (teacher/), and what all
grades become (precedence.py).

The share of a query is what is known of it in the end. Grades of people, and those that the ledger has,
count toward it. So a student that was trained again chooses other pairs, and still nothing is paid again.
"""

import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import polars as pl

from relabel_assets.corpus.pairs import of_label_queries, with_texts
from relabel_assets.progress import Progress, silent

if TYPE_CHECKING:  # they load torch
    from relabel_assets.student.cascade.known_grades import ScoredPairs
    from relabel_assets.student.labeler import Labeler

# Scored at a time, in whole queries: some 100 MB. Not measured.
_PAIRS_AT_ONCE = 5_000
_PAIR = ["query_id", "doc_id"]


@dataclass(frozen=True)
class PairTexts:
    """Pairs (query_id, doc_id) and what they are about: rows of synthetic_queries and of seed_docs."""

    pairs: pl.DataFrame
    queries: pl.DataFrame
    documents: pl.DataFrame

    @classmethod
    def of_label_queries(
        cls, pairs: pl.DataFrame, queries: pl.DataFrame, documents: pl.DataFrame
    ) -> "PairTexts":
        """Those of `pairs` whose query only gets labels."""
        return cls(of_label_queries(pairs.select(_PAIR), queries), queries, documents)

    def in_chunks(self) -> Iterator[pl.DataFrame]:
        """The pairs with their texts, in chunks of whole queries."""
        chunk, n_pairs = list[pl.DataFrame](), 0
        for of_query in self.pairs.partition_by("query_id", maintain_order=True):
            if chunk and n_pairs + of_query.height > _PAIRS_AT_ONCE:
                yield self._with_texts(pl.concat(chunk))
                chunk, n_pairs = [], 0
            chunk.append(of_query)
            n_pairs += of_query.height
        if chunk:
            yield self._with_texts(pl.concat(chunk))

    def _with_texts(self, pairs: pl.DataFrame) -> pl.DataFrame:
        return with_texts(pairs, self.queries, self.documents)


def shares(pairs: pl.DataFrame, share: float, seed: int) -> pl.DataFrame:
    """How many grades of each query are to be known: query_id and n_wanted.

    It is `share` of the pairs of the query, rounded down or up. A hash of `seed` and query_id decides, so
    that the chance to be rounded up is the fraction that is left, and no other query changes it.

    >>> pairs = pl.DataFrame({"query_id": ["q1"] * 12 + ["q2"] * 5})
    >>> shares(pairs, share=0.25, seed=13).rows()
    [('q1', 3), ('q2', 2)]
    """
    counts = pairs.group_by("query_id", maintain_order=True).len("n_pairs")
    wanted = [
        math.floor(share * n_pairs + _uniform(f"{seed}:{query_id}"))
        for query_id, n_pairs in counts.iter_rows()
    ]
    return counts.select("query_id", n_wanted=pl.Series(wanted, dtype=pl.Int64))


def missing(wanted: pl.DataFrame, known: pl.DataFrame) -> pl.DataFrame:
    """How many pairs of each query are to be asked about: query_id and n_missing, where that is not 0.

    `wanted` is of `shares`. `known` has the query_id of each pair whose grade is known.

    >>> wanted = pl.DataFrame({"query_id": ["q1", "q2"], "n_wanted": [3, 1]})
    >>> missing(wanted, pl.DataFrame({"query_id": ["q1", "q2", "q2"]})).rows()
    [('q1', 2)]
    """
    counts = known.group_by("query_id").len("n_known")
    n_missing = pl.col("n_wanted") - pl.col("n_known").fill_null(0).cast(pl.Int64)
    return (
        wanted.join(counts, on="query_id", how="left", maintain_order="left")
        .select("query_id", n_missing=n_missing)
        .filter(pl.col("n_missing") > 0)
    )


def pairs_to_ask(
    load: "Callable[[], Labeler]",
    texts: PairTexts,
    wanted: pl.DataFrame,
    *,
    people: pl.DataFrame,
    free: pl.DataFrame,
    closed: pl.DataFrame,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The pairs to ask the teacher about: query_id and doc_id.

    `people` and `free` have query_id, doc_id and grade: of people, and of the teacher's ledger. `closed`
    has pairs that nobody can be asked about. The student that `load` gives chooses `wanted` (see `shares`)
    pairs of each query, less those that people graded. What the ledger has is not asked again.

    The ledger may have other pairs of a query than the student chooses, of an earlier student. They count
    too: the student then chooses the rest, knowing them. No student is loaded where nothing is missing.

    A run that is killed and begun again chooses the same pairs, because the ledger has some of them.
    """
    to_pay = missing(wanted, pl.concat([people.select(_PAIR), free.select(_PAIR)]).unique())
    chosen = [texts.pairs.select(_PAIR).clear()]
    if not to_pay.is_empty():
        labeler, of_choice = load(), missing(wanted, people)
        some = texts.pairs.join(to_pay, on="query_id", how="semi", maintain_order="left")
        n_done = 0
        for chunk in PairTexts(some, texts.queries, texts.documents).in_chunks():
            scored = labeler.score(chunk, progress=progress)
            is_chosen = _chosen(scored, of_choice, to_pay, people, free, closed)
            chosen.append(chunk.filter(is_chosen).select(_PAIR))
            n_done += chunk.height
            progress("choosing what to ask, pairs", n_done, some.height)
    return pl.concat(chosen)


def _chosen(
    scored: "ScoredPairs",
    of_choice: pl.DataFrame,
    to_pay: pl.DataFrame,
    people: pl.DataFrame,
    free: pl.DataFrame,
    closed: pl.DataFrame,
) -> pl.Series:
    """Whether to ask about each pair, (N,). Both `of_choice` and `to_pay` are of `missing`.

    `of_choice` is what people's grades leave, and `to_pay` what those in `free` leave besides.
    """
    keys = scored.keys
    query_ids = [keys["query_id"][int(rows[0])] for rows in scored.rows]
    is_free, is_closed, of_people = (
        _marked(keys, free),
        _marked(keys, closed),
        _grades(keys, people),
    )
    chosen = scored.choose(_counts(query_ids, of_choice), of_people, is_closed)
    # Of these queries the ledger has other pairs than the student chooses.
    elsewhere = set(keys.filter(is_free & of_people.is_null() & ~chosen)["query_id"])
    counts = [
        count if query_id in elsewhere else 0
        for query_id, count in zip(query_ids, _counts(query_ids, to_pay), strict=True)
    ]
    known = of_people.zip_with(of_people.is_not_null(), _grades(keys, free))
    rest = scored.choose(counts, known, is_closed)
    is_elsewhere = keys["query_id"].is_in(list(elsewhere))
    return rest | (chosen & ~is_free & ~is_elsewhere)


def _counts(query_ids: Sequence[str], counts: pl.DataFrame) -> list[int]:
    count_of = dict(counts.iter_rows())
    return [count_of.get(query_id, 0) for query_id in query_ids]


def _marked(keys: pl.DataFrame, pairs: pl.DataFrame) -> pl.Series:
    """Whether each row of `keys` is one of `pairs`."""
    marked = pairs.select(_PAIR).unique().with_columns(is_marked=pl.lit(value=True))
    joined = keys.select(_PAIR).join(marked, on=_PAIR, how="left", maintain_order="left")
    return joined["is_marked"].fill_null(value=False)


def _grades(keys: pl.DataFrame, graded: pl.DataFrame) -> pl.Series:
    """The grade of each row of `keys` among `graded`; null elsewhere."""
    grades = graded.select(*_PAIR, pl.col("grade").cast(pl.Int64).alias("known"))
    joined = keys.select(_PAIR).join(grades, on=_PAIR, how="left", maintain_order="left")
    return joined["known"]


def _uniform(text: str) -> float:
    """A number from 0 up to 1 that follows from `text`."""
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:7], "big") / 2**56
