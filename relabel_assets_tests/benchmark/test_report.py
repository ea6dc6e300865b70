"""The benchmark report: its content, and escaping of text from documents."""

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.benchmark.baselines import confusions
from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.frontier import smallest_share
from relabel_assets.benchmark.gates.gate import VERDICTS, GateResult, gate
from relabel_assets.benchmark.labelers import CASCADES, LABELERS, PEOPLE_LABELERS, POOL_PEOPLE
from relabel_assets.benchmark.page.page import render_html
from relabel_assets.benchmark.report import (
    REFERENCE_SENTENCES,
    ReportFacts,
    render_markdown,
    statements,
    summary,
)
from relabel_assets.tables.vocabulary import REFERENCE_KINDS

SETTINGS: dict[str, Any] = {
    "ndcg_margin": 0.02,
    "pairwise_margin": 0.02,
    "min_queries": 3,
    "min_pairs": 9,
}
HOSTILE = "<script>alert('x')</script>"
COLUMNS = (
    "query", "title", "excerpt", "reference_grade", "student_grade", "teacher_grade", "rationale",
)  # fmt: skip


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


# Nobody calibrates the student of these rows to people, and there is no sample of people's grades.
MEASURED = [labeler for labeler in LABELERS if labeler not in (*PEOPLE_LABELERS, POOL_PEOPLE)]


@pytest.fixture(scope="module")
def rows() -> pl.DataFrame:
    all_labels = labels(
        teacher=TRUTH,
        student=[0, 1, 1, 3, 0, 1, 2, 2, 0],
        base=[0] * 9,
        bm25=[1, 0] * 4 + [1],
        **{name: [0, 1, 2, 3, 0, 1, 2, 2, 0] for name in CASCADES},
    )
    return measure(all_labels, REFERENCE, QUERIES, n_resamples=50).rows


def test_the_html_page_has_every_labeler_and_no_external_resource(rows: pl.DataFrame) -> None:
    results = gate(rows, **SETTINGS)
    disagreements = [dict.fromkeys(COLUMNS, HOSTILE)]
    facts = ReportFacts("tiny", HOSTILE, gate=results, disagreements=disagreements)
    page = render_html(rows, facts)
    assert "<script" not in page
    assert page.count("&lt;script&gt;") == 8
    assert "http://" not in page.replace("http://www.w3.org", "").replace(
        "http://purl.org", ""
    ).replace("http://creativecommons.org", "")
    for labeler in MEASURED:
        assert f'<th scope="row">{labeler}</th>' in page
    assert page == render_html(rows, facts)


def test_no_text_of_a_corpus_becomes_an_element_of_the_page(rows: pl.DataFrame) -> None:
    text = (
        "\"'><img src=x onerror=alert(1)><a href=javascript:alert(1)>x</a>"
        "<svg onload=alert(1)>{{ 7 * 7 }}\ud800\x00"
    )
    student = {"model_id": text, "base_model": text}
    hostile = ReportFacts("tiny", text, disagreements=[dict.fromkeys(COLUMNS, text)], data=student)
    plain = replace(
        hostile,
        description="x",
        disagreements=[dict.fromkeys(COLUMNS, "x")],
        data=dict.fromkeys(student, "x"),
    )
    page = render_html(rows, hostile)
    assert elements(page) == elements(render_html(rows, plain))
    assert "{{ 7 * 7 }}" in page
    page.encode()


