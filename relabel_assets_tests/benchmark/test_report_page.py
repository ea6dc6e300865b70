"""The report as a page: with a keyboard, in the dark, and on paper."""

import base64
import re
import shutil
import subprocess
from collections.abc import Sequence
from html.parser import HTMLParser
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.benchmark.bootstrap import METRICS
from relabel_assets.benchmark.costs import LabelingCost
from relabel_assets.benchmark.labelers import DIFFERENCES, LABELERS
from relabel_assets.benchmark.page.frontier_plot import frontier_plot
from relabel_assets.benchmark.page.page import render_html
from relabel_assets.benchmark.plots import interval_plot, reliability_plot, training_curve
from relabel_assets.benchmark.report import ReportFacts

SINGLE = [labeler for labeler in LABELERS if labeler not in DIFFERENCES.values()]
LONG_WORD = "w" * 120
FACTS = ReportFacts(
    "tiny",
    "A corpus of long words.",
    confusion={labeler: [[12_345] * 4] * 4 for labeler in SINGLE},
    disagreements=[
        {
            "query": f"which {LONG_WORD} is it",
            "excerpt": f"… about {LONG_WORD} and other things …",
            "title": "A document's title of some length that a reader sees beside its query",
            "reference_grade": 3.0,
            "student_grade": 0,
            "teacher_grade": 3,
            "rationale": "It answers the query for the case that is meant, and says so at once.",
        }
    ],
    costs=[LabelingCost("teacher", 2.5, 100.0, 50), LabelingCost("student", 0.01, 4.0, 50)],
    worst_queries=[{"query": LONG_WORD, "student": 0.1, "teacher": None, "n_judged": 12}],
    history=[
        {"when": f"2026-01-0{day} 03:04", "student": "m" * 16, "values": [0.5, None, 0.4, 0.3]}
        for day in (2, 1)
    ],
    data={"model_id": "m" * 64, "base_model": "embedded"},
)
BROWSER = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


def page() -> str:
    rows = [
        (labeler, metric, name, 0.123 + n / 1000, 0.11, 0.13, 56 if name == "all" else 1)
        for name in ("all", "intent=keyword")
        for n, metric in enumerate(METRICS)
        for labeler in LABELERS
    ]
    rows += [("student", "false_high", "probe=stuffed", 0.125, 0.1, 0.15, 40)]
    columns = ["labeler", "metric", "slice", "value", "ci_low", "ci_high", "n_queries"]
    frame = pl.DataFrame(rows, schema=columns, orient="row")
    return render_html(frame.with_columns(n_pairs="n_queries"), FACTS)


def elements(html: str) -> list[tuple[str, dict[str, str | None]]]:
    """The start tags of a page with their attributes."""

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append((tag, dict(attrs)))

    found = list[tuple[str, dict[str, str | None]]]()
    Reader().feed(html)
    return found


def test_scroll_areas_are_reached_by_keyboard_and_have_names() -> None:
    areas = [
        attributes for _, attributes in elements(page()) if attributes.get("class") == "scroll"
    ]
    assert [area["aria-label"] for area in areas] == [
        "What 1,000 labels cost",
        "Metrics: All queries: 56 queries",
        "Queries that the student orders worst",
        "Documents that are made to fool a grader",
        "Metrics: intent=keyword: 1 query",
        "Earlier benchmarks",
        "Data, student and versions",
    ]
    assert all((area["tabindex"], area["role"]) == ("0", "region") for area in areas)


def test_every_table_that_may_be_wide_is_in_a_scroll_area_or_a_figure() -> None:
    assert page().count("<table") == page().count('class="scroll"') + page().count("<caption>")


def svgs() -> dict[str, str]:
    images = {
        "curve": training_curve([(0, 0.5), (1, 0.6)]),
        "reliability": reliability_plot([(0.1, 0.2, 0.5), (0.6, 0.5, 0.5)]),
    }
    encoded = {name: image.split("base64,")[1][:-1] for name, image in images.items()}
    decoded = {name: base64.b64decode(text).decode() for name, text in encoded.items()}
    points = [("student", 0.5, 0.4, 0.6), ("teacher", 0.6, 0.5, 0.7)]
    return decoded | {
        "intervals": interval_plot("ndcg@10", points),
        "frontier": frontier_plot(points, FACTS.costs),
    }


def contrast(one: str, other: str) -> float:
    """The contrast of two colors, 1 to 21 (WCAG 2)."""

    def luminance(color: str) -> float:
        parts = [int(color[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [
            part / 12.92 if part <= 0.03928 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
        ]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("name", ["intervals", "curve", "reliability", "frontier"])
@pytest.mark.parametrize("paper", ["#ffffff", "#f6f8fb", "#1c222b", "#14181f"])
def test_axes_and_values_of_a_plot_are_seen_on_light_and_dark_paper(name: str, paper: str) -> None:
    svg = svgs()[name]
    drawn = set(re.findall(r"(?:stroke|fill): (#[0-9a-f]{6})", svg)) - {"#888888"}  # the grid
    assert drawn
    assert {color for color in drawn if contrast(color, paper) < 3} == set()
    # What has no color of its own is black.
    without = re.findall(r"<text(?![^>]*fill)[^>]*>|<use(?![^>]*stroke)[^>]*>", svg)
    assert without == []


@pytest.mark.slow
@pytest.mark.skipif(
    not BROWSER or not shutil.which("pdftotext"), reason="no Chromium or no pdftotext at hand"
)
def test_the_printed_page_keeps_every_column(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text(page(), encoding="utf-8")
    text = printed(tmp_path, ["--no-pdf-header-footer"])
    # By row: a value of each metric, with both ends of its interval.
    for n, _ in enumerate(METRICS):
        assert text.count(f"{0.123 + n / 1000:.3f}") >= 2 * len(SINGLE)
    assert text.count("[0.11, 0.13]") == 2 * len(SINGLE) * len(METRICS)
    assert "says so at once" in " ".join(text.split())
    assert text.count("12345") == len(SINGLE) * 16


def printed(folder: Path, flags: Sequence[str]) -> str:
    """The text of `folder`/page.html on paper, and nothing that lies outside it."""
    pdf, profile = folder / "page.pdf", f"--user-data-dir={folder / 'profile'}"
    command = [str(BROWSER), "--headless", "--no-sandbox", "--disable-gpu", profile, *flags]
    command += [f"--print-to-pdf={pdf}", (folder / "page.html").as_uri()]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    size = subprocess.run(["pdfinfo", pdf], check=True, capture_output=True, text=True).stdout
    found = re.search(r"Page size: +([\d.]+) x ([\d.]+)", size)
    assert found
    box = ["-x", "0", "-y", "0", "-W", str(int(float(found[1]))), "-H", str(int(float(found[2])))]
    done = subprocess.run(
        ["pdftotext", "-layout", *box, pdf, "-"], check=True, capture_output=True, text=True
    )
    return done.stdout
