"""Filters of written queries: rejections with their reason, duplicates, ids."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rapidfuzz import fuzz

from relabel_assets.corpus.queries.near_queries import compared
from relabel_assets.teacher.queries.query_filters import COLUMNS, kept_queries, reason_to_reject
from relabel_assets.teacher.queries.query_requests import (
    QueryItem,
    UnreadableQuery,
    WantedQuery,
    WrittenQuery,
)
from relabel_assets_tests.teacher.documents import DOCUMENT

OTHER = {**DOCUMENT, "doc_id": "d2"}


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("time off when a child is born", None),
        ("", "empty"),
        ("?!", "empty"),
        ("word " * 20, None),
        ("word " * 21, "too long"),
        ("x" * 200, None),
        ("x" * 201, "too long"),
        ("PARENTAL leave policy!", "copies the title"),
        ("parental leaves policy", "copies the title"),
        ("leave policy for parents", None),
        ("take sixteen weeks of paid leave", None),  # six words in a row
        ("take sixteen weeks of paid leave now", None),
        ("may take sixteen weeks of paid leave", "copies the body"),  # seven
        ("can I take sixteen weeks of paid leave after", "copies the body"),
        ("Take SIXTEEN weeks; of paid leave after?", "copies the body"),
        ("who wrote this document", "speaks of the document"),
        ("who wrote The Following page", "speaks of the document"),
        ("who wrote this documentary", None),
        ("this policy document", None),
    ],
)
def test_an_unusable_query_has_a_reason(text: str, reason: str | None) -> None:
    assert reason_to_reject(text, DOCUMENT) == reason


def test_no_query_copies_the_title_of_an_untitled_document() -> None:
    assert reason_to_reject("parental leave policy", {**DOCUMENT, "title": None}) is None


def test_copied_words_are_whole_words() -> None:
    document = {"title": None, "body": "one two three four five six sevenfold"}
    assert reason_to_reject("one two three four five six seven", document) is None


def filter_replies(*replies: tuple[dict, list[WantedQuery], list[QueryItem]]) -> tuple:
    return kept_queries(replies, teacher_model="m", prompt_hash="h")


def test_equal_and_near_duplicate_queries_are_kept_once() -> None:
    wanted = [WantedQuery("keyword", "a manager"), WantedQuery("keyword", None)]
    queries, rejected = filter_replies(
        (
            DOCUMENT,
            wanted,
            [
                WrittenQuery("keyword", "baby leave weeks"),
                WrittenQuery("messy", "leave weeks, baby"),
            ],
        ),
        (
            OTHER,
            wanted,
            [
                WrittenQuery("question", "Baby leave weeks?"),
                WrittenQuery("question", "who approves it"),
            ],
        ),
    )
    assert queries["text"].to_list() == ["baby leave weeks", "who approves it"]
    assert queries["seed_doc_id"].to_list() == ["d1", "d2"]
    assert queries["persona"].to_list() == ["a manager", None]
    assert rejected == {"nearly another query": 2}


@settings(max_examples=100, deadline=None)
@given(st.lists(st.text("ab", min_size=1, max_size=24), max_size=12))
def test_a_query_is_kept_unless_it_is_near_one_that_is_kept(texts: list[str]) -> None:
    written = [WrittenQuery("messy", text) for text in texts]
    document = {"doc_id": "d1", "title": None, "body": "-"}
    queries, _ = filter_replies((document, [WantedQuery("messy")] * len(texts), written))
    kept: list[str] = []
    for text in texts:
        if all(fuzz.ratio(compared(text), compared(other)) < 90 for other in kept):
            kept.append(text)
    assert queries["text"].to_list() == kept


def test_queries_beyond_the_requested_number_are_left_out() -> None:
    written = [WrittenQuery("messy", text) for text in ("leav rules", "office keys", "parking")]
    queries, rejected = filter_replies((DOCUMENT, [WantedQuery("messy")], written))
    assert queries["text"].to_list() == ["leav rules"]
    assert rejected == {"more than asked for": 2}


def test_fewer_queries_than_requested_are_kept() -> None:
    queries, rejected = filter_replies(
        (DOCUMENT, [WantedQuery("messy")] * 3, [WrittenQuery("messy", "leav")])
    )
    assert (queries.height, dict(rejected)) == (1, {})


def test_reasons_are_counted() -> None:
    written = [WrittenQuery("messy", text) for text in ("?", "this page", "!", "fine")]
    queries, rejected = filter_replies((DOCUMENT, [WantedQuery("messy")] * 4, written))
    assert queries["text"].to_list() == ["fine"]
    assert rejected == {"empty": 2, "speaks of the document": 1}


def test_an_unreadable_item_is_counted_and_the_others_keep_their_personas() -> None:
    wanted = [WantedQuery("messy", persona) for persona in ("a manager", "a new hire", "a guest")]
    written = [
        WrittenQuery("messy", "leav rules"),
        UnreadableQuery("no text"),
        WrittenQuery("messy", "parking"),
    ]
    queries, rejected = filter_replies((DOCUMENT, wanted, written))
    assert queries["persona"].to_list() == ["a manager", "a guest"]
    assert rejected == {"no text": 1}


def test_a_row_has_its_intent_model_and_prompt() -> None:
    wanted, written = [WantedQuery("keyword", "a manager")], [WrittenQuery("messy", "leav rules")]
    (row,) = filter_replies((DOCUMENT, wanted, written))[0].to_dicts()
    assert row["intent"] == "messy"  # what the teacher says it wrote, not what was asked for
    assert (row["teacher_model"], row["prompt_hash"], row["split"]) == ("m", "h", None)
    assert len(row["content_hash"]) == 64


def test_an_id_depends_on_the_document_and_the_text() -> None:
    """Grades are stored under the id, so nothing else may change it."""
    written = [WrittenQuery("messy", "leav rules")]
    ids = []
    for document, wanted in ((DOCUMENT, WantedQuery("messy")), (DOCUMENT, WantedQuery("keyword", "x")),
                             (OTHER, WantedQuery("messy"))):  # fmt: skip
        ids += filter_replies((document, [wanted], written))[0]["query_id"].to_list()
    assert ids[0] == ids[1] != ids[2]
    assert ids[0] == "s47d62e560e20189"


def test_no_replies_give_an_empty_frame() -> None:
    queries, rejected = filter_replies()
    assert (queries.columns, queries.height, dict(rejected)) == (list(COLUMNS), 0, {})
