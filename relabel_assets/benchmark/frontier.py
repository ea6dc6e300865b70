"""The frontier: how near the teacher a student comes that knows a share of its grades.

What belongs here: the smallest share that is not inferior. What does not: the grades of a cascade
(student/cascade/), metrics (bootstrap.py), costs (costs.py), and the verdict on one share (gates/gate.py).
"""

import polars as pl

from relabel_assets.benchmark.gates.gate import gate, worst
from relabel_assets.benchmark.labelers import CASCADES


def smallest_share(
    rows: pl.DataFrame,
    *,
    architecture: str,
    ndcg_margin: float,
    pairwise_margin: float,
    min_queries: int,
    min_pairs: int,
) -> list[str]:
    """A sentence: with which share of the teacher's grades is the student not inferior to its teacher?

    `rows` are those of benchmark_report. The gate decides on each share, with its margins and minimum sizes.
    Shares are tested from the largest down, until one does not pass: so testing several makes no wrong
    sentence likelier (fixed-sequence testing; Maurer, Hothorn & Lehmacher 1995).

    Without cascades in `rows`, the sentence says why. There is none where nothing was measured.

    >>> rows = pl.DataFrame({"labeler": ["student"], "metric": "kappa", "slice": "all", "value": 0.4})
    >>> margins = {"ndcg_margin": 0.02, "pairwise_margin": 0.02}
    >>> smallest_share(rows, architecture="decoder", **margins, min_queries=30, min_pairs=100)
    ... # doctest: +NORMALIZE_WHITESPACE
    ['Cascade: none. A decoder student grades each pair alone, whatever is known of others; a
     late_interaction student can use known grades.']
    """
    rows = rows.filter(pl.col("slice") == "all")  # probes are measured without reference labels too
    if rows.is_empty():
        return []
    if not rows["labeler"].cast(pl.String).is_in([*CASCADES]).any():
        return [_why_none(architecture)]
    percents = {labeler: f"{100 * share:g} %" for labeler, share in CASCADES.items()}
    passed, failed = list[str](), [*CASCADES]
    while failed:
        results = gate(
            rows,
            labeler=failed[-1],
            ndcg_margin=ndcg_margin,
            pairwise_margin=pairwise_margin,
            min_queries=min_queries,
            min_pairs=min_pairs,
        )
        if worst(results) == "not measured":
            return []  # the gate says why
        if worst(results) != "passed":
            break
        passed.append(failed.pop())
    margins = f"(margins: {ndcg_margin:g} in NDCG@10, {pairwise_margin:g} in pairwise accuracy)"
    if not passed:
        *most, last = percents.values()
        return [
            f"Cascade: with none of {', '.join(most)} and {last} of the teacher's grades is the student "
            f"shown to be not inferior to its teacher {margins}."
        ]
    not_shown = f" With {percents[failed[-1]]} this is not shown." if failed else ""
    return [
        f"Cascade: with {percents[passed[-1]]} of the teacher's grades the student is not inferior to "
        f"its teacher {margins}.{not_shown}"
    ]


def _why_none(architecture: str) -> str:
    if architecture == "late_interaction":
        return (
            "Cascade: not measured, because an earlier version made this benchmark or its student. "
            "`relabel run` makes them again."
        )
    return (
        f"Cascade: none. A {architecture} student grades each pair alone, whatever is known of others; "
        "a late_interaction student can use known grades."
    )
