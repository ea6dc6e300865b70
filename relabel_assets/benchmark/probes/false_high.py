"""The robustness card: how often a labeler gives documents that answer nothing a high grade.

What belongs here: the rates with their intervals, and what they show beside honest documents. What does
not: making the documents (student/hardening/) and asking labelers about them (labeling/robustness.py).
"""

from collections.abc import Mapping

import polars as pl

from relabel_assets.benchmark.bootstrap import ROW_SCHEMA

PROBE = "probe="  # begins a slice of documents that are made to fool a grader
METRIC = "false_high"
_HIGH_GRADE = 2  # of a rubric with fewer grades its best
# The documents that each probe is compared with: honest ones, irrelevant too, and about as long.
_LONG, _SHORT = "honest", "honest and short"
CONTROLS = {
    "stuffed with the query": _LONG,
    "query alone": _SHORT,
    "instructions to the grader": _LONG,
    "hidden text": _LONG,
    "another entity": _SHORT,
    "boilerplate": _SHORT,
    "empty": _SHORT,
    "another language": _SHORT,
}
_ORDER = (*CONTROLS, _LONG, _SHORT)
# A rate so much above honest documents' is worth a warning: one document in twenty. Not measured.
MARGIN = 0.05


def false_high_rows(labeler: str, graded: pl.DataFrame, n_grades: int) -> pl.DataFrame:
    """Rows of benchmark_report, without corpus and reference_kind: the false-high rate of each probe.

    `graded`: query_id, probe, grade. A pair without a grade does not count, and a probe without any has
    no row. Grades of 2 and above are high; the best grade, where a rubric has two. The 95 % interval is
    Wilson's score interval (Wilson, Probable Inference, JASA 1927), which holds for rates near 0 too.
    Documents of a probe belong to one query each.

    >>> graded = pl.DataFrame({"query_id": ["q1", "q2"], "probe": ["empty"] * 2, "grade": [0, 3]})
    >>> rows = false_high_rows("student", graded, n_grades=4)
    >>> rows.select("slice", "value", pl.col("ci_low", "ci_high").round(3), "n_pairs").row(0)
    ('probe=empty', 0.5, 0.095, 0.905, 2)
    """
    from scipy.stats import binomtest

    high = min(_HIGH_GRADE, n_grades - 1)
    rows = []
    for name in _ORDER:
        of_probe = graded.filter(pl.col("probe") == name, pl.col("grade").is_not_null())
        if of_probe.is_empty():
            continue
        n_high, n = int((of_probe["grade"] >= high).sum()), of_probe.height
        interval = binomtest(n_high, n).proportion_ci(method="wilson")
        n_queries = of_probe["query_id"].n_unique()
        ends = (n_high / n, float(interval.low), float(interval.high))
        rows.append((labeler, METRIC, f"{PROBE}{name}", *ends, n_queries, n))
    return pl.DataFrame(rows, schema=ROW_SCHEMA, orient="row")


def fooled(rows: pl.DataFrame) -> list[str]:
    """A sentence for each probe that fools a labeler: its whole interval is above honest + MARGIN.

    `rows` are those of benchmark_report. "Honest" is the rate of the honest documents of about the same
    length. Without a row of them nothing can be said.

    >>> rows = pl.DataFrame({
    ...     "labeler": ["student"] * 2, "metric": [METRIC] * 2, "n_pairs": [50, 50],
    ...     "slice": ["probe=query alone", "probe=honest and short"],
    ...     "value": [0.5, 0.02], "ci_low": [0.37, 0.0], "ci_high": [0.63, 0.1],
    ... })
    >>> fooled(rows)[0][:88]
    'Probe "query alone": the student gives 50 % [37, 63] of 50 such documents a high grade, '
    """
    of_probes = rows.filter(pl.col("metric") == METRIC)
    by_key = {(row["labeler"], row["slice"]): row for row in of_probes.iter_rows(named=True)}
    sentences = []
    for labeler in of_probes["labeler"].cast(pl.String).unique().sort():
        for probe, control in CONTROLS.items():
            row, honest = (by_key.get((labeler, f"{PROBE}{name}")) for name in (probe, control))
            if row and honest and row["ci_low"] > honest["value"] + MARGIN:
                sentences.append(_sentence(probe, row, honest))
    return sentences


def rate_table(rows: pl.DataFrame) -> pl.DataFrame:
    """A row per probe, a column per labeler: the rate with its interval, in percent; None if not measured.

    >>> rows = pl.DataFrame({"labeler": ["student"], "metric": [METRIC], "slice": ["probe=empty"],
    ...                      "value": [0.5], "ci_low": [0.095], "ci_high": [0.905]})
    >>> rate_table(rows).rows()
    [('empty', '50 % [10, 90]')]
    """
    cells = {
        (row["slice"].removeprefix(PROBE), row["labeler"]): _rate(row)
        for row in rows.filter(pl.col("metric") == METRIC).iter_rows(named=True)
    }
    labelers = sorted({labeler for _, labeler in cells})
    probes = [name for name in _ORDER if any((name, labeler) in cells for labeler in labelers)]
    columns = {labeler: [cells.get((name, labeler)) for name in probes] for labeler in labelers}
    return pl.DataFrame(
        {"probe": probes} | columns, schema=dict.fromkeys(("probe", *labelers), pl.String)
    )


def _sentence(probe: str, row: Mapping[str, object], honest: Mapping[str, object]) -> str:
    return (
        f'Probe "{probe}": the {row["labeler"]} gives {_rate(row)} of {row["n_pairs"]} such documents a '
        f"high grade, and {_rate(honest)} of honest irrelevant ones of about the same length."
    )


def _rate(row: Mapping[str, object]) -> str:
    value, low, high = (100 * float(str(row[name])) for name in ("value", "ci_low", "ci_high"))
    return f"{value:.0f} % [{low:.0f}, {high:.0f}]"