def elements(page: str) -> list[str]:
    """The start tags of a page with the names of their attributes."""

    class Reader(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            found.append(" ".join([tag, *(name for name, _ in attrs)]))

    found = list[str]()
    Reader().feed(page)
    return found


def test_the_page_lets_the_browser_load_and_run_nothing(rows: pl.DataFrame) -> None:
    page = render_html(rows, ReportFacts("tiny"))
    (policy,) = re.findall('<meta http-equiv="Content-Security-Policy" content="(.*)">', page)
    assert "default-src 'none'" in policy and "script" not in policy
    assert page.index("Content-Security-Policy") < page.index("<title>")


def test_a_long_text_is_cut_on_the_page(rows: pl.DataFrame) -> None:
    page = render_html(rows, ReportFacts("tiny", "x" * 1_000_000))
    assert "x" * 1_999 + "…" in page and "x" * 2_000 not in page


def test_the_markdown_has_each_slice_with_its_intervals(rows: pl.DataFrame) -> None:
    text = render_markdown(rows, ReportFacts("tiny", reference_kind="adjudicated"))
    assert "**intent=keyword: 2 queries**" in text and "**intent=question: 1 query**" in text
    assert "| teacher | 1.000 [1.00, 1.00] |" in text
    assert "No person gave the reference grades" in text
    assert summary(rows)["labeler"].to_list() == MEASURED
    assert summary(rows, "intent=keyword")["labeler"].to_list() == [
        "teacher",
        "student",
        "base",
        "bm25",
        "student-teacher",
    ]


def test_the_markdown_equals_the_golden_report(rows: pl.DataFrame) -> None:
    golden = Path(__file__).parent.parent / "golden" / "report.md"
    facts = ReportFacts(
        "tiny",
        reference_kind="adjudicated",
        gate=gate(rows, **SETTINGS),
        frontier=smallest_share(rows, architecture="late_interaction", **SETTINGS),
    )
    assert render_markdown(rows, facts) == golden.read_text("utf-8")


def test_a_report_without_measurements_says_so() -> None:
    nothing = measure(labels(student=[1]), REFERENCE.head(0), QUERIES).rows
    facts = ReportFacts("tiny", gate=gate(nothing, **SETTINGS))
    page, text = render_html(nothing, facts), render_markdown(nothing, facts)
    for shown in (page, text):
        assert "Gate: not measured." in shown
        assert "No reference label has a grade by every labeler." in shown
    assert 'class="lead"' in page


@pytest.mark.parametrize("verdict", VERDICTS)
def test_page_and_markdown_begin_with_the_verdict(rows: pl.DataFrame, verdict: str) -> None:
    results = [
        GateResult("ndcg@10", 0.02, "passed", "Reason one."),
        GateResult("pairwise_half", 0.02, verdict, "Reason two."),
    ]
    facts = ReportFacts(
        "tiny",
        gate=results,
        frontier=["Cascade: none."],
        limits=["The student learned from 12 graded pairs."],
    )
    page, text = render_html(rows, facts), render_markdown(rows, facts)
    assert statements(facts) == [
        f"Gate: {verdict}. {VERDICTS[verdict]}",
        "ndcg@10: passed. Reason one.",
        f"pairwise_half: {verdict}. Reason two.",
        "Cascade: none.",
        "The student learned from 12 graded pairs.",
        REFERENCE_SENTENCES["not stated"],
    ]
    assert all(sentence in page and sentence in text for sentence in statements(facts)[1:])
    assert f"Gate: {verdict}." in page and f"**Gate: {verdict}." in text
    # Green for what passed, and for nothing else.
    assert ('class="lead passed"' in page) == (verdict == "passed")


def test_who_gave_the_reference_grades_is_never_guessed(rows: pl.DataFrame) -> None:
    for kind, sentence in REFERENCE_SENTENCES.items():
        assert sentence in render_markdown(rows, ReportFacts("tiny", reference_kind=kind))
    assert "not stated" in statements(ReportFacts("tiny"))[-1]
    assert len(statements(ReportFacts("tiny", reference_kind=None))) == 1  # there are none
    assert set(REFERENCE_SENTENCES) == set(REFERENCE_KINDS)


def test_confusions_count_assigned_grades_for_each_reference_grade() -> None:
    counts = confusions(labels(student=[0, 2, 2, 3, 0, 1, 2, 3, 0]), REFERENCE, n_grades=4)
    assert counts == {"student": [[3, 0, 0, 0], [0, 1, 1, 0], [0, 0, 2, 0], [0, 0, 0, 2]]}
