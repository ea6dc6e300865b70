"""Which files of documents/ are read, passed over in silence, or named."""

from pathlib import Path

from relabel_assets.corpus.documents_folder.folder_files import document_files
from relabel_assets.errors import Problem
from relabel_assets_tests.corpus.files import write


def read(corpus: Path) -> tuple[list[str], list[Problem]]:
    problems: list[Problem] = []
    return [name for name, _ in document_files(corpus, problems)], problems


def test_text_is_read_pictures_are_passed_over_and_others_are_named(tmp_path: Path) -> None:
    files = (
        "b.md",
        "a/x.txt",
        "a/x.MD",
        "logo.PNG",
        "s.css",
        ".git/a.md",
        "~$a.md",
        "Thumbs.db",
        "x.xyz",
    )
    write(tmp_path, {f"documents/{name}": "x" for name in files})
    names, (problem,) = read(tmp_path)
    assert names == ["a/x.MD", "a/x.txt", "b.md"]
    assert (problem.file, problem.message) == ("documents/x.xyz", ".xyz is not read")
    assert ".md" in problem.remedy


def test_many_files_of_an_ending_that_is_not_read_are_one_problem(tmp_path: Path) -> None:
    names = (*(f"{n}.xyz" for n in range(4)), "Makefile")
    write(tmp_path, {f"documents/{name}": "x" for name in names})
    assert sorted(problem.message for problem in read(tmp_path)[1]) == [
        "4 files with .xyz are not read; the first is documents/0.xyz",
        "a file with no ending is not read",
    ]


def test_mail_without_an_ending_is_read_and_no_other_file(tmp_path: Path) -> None:
    mail = "Message-ID: <1@x>\nDate: 5 Jan 2026\nFrom: a@x.org\n\nText."
    files = {
        "in/17.": mail,
        "box/cur/123.M1.host:2,S": mail,
        "2026": "no mail",
        "box/cur/x": "none",
    }
    write(tmp_path, {f"documents/{name}": text for name, text in files.items()})
    names, problems = read(tmp_path)
    assert names == ["box/cur/123.M1.host.eml", "in/17..eml"]
    assert [problem.file for problem in problems] == ["documents/2026", "documents/box/cur/x"]


def test_a_linked_folder_is_read_or_named(tmp_path: Path) -> None:
    corpus = write(tmp_path / "c", {"documents/a.md": "x", "shared/b.md": "x"})
    write(tmp_path / "other", {"c.md": "x"})
    (corpus / "documents" / "shared").symlink_to("../shared")
    (corpus / "documents" / "other").symlink_to(tmp_path / "other")
    names, (problem,) = read(corpus)
    assert names == ["a.md", "shared/b.md"]
    assert (problem.file, "out of the corpus" in problem.message) == ("documents/other", True)
