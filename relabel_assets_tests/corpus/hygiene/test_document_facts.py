"""The facts of all documents: the columns, the counts in the UI, and the setting for repeated paragraphs."""

import polars as pl

from relabel_assets.corpus.config.documents_config import DocumentsConfig
from relabel_assets.corpus.documents import document_from_row
from relabel_assets.corpus.hygiene.document_facts import DocumentFacts

FOOTER = "This page is for employees of the company only."


def documents(*bodies: str) -> pl.DataFrame:
    rows = [{"doc_id": f"d{n:02}", "body": body} for n, body in enumerate(bodies)]
    return pl.DataFrame([document_from_row(row) for row in rows])


def facts_of(frame: pl.DataFrame, **settings: str) -> tuple[DocumentFacts, pl.DataFrame]:
    facts = DocumentFacts(DocumentsConfig.model_validate(settings))
    facts.add(frame)
    return facts, facts.completed(frame)


def test_repeated_paragraphs_stay_by_default_and_are_counted() -> None:
    frame = documents(*(f"Page {n}.\n\n{FOOTER}" for n in range(20)))
    facts, rows = facts_of(frame)
    assert rows.select(frame.columns).equals(frame)
    assert facts.metadata()["repeated"] == f"20: {FOOTER}"
    assert "boilerplate: drop" in facts.notes()[-1]


def test_dropped_paragraphs_change_the_body_and_its_hash_and_no_other_document() -> None:
    bodies = [f"Page {n}.\n\n{FOOTER}" for n in range(19)]
    frame = documents(*bodies, "Nothing repeated here.")
    facts, rows = facts_of(frame, boilerplate="drop")
    assert rows["body"][0] == "Page 0."
    assert rows["content_hash"][0] == documents("Page 0.")["content_hash"][0]
    assert rows["body"][19] == frame["body"][19]
    assert rows["content_hash"][19] == frame["content_hash"][19]
    assert facts.metadata()["repeated_paragraphs"] == 1
    assert not any("boilerplate" in note for note in facts.notes())


def test_metadata_and_notes_count_and_name_duplicates() -> None:
    page = " ".join(f"word{n}" for n in range(200))
    facts, rows = facts_of(documents(page, page, page + " more", "Parents may take paid leave."))
    assert rows["duplicate_of"].to_list() == [None, "d00", None, None]
    metadata = facts.metadata()
    assert (metadata["same_text"], metadata["nearly_same_text"]) == (1, 1)
    assert metadata["nearly_same"] == "d00 = d02"
    assert "en 1" in metadata["languages"]
    same, near = facts.notes()
    assert same.startswith("1 document with the text of another one")
    assert "such as d00 and d02" in near


def test_documents_that_say_nothing_of_each_other_have_no_note() -> None:
    assert facts_of(documents("Leave.", "Travel."))[0].notes() == []
