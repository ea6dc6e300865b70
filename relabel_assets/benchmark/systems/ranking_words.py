"""Rankings in words: the table of one measure, and the sentences about it.

What belongs here: wording for the terminal and the UI. What does not: the numbers (rankings.py), and how a
table is printed (cli/).
"""

from collections.abc import Iterator, Sequence

import polars as pl

from relabel_assets.benchmark.plots import as_markdown, interval_plot, markdown_table
from relabel_assets.benchmark.systems.rankings import SYSTEM_LABELERS, Rankings
from relabel_assets.intake.markdown import inert
from relabel_assets.plural import counted

_MARK = " *"  # of a related system
_MOST_IN_A_PLOT = 40  # a line each: more are two screens
_WHOSE = {
    "final": "final labels",
    "student": "the student's grades",
    "teacher": "the teacher's grades",
    "reference": "reference labels",
    "people_ppi": "people's sample, with the student's grades",
}


def shown_labeler(rows: pl.DataFrame, wanted: str = "final") -> str:
    """The labeler whose order is shown: `wanted`, or the first one with rows.

    >>> shown_labeler(pl.DataFrame({"labeler": ["teacher", "student"]}))
    'student'
    """
    present = set(rows["labeler"].cast(pl.String))
    return next(name for name in (wanted, *SYSTEM_LABELERS) if name in present)


def title(rankings: Rankings, measure: str, labeler: str) -> str:
    """What is ranked by what: the line above the table.

    >>> from relabel_assets.benchmark.systems.rankings import rank_systems
    >>> pairs = pl.DataFrame({"query_id": "q", "doc_id": ["d1", "d2"], "grade": [1, 3]})
    >>> runs = pairs.select("query_id", "doc_id", system=pl.Series(["a", "b"]), score=1.0)
    >>> rankings = rank_systems(runs, {"student": pairs})
    >>> title(rankings, "nDCG@10", "student")
    "nDCG@10 of 2 systems by the student's grades, 1 query"
    """
    rows = rankings.rows.filter(measure=measure, labeler=labeler)
    queries, gain = counted(int(rows["n_queries"][0]), "query"), rows["gain"][0]
    gain_words = " (expected)" if gain == "expected_grade" else ""
    return (
        f"{measure} of {counted(rows.height, 'system')} by {_WHOSE[labeler]}{gain_words}, {queries}"
    )


def ranking_table(
    rankings: Rankings, measure: str, labeler: str
) -> tuple[list[str], list[list[str]]]:
    """The names of the columns, and a row of text for each system, the best first.

    `like` has the ranks that the system cannot be told apart from; the other labelers' columns have ranks.

    >>> from relabel_assets.benchmark.systems.rankings import rank_systems
    >>> pairs = pl.DataFrame({"query_id": "q", "doc_id": ["d1", "d2"], "grade": [1, 3]})
    >>> runs = pairs.select("query_id", "doc_id", system=pl.Series(["a", "b"]), score=1.0)
    >>> rankings = rank_systems(runs, {"student": pairs})
    >>> ranking_table(rankings, "nDCG@10", "student")[1][0]
    ['b', '0.826 [0.83, 0.83]', '1', '1-2', '0']
    """
    rows = rankings.rows.filter(measure=measure)
    own = rows.filter(labeler=labeler)
    others = [
        name
        for name in SYSTEM_LABELERS
        if name != labeler and not rows.filter(labeler=name).is_empty()
    ]
    rank_by = {
        name: dict(rows.filter(labeler=name).select("system", "rank").iter_rows())
        for name in others
    }
    has_kin, has_filled = own["is_related"].any(), own["n_filled"].sum() > 0
    columns = ["system", "value [95 %]", "rank", "like", *(["rank*"] if has_kin else []), *others]
    columns += ["holes", *(["filled"] if has_filled else [])]
    cells = []
    for row in own.iter_rows(named=True):
        ranks = f"{row['rank_from']}-{row['rank_to']}"
        without = row["rank_without_related"]
        line = [
            row["system"] + (_MARK if row["is_related"] else ""),
            f"{row['value']:.3f} [{row['ci_low']:.2f}, {row['ci_high']:.2f}]",
            str(row["rank"]),
            ranks if row["rank_from"] < row["rank_to"] else "",
        ]
        line += ["" if without is None else str(without)] if has_kin else []
        line += [str(rank_by[name].get(row["system"], "")) for name in others]
        line += [str(row["n_unjudged"])] + ([str(row["n_filled"])] if has_filled else [])
        cells.append(line)
    return columns, cells


def sentences(rankings: Rankings, measure: str, labeler: str) -> Iterator[str]:
    """What the table says about differences, kin, agreement with the reference, and holes.

    >>> from relabel_assets.benchmark.systems.rankings import rank_systems
    >>> pairs = pl.DataFrame({"query_id": "q", "doc_id": ["d1", "d2"], "grade": [1, 3]})
    >>> runs = pairs.select("query_id", "doc_id", system=pl.Series(["a", "b"]), score=1.0)
    >>> rankings = rank_systems(runs, {"student": pairs})
    >>> [line.split(":")[0] for line in sentences(rankings, "nDCG@10", "student")]
    ['Told apart', 'Beside reference labels']
    """
    rows = rankings.rows.filter(measure=measure, labeler=labeler)
    smallest = rankings.smallest.get((measure, labeler))
    if smallest is None:
        yield (
            "Told apart: by their paired difference, all pairs at once, 5 % (Games-Howell). `like` has the "
            "first and the last rank of the systems that a system cannot be told apart from."
        )
    elif rows.height > 1:
        yield (
            f"Told apart: means that differ by more than {smallest:.3f} (Tukey's HSD, all pairs at "
            "once, 5 %). `like` has the ranks that a system cannot be told apart from."
        )
    yield from _kin_sentences(rows)
    yield from _favour_sentences(rankings, measure)
    yield from _agreement_sentences(rankings, measure)
    n_unjudged, n_filled = int(rows["n_unjudged"].sum()), int(rows["n_filled"].sum())
    if n_unjudged:
        yield (
            f"Holes: {counted(n_unjudged, 'document')} without a grade, counted as 0, among those that "
            f"{measure} looks at in all runs. --fill has the student grade those of the corpus."
        )
    if n_filled:
        yield f"Filled: {counted(n_filled, 'document')} were graded by the student for this ranking alone."


