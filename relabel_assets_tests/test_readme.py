"""What the README tells a newcomer agrees with the project; test_docs.py runs its commands."""

import re
from pathlib import Path

import pytest

from relabel_assets.corpus.folders import Corpora
from relabel_assets.prompts.rubric import default_rubric

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_grades_are_those_of_the_rubric() -> None:
    rows = re.findall(r"^\| (\d) \| (\w+) \|", README, re.MULTILINE)
    assert sorted((int(grade), name) for grade, name in rows) == [
        (g.grade, g.name) for g in default_rubric().grades
    ]


@pytest.mark.parametrize("target", sorted(set(re.findall(r"^make ([\w-]+)", README, re.MULTILINE))))
def test_every_make_target_is_there(target: str) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    assert re.search(rf"^{target}:", makefile, re.MULTILINE)


def test_the_command_has_one_name() -> None:
    pages = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    assert [
        page.name for page in pages if ".venv/bin/relabel" in page.read_text(encoding="utf-8")
    ] == []
    assert "source .venv/bin/activate" in README


def test_it_says_that_the_student_is_not_as_good_as_its_teacher() -> None:
    assert "The student is **not** as good as its teacher." in README


def test_every_page_of_docs_is_linked_from_the_index_and_the_readme() -> None:
    index = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    pages = {page.name for page in (ROOT / "docs").glob("*.md")} - {"index.md"}
    assert {page for page in pages if f"]({page})" not in index} == set()
    assert {page for page in pages if f"](docs/{page})" not in README} == set()


def test_the_line_of_each_file_is_a_corpus_without_problems(tmp_path: Path) -> None:
    lines = dict(re.findall(r"^\| `([\w.]+)` \| `(.*)` \|$", README, re.MULTILINE))
    assert len(lines) == 5
    folder = tmp_path / "my_docs"
    folder.mkdir()
    for name, line in lines.items():
        (folder / name).write_text(line + "\n", encoding="utf-8")
    corpora = Corpora(tmp_path)
    assert corpora.check("my_docs") == []
    counts = corpora.open("my_docs").summary()
    assert (counts.n_documents, counts.n_queries) == (1, 1)
    assert (counts.n_recorded_labels, counts.n_reference_labels) == (1, 1)
