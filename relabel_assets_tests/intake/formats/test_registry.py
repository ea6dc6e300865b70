"""Which files are read by which reader, and which are named."""

import pytest

from relabel_assets.intake.formats.registry import (
    is_passed_over,
    max_bytes,
    read_file,
    remedy_of,
    suffixes,
)
from relabel_assets.intake.input_limits import MAX_ARCHIVE_BYTES, MAX_PARSED_FILE_BYTES
from relabel_assets.intake.set_aside import SetAside


def test_a_file_that_no_reader_reads_is_named_with_what_to_do() -> None:
    for name, remedy in (
        ("a.doc", "Save it as .docx."),
        ("a.tar", "Unpack it."),
        ("a", "Formats: Markdown,"),
    ):
        with pytest.raises(SetAside, match="is not read") as raised:
            list(read_file(name, b"x"))
        assert raised.value.remedy.startswith(remedy)
    assert "PDF" in remedy_of(".exe")


def test_capitals_in_an_ending_make_no_difference() -> None:
    assert [part.body for part in read_file("A.MD", b"Ask HR.")] == ["Ask HR."]
    assert max_bytes("A.PDF") == MAX_PARSED_FILE_BYTES
    assert max_bytes("A.Zip") == MAX_ARCHIVE_BYTES
    assert {".html", ".htm", ".xhtml", ".docm", ".pptm", ".zip"} <= set(suffixes())


@pytest.mark.parametrize(("name", "content"), [("a.mbox", b""), ("a.eml", b"x"), ("a.md", b"")])
def test_a_file_without_a_document_is_no_silence(name: str, content: bytes) -> None:
    try:
        assert list(read_file(name, content))
    except SetAside as error:
        assert error.remedy


def test_parts_that_are_too_deep_are_named() -> None:
    deep = "".join(
        f"--b{n}\nContent-Type: multipart/mixed; boundary=b{n + 1}\n\n" for n in range(2000)
    )
    head = "Subject: x\nContent-Type: multipart/mixed; boundary=b0\n\n"
    with pytest.raises(SetAside, match="too deep inside each other"):
        list(read_file("a.eml", (head + deep).encode()))


def test_hidden_files_are_passed_over_and_paths_that_lead_out_are_not() -> None:
    assert (
        is_passed_over("a/.git/x.md")
        and is_passed_over("~$letter.docx")
        and is_passed_over("Thumbs.db")
    )
    assert not is_passed_over("../x.md")


def test_files_beside_the_pages_of_a_site_are_passed_over() -> None:
    for name in ("package.json", "docs/_category_.json", "node_modules/x/README.md", "a.png"):
        assert is_passed_over(name), name
    for name in ("pages.json", "node_modules.md", "docs/node/README.md"):
        assert not is_passed_over(name), name
