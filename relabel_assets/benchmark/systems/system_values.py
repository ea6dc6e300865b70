"""The values of systems: a measure of each system's run for each query, by the grades of one labeler.

What belongs here: the order of a run, holes in the labels, and measures by ir_measures. What does not:
intervals and ranks (rankings.py), and reading runs (corpus/runs/).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl
from numpy.typing import NDArray

_PAIR = ["query_id", "doc_id"]
# Expected grades become whole numbers, which trec_eval's code takes: 1.234 is 1,234.
_PARTS_OF_A_GRADE = 1000
_DEPTH_WITHOUT_CUTOFF = 1000  # trec_eval's own default depth


class UnknownMeasureError(ValueError):
    """A measure that ir_measures does not know, or cannot compute here."""


@dataclass(frozen=True)
class SystemValues:
    """Values of one measure of S systems for Q queries.

    `values` (S, Q), `n_unjudged` (S,): documents without a grade among those that the measure looks at.
    A query that a system has no document for has the value 0, as in trec_eval with -c.
    """

    systems: tuple[str, ...]
    query_ids: tuple[str, ...]
    values: NDArray[np.float64]
    n_unjudged: NDArray[np.int64]


def parse_measure(name: str) -> Any:
    """The measure of ir_measures with this name. Raises UnknownMeasureError.

    >>> str(parse_measure("nDCG@10"))
    'nDCG@10'
    """
    import ir_measures

    try:
        measure = ir_measures.parse_measure(name)
        measure.validate_params()
        str(measure)  # raises for an unknown parameter
        return measure
    except (NameError, ValueError, KeyError, TypeError, AssertionError, SyntaxError) as error:
        raise UnknownMeasureError(
            f"{name!r} is no measure of ir_measures. Examples: nDCG@10, P(rel=2)@10, RR@10, AP(rel=2), "
            "Judged@10. All: https://ir-measur.es/en/latest/measures.html"
        ) from error


def takes_expected_grades(measure: Any) -> bool:
    """Whether the measure can use expected grades: nDCG with linear gain, and no other.

    Its value stays the same when all grades are multiplied by one number, so grades in thousandths are
    whole numbers that every implementation takes. Measures of relevant and irrelevant documents need whole
    grades, and so does an exponential gain.

    >>> takes_expected_grades(parse_measure("nDCG@10")), takes_expected_grades(parse_measure("RR@10"))
    (True, False)
    """
    return measure.NAME == "nDCG" and not set(measure.params) - {"cutoff", "judged_only"}


def depth(measure: Any) -> int:
    """How many documents of a query the measure looks at; 1,000 without a cutoff.

    >>> depth(parse_measure("nDCG@10")), depth(parse_measure("AP"))
    (10, 1000)
    """
    return int(measure.params.get("cutoff", _DEPTH_WITHOUT_CUTOFF))


def ordered(runs: pl.DataFrame) -> pl.DataFrame:
    """`runs` (system, query_id, doc_id, score) with `rank` from 1, in the order of trec_eval.

    The score, descending; equal scores by document id, descending.

    >>> run = {"system": "s", "query_id": "q", "doc_id": ["d1", "d2", "d3"], "score": [1, 1, 2]}
    >>> ordered(pl.DataFrame(run)).select("doc_id", "rank").rows()
    [('d3', 1), ('d2', 2), ('d1', 3)]
    """
    keys = ["system", "query_id", "score", "doc_id"]
    runs = runs.sort(keys, descending=[False, False, True, True])
    return runs.with_columns(rank=1 + pl.int_range(pl.len()).over("system", "query_id"))


def holes(ranked: pl.DataFrame, labels: pl.DataFrame, k: int) -> pl.DataFrame:
    """The top k documents without a grade in `labels`: system, query_id, doc_id and rank.

    Only queries of `labels` count. `ranked` is that of `ordered`.

    >>> run = {"system": "s", "query_id": "q", "doc_id": ["d1", "d2", "d3"], "score": [3, 2, 1]}
    >>> labels = pl.DataFrame({"query_id": ["q"], "doc_id": ["d1"], "grade": [3]})
    >>> holes(ordered(pl.DataFrame(run)), labels, 2)["doc_id"].to_list()
    ['d2']
    """
    top = ranked.filter(pl.col("rank") <= k).join(labels, on="query_id", how="semi")
    return top.join(labels, on=_PAIR, how="anti").select("system", *_PAIR, "rank")


def system_values(
    ranked: pl.DataFrame,
    labels: pl.DataFrame,
    measure: Any,
    *,
    systems: Sequence[str],
    is_expected: bool = False,
) -> SystemValues:
    """The values of one measure, by the grades in `labels` (query_id, doc_id, grade, expected_grade).

    The queries are those of the runs for which the labeler gave a grade above 0; without one, no order is
    better than another. A document without a grade counts as grade 0, as in trec_eval. With `is_expected`
    the gain is the expected grade, and the grade where there is none. Raises UnknownMeasureError where the
    measure cannot be computed.

    >>> pairs = {"query_id": ["q", "q"], "doc_id": ["d1", "d2"]}
    >>> runs = pl.DataFrame(pairs | {"system": "s", "score": [1.0, 2.0]})
    >>> labels = pl.DataFrame(pairs | {"grade": [3, 0]})
    >>> system_values(ordered(runs), labels, parse_measure("nDCG@10"), systems=["s"]).values.round(3).tolist()
    [[0.631]]
    """
    import ir_measures

    gain = pl.col("grade").cast(pl.Int64)
    if is_expected:
        expected = (_PARTS_OF_A_GRADE * pl.col("expected_grade")).round().cast(pl.Int64)
        gain = pl.coalesce(expected, _PARTS_OF_A_GRADE * gain)
    graded = labels.select(*_PAIR, gain=gain).drop_nulls()
    graded = graded.filter(pl.col("gain").max().over("query_id") > 0)
    graded = graded.join(ranked, on="query_id", how="semi")
    query_ids = graded["query_id"].unique().sort().to_list()
    row_of = {name: row for row, name in enumerate(systems)}
    column_of = {query_id: column for column, query_id in enumerate(query_ids)}
    values = np.zeros((len(systems), len(query_ids)))
    k = depth(measure)
    looked_at = ranked.join(graded, on="query_id", how="semi")
    if not measure.params.get("judged_only"):
        looked_at = looked_at.filter(pl.col("rank") <= k)
    if query_ids:
        try:
            evaluator = ir_measures.evaluator([measure], _nested(graded, "gain"))
            for (system,), run in looked_at.group_by("system"):
                scores = _nested(run.with_columns(score=-pl.col("rank").cast(pl.Float64)), "score")
                for metric in evaluator.iter_calc(scores):
                    values[row_of[str(system)], column_of[metric.query_id]] = metric.value
        except Exception as error:  # providers are programs and packages of many authors
            raise UnknownMeasureError(
                f"{measure} cannot be computed: {type(error).__name__}: {str(error)[:200]}. Choose another "
                "measure, such as nDCG@10."
            ) from error
    unjudged = dict(holes(looked_at, graded, k).group_by("system").len().iter_rows())
    n_unjudged = np.array([unjudged.get(name, 0) for name in systems], dtype=np.int64)
    return SystemValues(tuple(systems), tuple(query_ids), values, n_unjudged)


def _nested(rows: pl.DataFrame, column: str) -> dict[str, dict[str, Any]]:
    """`column` of each document of each query."""
    nested: dict[str, dict[str, Any]] = {}
    for query_id, doc_id, value in rows.select(*_PAIR, column).iter_rows():
        nested.setdefault(query_id, {})[doc_id] = value
    return nested
