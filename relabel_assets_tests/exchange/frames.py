"""Judgments for the tests of exchange: fixed ones, and drawn ones of every shape that a corpus may have.

What belongs here: values. What does not: assertions.
"""

from typing import Any

import polars as pl
from hypothesis import strategies as st

from relabel_assets.exchange.judgments import Judgments, judgments_frame, text_key
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.text import is_storable, printable

MAX_GRADE = 3
DOCUMENTS = pl.DataFrame(
    {
        "doc_id": ["d1", "d2", "d3"],
        "title": ["Leave", None, "Travel"],
        "body": ["Ask HR.", 'A "quoted"\tbody.\nTwo lines.', "Keep receipts."],
    }
)


def row(query_id: str, text: str, doc_id: str, grade: int, **others: Any) -> dict[str, Any]:
    values = {"query_id": query_id, "text": text, "split": "benchmark", "doc_id": doc_id}
    return values | {"grade": grade} | others


ROWS = [
    row("q1", "parental leave", "d1", 3, labeler="people", model="ana", expected_grade=3.0),
    row("q1", "parental leave", "d2", 0, labeler="student", model="s1", expected_grade=0.25),
    row("q1", "parental leave", "d3", 1, labeler="student", model="s1", expected_grade=1.125),
    row(
        "q2",
        'travel, "by train"',
        "d3",
        2,
        labeler="teacher",
        model="gpt-4o",
        prompt_hash="ab" * 32,
        request_key="cd" * 32,
        expected_grade=1.9,
        grade_probs=[0.0, 0.2, 0.7, 0.1],
    ),
]


def judgments(rows: list[dict[str, Any]] = ROWS, labeler: str = "final") -> Judgments:
    return Judgments(
        judgments_frame(rows), "demo", labeler, MAX_GRADE, "docs", lambda: iter([DOCUMENTS])
    )


def _is_id(text: str) -> bool:
    return bool(text) and text.strip() == text and printable(text) == text and nfc(text) == text


# Ids as corpora have them: one printable line. With the characters that formats are made of.
_MADE_OF = st.sampled_from(list("ab1 ,;\"'#:|\\/=-+@.{}éあ\u00a0\u2028"))
_IDS = st.text(st.one_of(_MADE_OF, st.characters(codec="utf-8")), min_size=1, max_size=8)
IDS = _IDS.filter(lambda text: "\n" not in text and "\t" not in text).filter(_is_id)
_TEXTS = st.text(
    st.one_of(_MADE_OF, st.sampled_from("\n\t\r"), st.characters(codec="utf-8")), max_size=12
)
TEXTS = _TEXTS.filter(lambda text: bool(text.strip())).filter(is_storable)


@st.composite
def drawn(draw: st.DrawFn) -> Judgments:
    """Judgments of some queries; their texts differ, and so do their ids."""
    query_ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    texts = draw(
        st.lists(TEXTS, min_size=len(query_ids), max_size=len(query_ids), unique_by=text_key)
    )
    doc_ids = draw(st.lists(IDS, min_size=1, max_size=3, unique=True))
    rows = []
    for query_id, text in zip(query_ids, texts, strict=True):
        for doc_id in doc_ids:
            grade = draw(st.none() | st.integers(0, MAX_GRADE))
            if grade is None:
                continue
            probs = draw(st.none() | st.lists(st.floats(0, 1), min_size=4, max_size=4))
            others = {"grade_probs": probs, "expected_grade": draw(st.none() | st.floats(0, 3))}
            others |= {"model": draw(st.none() | IDS), "labeler": "student"}
            rows.append(row(query_id, text, doc_id, grade, **others))
    return judgments(rows)
