"""Which teacher a corpus has: none unless one is named, so that nothing is sent by default."""

from dataclasses import replace
from pathlib import Path

import pytest

from relabel_assets.errors import ConfigError
from relabel_assets.teacher.questions import GradingQuestions, QueryQuestions
from relabel_assets_tests.corpus.files import DOCUMENTS, folder, lines

GRADES = lines({"query_id": "q1", "doc_id": "d1", "grade": 1})


@pytest.mark.parametrize(
    ("settings", "has_grades", "kind"),
    [
        (None, False, "none"),
        ("description: x\n", False, "none"),
        ("teacher: {}\n", False, "none"),
        ("teacher: {kind: none, model: m}\n", False, "none"),
        ("teacher: {kind: none}\n", True, "none"),
        (None, True, "recorded"),
        ("teacher: {model: m}\n", True, "recorded"),
        ("teacher: {model: m}\n", False, "openai"),
        ("teacher: {base_url: 'http://127.0.0.1:1/v1'}\n", False, "openai"),
        ("teacher: {budget_usd: 5}\n", False, "openai"),
        ("teacher: {kind: openai}\n", True, "openai"),
    ],
)
def test_a_teacher_is_asked_only_where_corpus_yaml_names_one(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    settings: str | None,
    has_grades: bool,
    kind: str,
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "key")
    monkeypatch.setenv("OPENAI_BASE_URL", "http://127.0.0.1:1/v1")
    files: dict[str, str | bytes] = {"documents.jsonl": DOCUMENTS}
    files |= {"corpus.yaml": settings} if settings else {}
    files |= {"teacher_labels.jsonl": GRADES} if has_grades else {}
    made = folder(tmp_path, files)
    assert made.teacher_kind == kind
    assert replace(made, is_offline=True).teacher_kind == kind


def test_no_question_is_made_without_a_teacher(tmp_path: Path) -> None:
    made = folder(tmp_path, {"documents.jsonl": DOCUMENTS})
    documents = made.documents().frame
    for make in (GradingQuestions.for_corpus, QueryQuestions.for_corpus):
        with pytest.raises(ConfigError, match=r"corpus 'c' has no teacher.*c/corpus\.yaml"):
            make(made, documents)


def test_corpus_yml_is_read_and_two_settings_files_are_refused(tmp_path: Path) -> None:
    files: dict[str, str | bytes] = {"documents.jsonl": DOCUMENTS}
    made = folder(tmp_path, files | {"corpus.yml": "teacher: {model: own, budget_usd: 2}\n"})
    assert (made.config.teacher.model, made.config.teacher.budget_usd) == ("own", 2)
    with pytest.raises(ConfigError, match=r"c/corpus\.yml:1: techer is not a setting"):
        folder(tmp_path / "wrong", files | {"corpus.yml": "techer: {}\n"})
    with pytest.raises(ConfigError, match=r"corpus\.yaml and corpus\.yml are both there"):
        folder(tmp_path / "two", files | {"corpus.yml": "", "corpus.yaml": ""})
