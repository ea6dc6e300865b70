"""The id of a document in a file, and which id a written one means."""

import pytest

from relabel_assets.corpus.documents_folder.doc_ids import (
    DocIds,
    meant_ids,
    nearest_id,
    order_of_file,
    without_known_ending,
)


def ids_of(*names: str) -> dict[str, str]:
    ids = DocIds()
    return {name: ids.of_file(name) for name in sorted(names, key=order_of_file)}


def test_an_id_is_the_path_without_its_ending_in_nfc() -> None:
    assert ids_of("hr/leave.md", "v1.10.md", "cafe\u0301.txt") == {
        "hr/leave.md": "hr/leave",
        "v1.10.md": "v1.10",
        "cafe\u0301.txt": "caf\u00e9",
    }


def test_of_files_that_differ_in_their_ending_markdown_has_the_plain_id() -> None:
    """A PDF or a Word file that is added must not take the id that queries name."""
    pages = ids_of("leave.docx", "leave.md", "leave.pdf", "leave.txt", "leave.pdf.md")
    assert pages == {
        "leave.md": "leave",
        "leave.txt": "leave.txt",
        "leave.docx": "leave.docx",
        "leave.pdf": "leave.pdf",
        "leave.pdf.md": "leave.pdf.md",
    }


def test_no_two_documents_have_one_id() -> None:
    names = ["e\u0301.md", "\u00e9.md", "\u00e9.MD", "a/b.md", "a.zip"]
    ids = DocIds()
    given = [ids.of_file(name) for name in sorted(names, key=order_of_file)]
    given += [ids.of_part("a.zip", inner) for inner in ("b.md", "b.pdf", "b.md", "c.md")]
    assert len(set(given)) == len(given) == 9
    assert {"\u00e9", "a/b", "a/b.md", "a/b.pdf", "a/c"} <= set(given)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("hr/leave.md", "hr/leave"),
        ("hr/leave.pdf", "hr/leave"),
        ("documents/hr/leave.md", "hr/leave"),
        ("./hr/leave", "hr/leave"),
        ("/hr/leave.md", "hr/leave"),
        ("hr/leave", None),  # it is known as it is written
        ("hr/pay.pdf", None),  # so is this
        ("hr/leave.xyz", None),
        ("leave", None),
        ("", None),
    ],
)
def test_an_id_with_an_ending_means_the_one_without(written: str, meant: str | None) -> None:
    known = ["hr/leave", "hr/pay", "hr/pay.pdf"]
    assert meant_ids([written], known).get(written) == meant


def test_only_endings_of_formats_are_taken_off() -> None:
    assert without_known_ending("1@example.com") == "1@example.com"
    assert without_known_ending("a.MD") == "a"


def test_the_nearest_id_is_named_if_it_is_near() -> None:
    known = ["policies/parental-leave", "policies/pay"]
    assert nearest_id("policy/parental_leave", known) == "policies/parental-leave"
    assert nearest_id("x", known) is None
    assert nearest_id("x", []) is None
