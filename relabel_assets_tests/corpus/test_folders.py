"""All corpus folders: their names, refused names, and references to unknown ids."""

from pathlib import Path

import pytest

from relabel_assets.corpus.folders import Corpora
from relabel_assets.errors import CorpusError
from relabel_assets_tests.corpus.files import DOCUMENTS, folder, lines, write


def test_an_invalid_corpus_name_is_refused_with_a_valid_one(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "HR Docs/documents.jsonl": DOCUMENTS,
            "a,b/x": "",
            "good_1/documents.jsonl": DOCUMENTS,
            "README.md": "x",
            ".git/x": "",
        },
    )
    corpora = Corpora(tmp_path)
    assert corpora.names() == ["good_1"]
    assert [problem.remedy for problem in corpora.refused()] == [
        "Rename it to hr_docs.",
        "Rename it to a_b.",
    ]


def test_an_unknown_or_empty_corpus_is_refused_with_a_hint(tmp_path: Path) -> None:
    write(tmp_path, {"handbook/documents.jsonl": DOCUMENTS})
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="Did you mean 'handbook'"):
        Corpora(tmp_path).open("handbok")
    with pytest.raises(CorpusError, match="the folder is empty"):
        Corpora(tmp_path).open("empty")
    assert Corpora(tmp_path / "nowhere").names() == []


@pytest.mark.parametrize(
    ("settings", "has_reference", "is_asked"),
    [
        ("", True, True),
        ("reference: {}\n", True, True),
        ("reference: {kind: human}\n", True, False),
        ("reference: {kind: adjudicated}\n", True, False),
        ("", False, False),
    ],
)
def test_check_asks_who_gave_the_reference_grades(
    tmp_path: Path, settings: str, has_reference: bool, is_asked: bool
) -> None:
    files = {
        "documents.jsonl": DOCUMENTS,
        "queries.jsonl": lines({"query_id": "q1", "text": "x"}),
        "corpus.yaml": settings,
    }
    files |= {"reference_labels.qrels": "q1 0 d1 1\n"} if has_reference else {}
    corpus = folder(tmp_path, files)
    problems = [str(problem) for problem in Corpora(corpus.path.parent).check("c")]
    asked = (
        "corpus.yaml: it does not state who gave the reference grades. "
        "State reference.kind in corpus.yaml: human or adjudicated."
    )
    assert problems == ([asked] if is_asked else [])


def test_check_names_references_to_unknown_ids(tmp_path: Path) -> None:
    corpus = folder(
        tmp_path,
        {
            "documents.jsonl": DOCUMENTS,
            "queries.jsonl": lines(
                {"query_id": "q1", "text": "x", "seed_doc_id": "gone"},
                {"query_id": "q2", "text": "y"},
            ),
            "teacher_labels.jsonl": lines({"query_id": "q2", "doc_id": "lost", "grade": 1}),
            "reference_labels.qrels": "q9 0 d1 1\n",
        },
    )
    messages = " ".join(str(problem) for problem in Corpora(corpus.path.parent).check("c"))
    assert "'gone'" in messages
    assert "'lost'" in messages
    assert "'q9'" in messages
