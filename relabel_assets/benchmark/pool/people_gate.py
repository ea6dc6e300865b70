"""The gate by people's sample: may the student replace its teacher, and if not told, what would tell?

What belongs here: the verdict on student minus teacher over queries like those of the pool, and how many
more grades or queries it takes. What does not: the intervals (prediction_powered.py), and the gate by
reference labels alone (gates/gate.py).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from relabel_assets.benchmark.gates.gate import GateResult, gate, interval_verdict
from relabel_assets.benchmark.labelers import DIFFERENCE, POOL_SLICES
from relabel_assets.errors import StudentError
from relabel_assets.plural import counted

_MOST = 100_000  # beyond it a number says no more than that it is out of reach


def replacement_gate(
    rows: pl.DataFrame,
    *,
    ndcg_margin: float,
    agreement_margin: float,
    pairwise_margin: float,
    min_queries: int,
    min_pairs: int,
) -> list[GateResult]:
    """May the student replace its teacher? For NDCG@10, and the share of pairs within one grade of people's.

    `rows` are those of benchmark_report. Where people graded a sample with known chances, the 95 % interval
    of student minus teacher decides, for queries like those of the pool, as `gate` does. With fewer than
    `min_queries` queries it cannot be told. Without such a sample this is `gate`, by reference labels.

    >>> row = {"labeler": "student-teacher", "value": -0.01, "n_queries": 56, "n_pairs": 200}
    >>> rows = pl.DataFrame([row | {"metric": metric, "slice": name, "ci_low": -0.01 - half,
    ...                             "ci_high": -0.01 + half}
    ...     for metric in ("ndcg@10", "within_one")
    ...     for name, half in (("pool", 0.04), ("new queries", 0.05))])
    >>> margins = {"ndcg_margin": 0.1, "agreement_margin": 0.05, "pairwise_margin": 0.02}
    >>> first, second = replacement_gate(rows, **margins, min_queries=30, min_pairs=100)
    >>> first.verdict, second.verdict, second.reason.split(": ")[-1]
    ('passed', 'cannot tell', "about 257 more of people's grades are needed.")
    """
    differences = rows.filter(
        pl.col("labeler").cast(pl.String) == DIFFERENCE,
        pl.col("slice").is_in([*POOL_SLICES]),
        pl.col("ci_low").is_not_null(),
    )
    by_key = {(row["metric"], row["slice"]): row for row in differences.iter_rows(named=True)}
    margins = {"ndcg@10": ndcg_margin, "within_one": agreement_margin}
    if not all((metric, "new queries") in by_key for metric in margins):
        return gate(
            rows,
            ndcg_margin=ndcg_margin,
            pairwise_margin=pairwise_margin,
            min_queries=min_queries,
            min_pairs=min_pairs,
        )
    return [
        _result(metric, margin, by_key[metric, "pool"], by_key[metric, "new queries"], min_queries)
        for metric, margin in margins.items()
    ]


def refuse_failed(results: Sequence[GateResult]) -> None:
    """Raise StudentError if the gate failed. One that cannot tell is no reason to stop.

    >>> refuse_failed([GateResult("ndcg@10", 0.02, "cannot tell", "")])
    >>> refuse_failed([GateResult("ndcg@10", 0.02, "failed", "Student minus teacher is -0.09.")])
    Traceback (most recent call last):
    relabel_assets.errors.StudentError: the student failed its gate, so final_labels stay as they were ...
    """
    failed = [result.sentence for result in results if result.verdict == "failed"]
    if failed:
        raise StudentError(
            "the student failed its gate, so final_labels stay as they were (corpus.yaml, gate: "
            f"{{blocking: true}}). {' '.join(failed)} Let the teacher grade queries of that kind too, or set "
            "blocking to false."
        )


def what_would_tell(
    *, half_pool: float, half_new: float, target: float, n_grades: int, n_queries: int
) -> str:
    """How many more grades or queries bring the half width `half_new` of an interval down to `target`.

    The part of it that grades bring down is `half_pool`, as 1 / sqrt(grades). The rest is that queries
    differ, and only more queries bring it down.

    >>> widths = {"half_pool": 0.04, "half_new": 0.05, "n_grades": 200, "n_queries": 56}
    >>> what_would_tell(target=0.04, **widths)  # 200 x 0.04^2 / (0.04^2 - 0.03^2) - 200
    "about 257 more of people's grades are needed"
    >>> what_would_tell(target=0.025, **widths)  # 56 x (0.05 / 0.025)^2 - 56
    'about 168 more queries, graded as these are, are needed: these differ too much'
    """
    of_queries = max(half_new**2 - half_pool**2, 0.0)
    if target**2 > of_queries:
        needed = n_grades * half_pool**2 / (target**2 - of_queries) - n_grades
        if needed < _MOST:
            return f"about {max(round(needed), 1):,} more of people's grades are needed"
    needed = n_queries * (half_new / target) ** 2 - n_queries if target > 0 else float("inf")
    if needed >= _MOST:
        return "the difference is at the margin, and no number of grades would tell"
    return (
        f"about {max(round(needed), 1):,} more queries, graded as these are, are needed: these differ too "
        "much"
    )


def _result(
    metric: str,
    margin: float,
    pool: Mapping[str, Any],
    new: Mapping[str, Any],
    min_queries: int,
) -> GateResult:
    value, low, high = new["value"], new["ci_low"], new["ci_high"]
    measured = (
        f"By {counted(new['n_pairs'], 'grade')} of people on {counted(new['n_queries'], 'query')}: "
        f"student minus teacher is {value:+.3f} [{low:+.3f}, {high:+.3f}]"
    )
    if new["n_queries"] < min_queries:
        return GateResult(
            metric, margin, "cannot tell", f"{measured}: at least {min_queries} queries are needed."
        )
    verdict, reason = interval_verdict(low, high, margin)
    if verdict == "cannot tell":
        telling = what_would_tell(
            half_pool=(pool["ci_high"] - pool["ci_low"]) / 2,
            half_new=(high - low) / 2,
            target=abs(value + margin),
            n_grades=new["n_pairs"],
            n_queries=new["n_queries"],
        )
        return GateResult(metric, margin, verdict, f"{measured}, and {reason}: {telling}.")
    return GateResult(metric, margin, verdict, f"{measured}, and {reason}.")
