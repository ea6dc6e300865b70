"""Documents in files: the source of each column, notes, and parts that cannot be used."""

import json
from typing import Any

import pytest

from relabel_assets.corpus.documents_folder import file_documents
from relabel_assets.corpus.documents_folder.file_documents import documents_from_files
from relabel_assets.errors import Problem
from relabel_assets.intake.one_input import SetAside
from relabel_assets_tests.corpus.files import document_from_file


def read(*files: tuple[str, bytes]) -> tuple[dict[str, dict[str, Any]], list[Problem]]:
    problems: list[Problem] = []
    documents = list(documents_from_files(files, folder="documents", problems=problems))
    assert len({document["doc_id"] for document in documents}) == len(documents)
    return {str(document["doc_id"]): document for document in documents}, problems


def test_a_file_without_front_matter_gets_its_columns_from_path_and_heading() -> None:
    document = document_from_file(
        "hr/leave/sick.md", b"Intro.\n\n## Not this\n\n# Sick leave #\n\nText."
    )
    assert {name: document[name] for name in ("doc_id", "title", "path", "doc_type", "author")} == {
        "doc_id": "hr/leave/sick",
        "title": "Sick leave",
        "path": "hr/leave/sick.md",
        "doc_type": "leave",
        "author": None,
    }


def test_a_file_without_a_heading_has_its_name_as_title() -> None:
    document = document_from_file("note.txt", b"Text.")
    assert (document["title"], document["doc_type"]) == ("note", None)


def test_front_matter_overrides_path_and_heading_and_the_rest_is_metadata() -> None:
    matter = (
        "---\ntitle: T\nauthors: [Ana, Bo]\npath: /x\ndate: 2026-02-01\ntype: faq\nregion: EU\n"
        "---\n# Heading\n\nText."
    )
    document = document_from_file("hr/a.md", matter.encode())
    assert [document[name] for name in ("title", "author", "path", "updated_at", "doc_type")] == [
        "T",
        "Ana, Bo",
        "/x",
        "2026-02-01",
        "faq",
    ]
    assert document["body"] == "# Heading\n\nText."
    assert document["metadata"] == '{"region": "EU"}'


@pytest.mark.parametrize(
    "matter",
    [
        "title: [\n",
        "title: Q1: results\n",
        'title: "a\\0b"\n',
        "title: {a: b}\n",
        f"title: {'t' * 20_000}\n",
        "title: x\ntitle: y\n",
        "author: *x\ntitle: a\n",
        f"tags: {'t' * 70_000}\n",
        "date: [2024, [x, {y: z}]]\n",
        "title: 'a\nb'\nauthor: ''\n",
        "title: " + "[" * 100 + "\n",
    ],
)
def test_no_page_is_lost_over_its_front_matter(matter: str) -> None:
    documents, _ = read(("a.md", f"---\n{matter}---\nThe text.".encode()))
    assert documents["a"]["body"].endswith("The text.")


def test_unreadable_front_matter_is_a_problem_and_the_page_is_read() -> None:
    documents, (problem,) = read(("a.md", b"---\ntitle: Q1: results\n---\nText."))
    assert documents["a"]["title"] == "Q1: results"
    assert problem.file == "documents/a.md"
    assert "front matter cannot be read in line 2" in problem.message
    assert problem.remedy == "Correct the lines between the two rules."


@pytest.mark.parametrize(
    "content", [b"# " + b"t" * 20_000 + b"\nText.", b"Text.\x00 More.", b"\xef\xbb\xbfText."]
)
def test_no_page_is_lost_over_a_long_title_or_a_nul(content: bytes) -> None:
    documents, problems = read(("a.md", content))
    assert "Text." in documents["a"]["body"] and not problems


def test_two_files_of_one_name_are_two_documents() -> None:
    documents, problems = read(("leave.md", b"one"), ("leave.txt", b"two"))
    assert {doc_id: row["body"] for doc_id, row in documents.items()} == {
        "leave": "one",
        "leave.txt": "two",
    }
    assert problems == []


def test_hidden_text_is_left_out() -> None:
    page = document_from_file("leave.md", b"<!--\n# Not the title\n-->\n# Leave\nAsk HR.")
    assert (page["title"], page["body"]) == ("Leave", "# Leave\nAsk HR.")
    for body in (b"<!-- leave -->", b"<p hidden>leave</p>\n", "\u200b".encode(), b""):
        with pytest.raises(SetAside):
            document_from_file("leave.md", body)


def test_a_mailbox_is_a_document_for_each_mail_and_an_empty_one_costs_itself() -> None:
    box = (
        b"From a\nMessage-ID: <1@x.org>\nSubject: One\n\nA.\n\nFrom b\nMessage-ID: <2@x.org>\n\n\n\n"
        b"From c\nMessage-ID: <3@x.org>\nSubject: Three\nIn-Reply-To: <1@x.org>\n\nC.\n"
    )
    documents, (problem,) = read(("lists/all.mbox", box))
    assert {doc_id: row["title"] for doc_id, row in documents.items()} == {
        "lists/all/1@x.org": "One",
        "lists/all/3@x.org": "Three",
    }
    reply = documents["lists/all/3@x.org"]
    assert (reply["path"], reply["doc_type"]) == ("lists/all.mbox/3@x.org", "mail")
    assert json.loads(reply["metadata"])["thread"] == "1@x.org"
    assert problem.file == "documents/lists/all.mbox/2@x.org"


def test_a_mail_without_subject_or_line_has_its_id_as_title() -> None:
    documents, _ = read(("all.mbox", b"From a\nMessage-ID: <1@x.org>\n\n> quoted\n"))
    assert documents["all/1@x.org"]["title"] == "1@x.org"


def test_a_note_of_many_files_is_one_problem(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(file_documents, "_MOST_NAMED", 2)
    files = [(f"{n}.md", "café, à l’été".encode("cp1252")) for n in range(3)]
    documents, (problem,) = read(*files)
    assert len(documents) == 3
    assert (problem.file, problem.line) == ("documents", None)
    assert problem.message.startswith("3 files, the first is documents/0.md: it is not UTF-8")
    assert len(read(*files[:2])[1]) == 2


def test_a_file_that_cannot_be_used_costs_itself() -> None:
    documents, (problem,) = read(("a.md", bytes(range(256)) * 4), ("b.md", b"Text."))
    assert set(documents) == {"b"}
    assert (problem.file, problem.remedy) == ("documents/a.md", "Save the file as UTF-8.")
