"""The gate: is the student shown to be as good as its teacher, within margins?

What belongs here: the verdict on each metric with a margin, and on both together. What does not: the
intervals that it reads (bootstrap.py), and where it is shown (report.py, graph/checks/gate_checks.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import polars as pl

from relabel_assets.benchmark.labelers import DIFFERENCES
from relabel_assets.plural import counted

# Every verdict, from the best to the worst, and what it says about the student.
VERDICTS = {
    "passed": "The student is as good as its teacher, within the margins.",
    "cannot tell": "Whether the student is as good as its teacher cannot be told.",
    "not measured": "Whether the student is as good as its teacher was not measured.",
    "failed": "The student is worse than its teacher by more than the margin.",
}


@dataclass(frozen=True)
class GateResult:
    """The verdict on one metric, one of VERDICTS; `sentence` names metric, verdict and reason."""

    metric: str
    margin: float
    verdict: str
    reason: str

    @property
    def sentence(self) -> str:
        return f"{self.metric}: {self.verdict}. {self.reason}"


def gate(
    rows: pl.DataFrame,
    *,
    ndcg_margin: float,
    pairwise_margin: float,
    min_queries: int,
    min_pairs: int,
    labeler: str = "student",
) -> list[GateResult]:
    """For NDCG@10 and pairwise accuracy: is the student at most the margin below its teacher?

    `rows` are those of `measure`. The 95 % interval of student minus teacher over all queries
    decides (non-inferiority). Passed: all of it is above minus the margin. Failed: all of it is
    below. Else it cannot be told, also if it ends exactly there. `labeler` may be a cascade instead.

    Without a difference and its interval, nothing was measured. With fewer than `min_queries` queries
    or `min_pairs` pairs it cannot be told, whatever the interval. Only queries count whose documents
    differ in reference grade: the others have the same metrics for every labeler.

    >>> rows = pl.DataFrame({"labeler": "student-teacher", "metric": ["ndcg@10", "pairwise_half"],
    ...     "slice": "all", "value": -0.004, "ci_low": -0.018, "ci_high": 0.01, "n_queries": 40,
    ...     "n_pairs": 400})
    >>> limits = {"min_queries": 30, "min_pairs": 100}
    >>> [result.verdict for result in gate(rows, ndcg_margin=0.02, pairwise_margin=0.01, **limits)]
    ['passed', 'cannot tell']
    """
    of_all = rows.filter(pl.col("slice") == "all").iter_rows(named=True)
    by_key = {(row["labeler"], row["metric"]): row for row in of_all}
    margins = {"ndcg@10": ndcg_margin, "pairwise_half": pairwise_margin}
    return [
        GateResult(
            metric, margin, *_verdict(by_key, labeler, metric, margin, min_queries, min_pairs)
        )
        for metric, margin in margins.items()
    ]


def worst(results: Sequence[GateResult]) -> str:
    """The verdict on the student: the worst of its metrics. Without any, nothing was measured.

    >>> results = [GateResult("ndcg@10", 0.02, verdict, "") for verdict in ("passed", "cannot tell")]
    >>> worst(results), worst([])
    ('cannot tell', 'not measured')
    """
    return max(
        (result.verdict for result in results), key=[*VERDICTS].index, default="not measured"
    )


_Rows = Mapping[tuple[str, str], Mapping[str, Any]]  # by labeler and metric, over all queries


def _verdict(
    rows: _Rows, labeler: str, metric: str, margin: float, min_queries: int, min_pairs: int
) -> tuple[str, str]:
    """The verdict on one metric, and its reason."""
    if not rows:
        return "not measured", "No reference label has a grade by every labeler."
    name, compared = DIFFERENCES[labeler], labeler.capitalize()
    difference, ordered = rows.get((name, metric)), rows.get((name, "pairwise_half"))
    if not difference or not ordered:
        return "not measured", f"{compared} or teacher has no grades to compare."
    value, low, high = (difference[name] for name in ("value", "ci_low", "ci_high"))
    n_queries, n_pairs = ordered["n_queries"], ordered["n_pairs"]
    if not n_queries or None in (value, low, high):
        return "not measured", "No query has documents of different reference grades."
    measured = (
        f"{compared} minus teacher is {value:+.3f} [{low:+.3f}, {high:+.3f}] "
        f"on {counted(n_queries, 'query')} and {counted(n_pairs, 'pair')}"
    )
    if n_queries < min_queries or n_pairs < min_pairs:
        needed = f"{counted(min_queries, 'query')} and {counted(min_pairs, 'pair')}"
        return "cannot tell", f"{measured}; at least {needed} are needed."
    if copied := _copied_reference(rows, labeler):
        return "cannot tell", f"{measured}; {copied}."
    verdict, reason = interval_verdict(low, high, margin)
    return verdict, f"{measured}; {reason}."


def _copied_reference(rows: _Rows, compared: str) -> str | None:
    """Which of teacher and `compared` agrees with every reference grade, as a copy would.

    No two independent graders of a hundred pairs were ever measured to agree on all.
    """
    for labeler in ("teacher", compared):
        if rows.get((labeler, "kappa"), {}).get("value") == 1:
            return (
                f"the {labeler} gave each pair its reference grade, so the reference labels are the "
                f"{labeler}'s own or too easy"
            )
    return None


def interval_verdict(low: float, high: float, margin: float) -> tuple[str, str]:
    """The verdict on a difference by its interval (non-inferiority), and the reason.

    >>> interval_verdict(-0.01, 0.02, margin=0.02)
    ('passed', 'the whole interval is above -0.02, the margin')
    """
    if low > -margin:
        return "passed", f"the whole interval is above {-margin:+.3g}, the margin"
    if high < -margin:
        return "failed", f"the whole interval is below {-margin:+.3g}, the margin"
    return "cannot tell", f"{-margin:+.3g}, the margin, lies in the interval"
