"""The frontier as a plot: the quality of each labeler against the cost of its labels.

What belongs here: the plot, and the text that says the same. What does not: costs (costs.py), quality
(bootstrap.py), and which labeler is enough (frontier.py).
"""

from collections.abc import Mapping, Sequence

from relabel_assets.benchmark.costs import LabelingCost, usd_text
from relabel_assets.benchmark.labelers import CASCADES
from relabel_assets.benchmark.plots import AXES_COLOR, VALUE_COLOR, as_svg, hide_frame

# The share of the teacher's grades that each labeler needs.
_SHARES = {"bm25": 0.0, "base": 0.0, "student": 0.0} | CASCADES | {"teacher": 1.0}
# Labelers of the same cost stand beside each other: in widths of the plot, so that names are apart.
_BESIDE = {"bm25": -0.18, "base": -0.09}

Interval = tuple[str, float, float, float]  # labeler, value, ci_low, ci_high


def frontier_plot(intervals: Sequence[Interval], costs: Sequence[LabelingCost]) -> str:
    """An SVG plot: NDCG@10 with its interval against the share of the teacher's grades, one dot a labeler.

    Dollars for 1,000 labels stand below where they are known. Empty without a teacher or a student. The
    axis has square roots of shares, so that small ones are apart.

    >>> frontier_plot([("student", 0.9, 0.8, 1.0), ("teacher", 0.95, 0.9, 1.0)], [])[:4]
    '<svg'
    >>> frontier_plot([("bm25", 0.9, 0.8, 1.0)], [])
    ''
    """
    from matplotlib.figure import Figure

    shown = [interval for interval in intervals if interval[0] in _SHARES]
    if not {"student", "teacher"} <= {labeler for labeler, *_ in shown}:
        return ""
    usd = {cost.labeler: cost.usd for cost in costs}
    figure = Figure(figsize=(8, 3.4))
    axes = figure.add_subplot()
    for labeler, value, low, high in shown:
        x = _SHARES[labeler] ** 0.5 + _BESIDE.get(labeler, 0)
        color = AXES_COLOR if labeler in _BESIDE else VALUE_COLOR
        axes.plot([x, x], [low, high], color=AXES_COLOR, linewidth=2, solid_capstyle="round")
        axes.plot([x], [value], "o", color=color, markersize=8)
        axes.annotate(
            _name(labeler),
            (x, high),
            (0, 5),
            textcoords="offset points",
            ha="center",
            fontsize=8,
            color=AXES_COLOR,
        )
    ticks = {share: labeler for labeler, share in _SHARES.items() if labeler in dict(_pairs(shown))}
    axes.set_xticks(
        [share**0.5 for share in ticks],
        [_tick(share, usd.get(labeler)) for share, labeler in ticks.items()],
    )
    axes.margins(y=0.15)
    axes.set_xlabel("share of the labels that are the teacher's, and dollars for 1,000 labels")
    axes.set_ylabel("NDCG@10")
    axes.grid(axis="y", color="#8886", linewidth=0.6)
    hide_frame(axes, "top", "right")
    return as_svg(figure)


def frontier_text(intervals: Sequence[Interval], costs: Sequence[LabelingCost]) -> str:
    """The plot for those who do not see it.

    >>> frontier_text([("student", 0.9, 0.8, 1.0)], [LabelingCost("student", 0.02, 3.0, 100)])
    'NDCG@10 against cost. student: 0.900 [0.80, 1.00], $0.02 for 1,000 labels.'
    """
    usd: Mapping[str, float | None] = {cost.labeler: cost.usd for cost in costs}
    points = []
    for labeler, value, low, high in intervals:
        price = usd.get(labeler)
        cost = "" if price is None else f", {usd_text(price)} for 1,000 labels"
        points.append(f"{labeler}: {value:.3f} [{low:.2f}, {high:.2f}]{cost}.")
    return " ".join(["NDCG@10 against cost.", *points])


def _pairs(intervals: Sequence[Interval]) -> list[tuple[str, float]]:
    return [(labeler, value) for labeler, value, *_ in intervals]


def _name(labeler: str) -> str:
    return labeler.replace("cascade@", "cascade\n")


def _tick(share: float, usd: float | None) -> str:
    percent = f"{100 * share:g} %"
    return percent if usd is None else f"{percent}\n{usd_text(usd)}"
