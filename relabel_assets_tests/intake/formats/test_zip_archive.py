"""Which members of an archive are documents, and which are refused."""

import io
import zipfile

import pytest

from relabel_assets.intake.formats import zip_archive
from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.registry import read_file
from relabel_assets.intake.set_aside import SetAside
from relabel_assets_tests.intake.formats.samples import zip_file

PAGE = b"# Leave\nAsk HR."


def read(content: bytes) -> dict[str | None, FileText | Unread]:
    return {part.inner_name: part for part in read_file("hr/all.zip", content)}


def refused(content: bytes) -> dict[str | None, str]:
    """The reason for each member that is not read."""
    parts = read(content)
    reasons = {name: part.message for name, part in parts.items() if isinstance(part, Unread)}
    assert all(part.remedy for part in parts.values() if isinstance(part, Unread))
    return reasons


def test_each_readable_member_is_a_document_and_others_are_named() -> None:
    members = {"a/": b"", "a/leave.md": PAGE, "b.exe": b"x", "c.docx": b"x"}
    members |= {"a/.hidden.md": PAGE, "logo.png": b"x", "__MACOSX/a.md": b"x"}
    parts = read(zip_file(members))
    assert list(parts) == ["a/leave.md", "b.exe", "c.docx"]
    page = parts["a/leave.md"]
    assert isinstance(page, FileText)
    assert (page.title, page.path) == ("Leave", "hr/all.zip/a/leave.md")
    assert ".exe is not read" in refused(zip_file(members))["b.exe"]


@pytest.mark.parametrize(
    "name", ["../a.md", "/a.md", "a/../../b.md", "a/..", "C:/a.md", "a\\b.md", "..\\a.md"]
)
def test_a_path_that_leads_out_is_refused(name: str) -> None:
    content = zip_file({"good.md": PAGE, "x" * len(name): PAGE}).replace(
        b"x" * len(name), name.encode()
    )
    assert list(refused(content).values()) == ["its path leads out of the archive"]
    assert "good.md" in read(content)


def test_a_link_an_encrypted_member_and_an_inner_archive_are_refused() -> None:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        link = zipfile.ZipInfo("link.md")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("inner.zip", zip_file({"a.md": PAGE}))
        archive.writestr(zipfile.ZipInfo("last.md"), PAGE)
    content = bytearray(file.getvalue())
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    assert refused(bytes(content)) == {
        "link.md": "it is a link",
        "inner.zip": "it is an archive inside an archive",
        "last.md": "it is encrypted with a password",
    }


def test_a_damaged_member_costs_itself() -> None:
    content = bytearray(zip_file({"bad.md": PAGE * 9, "good.md": PAGE}, method=zipfile.ZIP_STORED))
    content[content.index(PAGE)] ^= 1
    assert list(refused(bytes(content))) == ["bad.md"]
    assert "good.md" in read(bytes(content))


def test_methods_that_may_take_gigabytes_are_refused() -> None:
    content = zip_file({"a.md": PAGE}, method=zipfile.ZIP_LZMA)
    assert "method that is not read" in refused(content)["a.md"]


def test_a_member_of_the_same_name_is_refused() -> None:
    content = zip_file({"a.md": PAGE, "b.md": PAGE}).replace(b"b.md", b"a.md")
    parts = list(read_file("all.zip", content))
    assert [type(part) for part in parts] == [FileText, Unread]


def test_names_are_nfc_and_utf_8_where_they_can_be() -> None:
    written = "Cafe\u0301.md"
    file = zip_file({written: PAGE})
    assert list(read(file)) == ["Café.md"]
    # Without the flag that says so, as macOS packs it.
    for magic, offset in ((b"PK\x03\x04", 7), (b"PK\x01\x02", 9)):
        place = file.index(magic) + offset
        file = file[:place] + bytes([file[place] & ~0x08]) + file[place + 1 :]
    assert list(read(file)) == ["Café.md"]


def test_bombs_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(zip_archive, "MAX_UNPACKED_IN_ANY_CASE", 100_000)
    with pytest.raises(SetAside, match="it unpacks to more than 100,000 bytes"):
        read(zip_file({"a.txt": b"a" * 60_000, "b.txt": b"b" * 60_000}))
    read(zip_file({"a.txt": b"a" * 60_000}))
    monkeypatch.setattr(zip_archive, "MAX_ARCHIVE_UNPACKED_BYTES", 50_000)
    with pytest.raises(SetAside, match="more than 50,000"):
        read(zip_file({"a.txt": b"a" * 60_000}))
    monkeypatch.setattr(zip_archive, "MAX_ARCHIVE_MEMBERS", 2)
    with pytest.raises(SetAside, match="more than 2 members"):
        read(zip_file({f"{n}.txt": b"a" for n in range(3)}))


def test_a_large_member_costs_itself() -> None:
    content = zip_file({"a.txt": bytes(17_000_000), "b.md": PAGE})
    assert "17,000,000 bytes" in refused(content)["a.txt"]
    assert "b.md" in read(content)


@pytest.mark.parametrize(
    "content", [b"", b"PK\x03\x04", b"Ask HR.", b"%PDF-1.7 x", zip_file({"a.md": PAGE})[:-9]]
)
def test_what_is_no_archive_is_set_aside(content: bytes) -> None:
    with pytest.raises(SetAside) as raised:
        read(content)
    assert raised.value.remedy


def test_an_archive_without_a_document_is_named() -> None:
    for members in ({}, {"logo.png": b"x", ".hidden.md": PAGE}):
        with pytest.raises(SetAside, match="there is no document in it"):
            read(zip_file(members))
