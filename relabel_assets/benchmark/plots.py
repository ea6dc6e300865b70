"""Plots and tables as text, SVG or Markdown, for the report and the UI.

What belongs here: drawing with matplotlib, and Markdown tables. Equal input gives equal text. What
does not: the numbers in them (bootstrap.py), and the report (report.py).
"""

import base64
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

_LONGEST_BAR = 30  # characters: a table row stays one line in the UI
# Seen on white and on dark paper: a contrast of 4 with both.
AXES_COLOR, VALUE_COLOR = "#737e8e", "#4a7bdc"
_NO_DEV = "Nothing was measured: there are no dev queries."


def interval_plot(title: str, rows: Sequence[tuple[str, float, float, float]]) -> str:
    """An SVG plot with a dot and its interval for each (name, value, low, high), the first on top.

    >>> interval_plot("ndcg@10", [("student", 0.91, 0.88, 0.94)])[:4]
    '<svg'
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 0.7 + 0.34 * len(rows)))
    axes = figure.add_subplot()
    for y, (_, value, low, high) in enumerate(reversed(rows)):
        axes.plot([low, high], [y, y], color=AXES_COLOR, linewidth=3, solid_capstyle="round")
        axes.plot([value], [y], "o", color=VALUE_COLOR, markersize=7)
    axes.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_title(title, loc="left", fontsize=11, color=AXES_COLOR)
    axes.grid(axis="x", color="#8886", linewidth=0.6)
    hide_frame(axes, "top", "right", "left")
    axes.tick_params(length=0)
    return as_svg(figure)


def grade_distribution(counts: Mapping[str, int]) -> str:
    """A Markdown table with a bar for each grade. The UI shows it without a click: it is short.

    >>> print(grade_distribution({"0": 20, "3": 10}))
    | grade | pairs |  |
    |---|---|---|
    | 0 | 20 | ██████████████████████████████ |
    | 3 | 10 | ███████████████ |
    """
    largest = max([*counts.values(), 1])
    rows = [
        (grade, f"{count:,}", "█" * round(_LONGEST_BAR * count / largest))
        for grade, count in counts.items()
    ]
    return markdown_table(("grade", "pairs", ""), rows)


def training_curve(epochs: Sequence[tuple[int, float | None]]) -> str:
    """A plot of the dev metric after each epoch (0 is the base), as a Markdown image.

    >>> training_curve([(0, None), (1, None)])
    'Nothing was measured: there are no dev queries.'
    """
    from matplotlib.figure import Figure

    measured = [(number, value) for number, value in epochs if value is not None]
    if not measured:
        return _NO_DEV
    numbers, values = zip(*measured, strict=True)
    figure = Figure(figsize=(4.6, 2.4))
    axes = figure.add_subplot()
    axes.plot(numbers, values, "o-", color=VALUE_COLOR)
    axes.set_xticks(numbers)
    axes.set_xlabel("epoch (0 is the untrained base)")
    title = "mean of NDCG@10 and pairwise accuracy on dev"
    axes.set_title(title, loc="left", fontsize=10, color=AXES_COLOR)
    hide_frame(axes, "top", "right")
    return as_markdown(as_svg(figure), "dev metric by epoch")


def reliability_plot(curve: Sequence[tuple[float, float, float]]) -> str:
    """A plot of observed frequency by predicted probability, as a Markdown image.

    `curve` has (mean probability, observed frequency, share of pairs) of each bin. Points on the
    diagonal are calibrated; larger points have more pairs.

    >>> reliability_plot([])
    'Nothing was measured: there are no dev queries.'
    """
    from matplotlib.figure import Figure

    if not curve:
        return _NO_DEV
    predicted, observed, shares = zip(*curve, strict=True)
    figure = Figure(figsize=(3.6, 3.2))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#8888", linewidth=1)
    sizes = [20 + 400 * share for share in shares]
    axes.scatter(predicted, observed, s=sizes, color=VALUE_COLOR, alpha=0.8)
    axes.set_xlabel("predicted probability, P(grade at least k)")
    axes.set_ylabel("observed frequency")
    axes.set_title("calibration on dev", loc="left", fontsize=10, color=AXES_COLOR)
    hide_frame(axes, "top", "right")
    return as_markdown(as_svg(figure), "reliability on dev")


def as_markdown(svg: str, alt: str) -> str:
    """An SVG picture as a Markdown image that needs no other file.

    >>> as_markdown("<svg/>", "nothing")
    '![nothing](data:image/svg+xml;base64,PHN2Zy8+)'
    """
    return f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"


def markdown_table(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table. Cells are Markdown of one line: text of a corpus passes `inert` first.

    >>> print(markdown_table(("labeler", "kappa"), [("student", "0.41")]))
    | labeler | kappa |
    |---|---|
    | student | 0.41 |
    """
    lines = [f"| {' | '.join(cells)} |" for cells in (columns, *rows)]
    return "\n".join([lines[0], f"|{'---|' * len(columns)}", *lines[1:]])


def hide_frame(axes: Any, *sides: str) -> None:
    """Hide these sides of the frame of matplotlib's `axes`; the rest is seen on any paper.

    >>> from matplotlib.figure import Figure
    >>> axes = Figure().add_subplot()
    >>> hide_frame(axes, "top")
    >>> axes.spines["top"].get_visible()
    False
    """
    for side in sides:
        axes.spines[side].set_visible(False)
    axes.spines[:].set_color(AXES_COLOR)
    axes.tick_params(color=AXES_COLOR, labelcolor=AXES_COLOR)
    for label in (axes.xaxis.label, axes.yaxis.label):
        label.set_color(AXES_COLOR)


def as_svg(figure: Any) -> str:
    """A figure of matplotlib as SVG. Equal figures give equal text.

    >>> from matplotlib.figure import Figure
    >>> as_svg(Figure())[:4]
    '<svg'
    """
    import matplotlib

    text = io.StringIO()
    # A fixed salt and no date, so that the same figure gives the same bytes.
    with matplotlib.rc_context({"svg.hashsalt": "relabel-assets", "svg.fonttype": "none"}):
        figure.savefig(
            text, format="svg", metadata={"Date": None}, transparent=True, bbox_inches="tight"
        )
    return text.getvalue()[text.getvalue().index("<svg") :]
