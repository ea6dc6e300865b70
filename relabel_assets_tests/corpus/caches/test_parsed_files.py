"""What parsers found: kept until the file or a parser changes."""

import io
import sqlite3
from pathlib import Path

import pytest
from docx import Document

from relabel_assets.corpus.caches import parsed_files as module
from relabel_assets.corpus.caches.cache_file import CacheFile
from relabel_assets.corpus.caches.parsed_files import ParsedFiles
from relabel_assets.intake.formats import registry
from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.set_aside import SetAside
from relabel_assets_tests.corpus.files import folder


def docx(text: str) -> bytes:
    document = Document()
    document.add_paragraph(text)
    file = io.BytesIO()
    document.save(file)
    return file.getvalue()


LEAVE, PAY = docx("Ask HR."), docx("Pay day.")


def read(cache: Path, *files: tuple[str, bytes]) -> tuple[list[FileText | Unread], int]:
    """The texts of one reading, and how many files were parsed."""
    with CacheFile(cache) as kept:
        parsed = ParsedFiles(kept)
        texts = [text for name, content in files for text in parsed.read_file(name, content)]
        parsed.forget_others()
    return texts, parsed.n_parsed


@pytest.mark.slow
def test_only_a_changed_file_is_parsed_again(tmp_path: Path) -> None:
    first, n_first = read(tmp_path, ("a.docx", LEAVE), ("b.docx", LEAVE))
    again, n_again = read(tmp_path, ("a.docx", LEAVE), ("b.docx", PAY))
    assert (n_first, n_again) == (2, 1)
    assert again[0] == first[0]
    assert again[1] != first[1]


@pytest.mark.slow
def test_a_corpus_folder_is_read_the_same_from_its_cache(tmp_path: Path) -> None:
    corpus = folder(tmp_path, {"documents/hr/leave.docx": LEAVE, "documents/pay.md": "# Pay"})
    cached = type(corpus)(corpus.name, corpus.path, cache=tmp_path / "cache")
    frames = [each.documents().frame for each in (corpus, cached, cached)]
    assert frames[0].equals(frames[1]) and frames[1].equals(frames[2])
    assert frames[0]["doc_id"].to_list() == ["hr/leave", "pay"]


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A quick parser in place of the processes; the names of the files that it parsed."""
    asked: list[str] = []

    def parse(kind: str, name: str, content: bytes) -> list[FileText | Unread]:
        asked.append(name)
        if content == b"bad":
            raise SetAside("it is damaged")
        notes = ("A picture was left out.",)
        return [
            FileText(content.decode(), metadata={"pages": 2}, notes=notes),
            Unread("x", "m", "r"),
        ]

    monkeypatch.setattr(registry, "parse", parse)
    return asked


def test_a_text_is_the_same_from_the_cache(tmp_path: Path, fake: list[str]) -> None:
    first, _ = read(tmp_path, ("a.pdf", b"one"))
    again, n_parsed = read(tmp_path, ("a.pdf", b"one"))
    assert again == first
    assert n_parsed == 0


def test_another_version_of_a_reader_parses_again(
    tmp_path: Path, fake: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    read(tmp_path, ("a.pdf", b"one"))
    monkeypatch.setattr(module, "readers_version", lambda: "another")
    assert read(tmp_path, ("a.pdf", b"one"))[1] == 1


def test_what_is_not_used_any_more_is_forgotten(tmp_path: Path, fake: list[str]) -> None:
    read(tmp_path, ("a.pdf", b"one"), ("b.pdf", b"two"))
    read(tmp_path, ("b.pdf", b"two"))
    assert read(tmp_path, ("a.pdf", b"one"), ("b.pdf", b"two"))[1] == 2 - 1


def test_an_interrupted_reading_keeps_what_was_parsed(tmp_path: Path, fake: list[str]) -> None:
    with pytest.raises(KeyboardInterrupt), CacheFile(tmp_path) as kept:
        list(ParsedFiles(kept).read_file("a.pdf", b"one"))
        raise KeyboardInterrupt
    assert read(tmp_path, ("a.pdf", b"one"))[1] == 0


def test_a_file_that_cannot_be_read_is_tried_again(tmp_path: Path, fake: list[str]) -> None:
    for _ in range(2):
        with pytest.raises(SetAside, match="damaged"):
            read(tmp_path, ("a.pdf", b"bad"))
    assert fake == ["a.pdf", "a.pdf"]


def test_text_files_are_not_kept(tmp_path: Path) -> None:
    texts, n_parsed = read(tmp_path, ("a.md", b"# Leave"))
    assert (len(texts), n_parsed) == (1, 0)
    with sqlite3.connect(tmp_path / "files.sqlite") as con:
        assert con.execute("select count(*) from parsed").fetchone() == (0,)
    con.close()


def test_a_damaged_entry_is_parsed_again(tmp_path: Path, fake: list[str]) -> None:
    first, _ = read(tmp_path, ("a.pdf", b"one"))
    with sqlite3.connect(tmp_path / "files.sqlite") as con:
        con.execute("update parsed set content = x'00'")
    con.close()
    assert read(tmp_path, ("a.pdf", b"one")) == (first, 1)


def test_a_full_cache_keeps_nothing_more(
    tmp_path: Path, fake: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_MOST_BYTES", 0)
    read(tmp_path, ("a.pdf", b"one"))
    assert read(tmp_path, ("a.pdf", b"one"))[1] == 1
