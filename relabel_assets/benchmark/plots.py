"""Pictures for the report and the UI, as text: SVG or Markdown, the same for the same input.

What belongs here: drawing with matplotlib. What does not: the numbers.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from typing import Any

_BAR = 30  # characters of the longest bar


def _svg(figure: Any) -> str:
    import matplotlib

    text = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": "relabel-assets", "svg.fonttype": "none"}):
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True, bbox_inches="tight")
    return text.getvalue()[text.getvalue().index("<svg") :]


def interval_plot(title: str, rows: Sequence[tuple[str, float, float, float]]) -> str:
    """A dot and its interval for each (name, value, low, high), the first on top."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(5.2, 0.7 + 0.34 * len(rows)))
    axes = figure.add_subplot()
    for place, (_, value, low, high) in enumerate(reversed(rows)):
        axes.plot([low, high], [place, place], color="#7a8ba8", linewidth=3, solid_capstyle="round")
        axes.plot([value], [place], "o", color="#3667c9", markersize=7)
    axes.set_yticks(range(len(rows)), [name for name, *_ in reversed(rows)])
    axes.set_ylim(-0.6, len(rows) - 0.4)
    axes.set_title(title, loc="left", fontsize=11)
    axes.grid(axis="x", color="#8886", linewidth=0.6)
    for side in ("top", "right", "left"):
        axes.spines[side].set_visible(False)
    axes.tick_params(length=0)
    return _svg(figure)


def grade_distribution(counts: Mapping[str, int]) -> str:
    """A bar for each grade, as a Markdown table: short enough that the UI shows it without a click."""
    largest = max([*counts.values(), 1])
    lines = ["| grade | pairs | |", "|---|---|---|"]
    lines += [f"| {grade} | {count:,} | {'█' * round(_BAR * count / largest)} |" for grade, count in counts.items()]
    return "\n".join(lines)


def training_curve(epochs: Sequence[tuple[int, float | None]]) -> str:
    """The figure on dev after each epoch (0 is the base), as Markdown with the picture inside; a sentence without dev."""
    from matplotlib.figure import Figure

    known = [(number, value) for number, value in epochs if value is not None]
    if not known:
        return "no dev queries, so nothing was measured"
    figure = Figure(figsize=(4.6, 2.4))
    axes = figure.add_subplot()
    axes.plot([number for number, _ in known], [value for _, value in known], "o-", color="#3667c9")
    axes.set_xticks([number for number, _ in known])
    axes.set_xlabel("epoch (0 is the untrained base)")
    axes.set_title("mean of NDCG@10 and pairwise accuracy on dev", loc="left", fontsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return as_markdown(_svg(figure), "dev figure by epoch")


def reliability_plot(curve: Sequence[tuple[float, float, float]]) -> str:
    """What was said beside what came true, for (said, came true, share) bins, as Markdown with the picture inside."""
    from matplotlib.figure import Figure

    if not curve:
        return "no dev queries, so nothing was measured"
    figure = Figure(figsize=(3.6, 3.2))
    axes = figure.add_subplot()
    axes.plot([0, 1], [0, 1], color="#8888", linewidth=1)
    said, true, share = zip(*curve, strict=True)
    axes.scatter(said, true, s=[20 + 400 * part for part in share], color="#3667c9", alpha=0.8)
    axes.set_xlabel("probability said, P(grade at least k)")
    axes.set_ylabel("share that came true")
    axes.set_title("calibration on dev", loc="left", fontsize=10)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    return as_markdown(_svg(figure), "reliability on dev")


def as_markdown(svg: str, alt: str) -> str:
    return f"![{alt}](data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()})"