def _kin_sentences(rows: pl.DataFrame) -> Iterator[str]:
    for row in rows.filter("is_related").iter_rows(named=True):
        yield f"* {row['system']} is related to the labeler ({row['related_because']})."
    if rows["is_related"].any():
        yield "rank* is the rank without the systems that are related to the labeler."


def _favour_sentences(rankings: Rankings, measure: str) -> Iterator[str]:
    """Systems with an excess lead whose interval is above 0, though that may be their ordinary scatter."""
    unrelated = rankings.rows.filter(~pl.col("is_related"), measure=measure)
    for row in unrelated.filter(pl.col("excess_lead_low") > 0).iter_rows(named=True):
        yield (
            f"{row['system']} may be favoured by the {row['labeler']}: its lead is {row['excess_lead']:.3f} "
            f"[{row['excess_lead_low']:.3f}, {row['excess_lead_high']:.3f}] above what its lead by the "
            "reference predicts. If it is related, say so: --related."
        )


def _agreement_sentences(rankings: Rankings, measure: str) -> Iterator[str]:
    of_measure = rankings.agreements.filter(measure=measure)
    if of_measure.is_empty():
        yield (
            "Beside reference labels: not compared. It takes two systems, and 5 queries that have them and "
            "a grade above 0."
        )
    for (labeler, is_without), group in of_measure.group_by(
        "labeler", "is_without_related", maintain_order=True
    ):
        figures = {row["statistic"]: row for row in group.iter_rows(named=True)}
        shown = ", ".join(
            f"{name} {figures[key]['value']:.2f} [{figures[key]['low']:.2f}, {figures[key]['high']:.2f}]"
            for key, name in (("tau", "Kendall's tau"), ("tau_ap", "tau-AP"))
            if key in figures
        )
        first = next(iter(figures.values()))
        without = " without related systems" if is_without else ""
        yield (
            f"Order by {_WHOSE[str(labeler)]} beside reference labels{without}: {shown} "
            f"({counted(first['n_systems'], 'system')}, {counted(first['n_queries'], 'query')})."
        )


def nothing_ranked(rankings: Rankings, n_systems: int) -> str | None:
    """Why there is no ranking; None where there is one.

    >>> from relabel_assets.benchmark.systems.rankings import rank_systems
    >>> runs = pl.DataFrame({"system": ["a"], "query_id": ["q"], "doc_id": ["d"], "score": [1.0]})
    >>> nothing_ranked(rank_systems(runs, {}), 1)
    'No query of the runs has a grade above 0 by any labeler. `relabel run` makes the labels.'
    """
    if not rankings.rows.is_empty():
        return None
    if not n_systems:
        return (
            "There are no systems to rank. Put run files in runs/ of the corpus folder: NAME.run, with "
            "lines `query_id Q0 doc_id rank score name`."
        )
    return (
        "No query of the runs has a grade above 0 by any labeler. `relabel run` makes the labels."
    )


def ranking_markdown(rankings: Rankings, measures: Sequence[str]) -> str:
    """The rankings for the Dagster UI: a plot, a table and sentences for each measure.

    >>> from relabel_assets.benchmark.systems.rankings import rank_systems
    >>> pairs = pl.DataFrame({"query_id": "q", "doc_id": ["d1", "d2"], "grade": [1, 3]})
    >>> runs = pairs.select("query_id", "doc_id", system=pl.Series(["a", "b"]), score=1.0)
    >>> rankings = rank_systems(runs, {"student": pairs})
    >>> ranking_markdown(rankings, ["nDCG@10"]).splitlines()[0]
    "**nDCG@10 of 2 systems by the student's grades, 1 query**"
    """
    parts = []
    for measure in measures:
        of_measure = rankings.rows.filter(measure=measure)
        if of_measure.is_empty():
            continue
        labeler = shown_labeler(of_measure)
        columns, cells = ranking_table(rankings, measure, labeler)
        best = of_measure.filter(labeler=labeler).head(_MOST_IN_A_PLOT)
        dots = [
            (row["system"] + (_MARK if row["is_related"] else ""), *_interval(row))
            for row in best.iter_rows(named=True)
        ]
        name = f"{measure} by {_WHOSE[labeler]}, 95 % intervals"
        parts += [
            f"**{title(rankings, measure, labeler)}**",
            as_markdown(interval_plot(name, dots), f"{measure} of each system, best first"),
            markdown_table(columns, [[inert(cell) for cell in row] for row in cells]),
            "\n".join(f"- {inert(line)}" for line in sentences(rankings, measure, labeler)),
        ]
    return "\n\n".join(parts)


def _interval(row: dict[str, float]) -> tuple[float, float, float]:
    return row["value"], row["ci_low"], row["ci_high"]
