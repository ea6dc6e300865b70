"""The benchmark report: its content, and escaping of text from documents."""

from pathlib import Path

import polars as pl
import pytest

from relabel_assets.benchmark.baselines import confusions
from relabel_assets.benchmark.bootstrap import gate, measure
from relabel_assets.benchmark.report import ReportFacts, render_html, render_markdown, summary

HOSTILE = "<script>alert('x')</script>"


def labels(**grades: list[int]) -> pl.DataFrame:
    rows = [
        (labeler, f"q{position % 3}", f"d{position}", float(grade), grade)
        for labeler, labeler_grades in grades.items()
        for position, grade in enumerate(labeler_grades)
    ]
    return pl.DataFrame(
        rows, schema=["labeler", "query_id", "doc_id", "score", "grade"], orient="row"
    )


TRUTH = [0, 1, 2, 3, 0, 1, 2, 3, 0]
REFERENCE = pl.DataFrame(
    {
        "query_id": [f"q{n % 3}" for n in range(9)],
        "doc_id": [f"d{n}" for n in range(9)],
        "assessor": "a",
        "grade": TRUTH,
    }
)
QUERIES = pl.DataFrame(
    {"query_id": ["q0", "q1", "q2"], "intent": ["keyword", "keyword", "question"]}
)


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    all_labels = labels(
        teacher=TRUTH, student=[0, 1, 1, 3, 0, 1, 2, 2, 0], base=[0] * 9, bm25=[1, 0] * 4 + [1]
    )
    return measure(all_labels, REFERENCE, QUERIES, n_resamples=50).rows


def test_the_html_page_has_every_labeler_and_no_external_resource(rows: pl.DataFrame) -> None:
    results = gate(rows, ndcg_margin=0.02, pairwise_margin=0.02)
    columns = ("query", "title", "reference_grade", "student_grade", "teacher_grade", "rationale")
    disagreements = [dict.fromkeys(columns, HOSTILE)]
    facts = ReportFacts("tiny", HOSTILE, gate=results, disagreements=disagreements)
    page = render_html(rows, facts)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 7
    assert "http://" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")
    for labeler in ("teacher", "student", "base", "bm25", "student-teacher"):
        assert f'<th scope="row">{labeler}</th>' in page
    assert page == render_html(rows, facts)


def test_the_markdown_has_each_slice_with_its_intervals(rows: pl.DataFrame) -> None:
    text = render_markdown(rows, ReportFacts("tiny", reference_kind="adjudicated"))
    assert "**intent=keyword**" in text
    assert "| teacher | 1.000 [1.00, 1.00] |" in text
    assert "No person gave the reference grades" in text
    assert summary(rows)["labeler"].to_list() == [
        "teacher",
        "student",
        "base",
        "bm25",
        "student-teacher",
    ]


def test_the_markdown_equals_the_golden_report(rows: pl.DataFrame) -> None:
    golden = Path(__file__).parent.parent / "golden" / "report.md"
    assert render_markdown(
        rows, ReportFacts("tiny", reference_kind="adjudicated")
    ) == golden.read_text("utf-8")


def test_a_report_without_measurements_says_so() -> None:
    nothing = measure(labels(student=[1]), REFERENCE.head(0), QUERIES).rows
    assert "Nothing was measured" in render_html(nothing, ReportFacts("tiny"))


def test_confusions_count_assigned_grades_for_each_reference_grade() -> None:
    counts = confusions(labels(student=[0, 2, 2, 3, 0, 1, 2, 3, 0]), REFERENCE, n_grades=4)
    assert counts == {"student": [[3, 0, 0, 0], [0, 1, 1, 0], [0, 0, 2, 0], [0, 0, 0, 2]]}
