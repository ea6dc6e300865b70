"""A tiny corpus that every layer of tests may use: eight documents, queries of all splits, recorded and reference grades."""

import json
import signal
from pathlib import Path

import pytest

SUBJECTS = (
    "parental leave",
    "travel expenses",
    "laptop repair",
    "visitor badges",
    "salary dates",
    "bicycle parking",
    "lunch canteen",
    "fire drill",
)


def pytest_configure() -> None:
    # A shell's background jobs ignore SIGINT and so do their children; Dagster's services then ignore SIGTERM too.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def jsonl(rows: list[dict[str, object]]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


def write_corpus(folder: Path) -> Path:
    """Eight documents; two queries a document, the last two documents' for the benchmark."""
    folder.mkdir(parents=True)
    documents, queries, labels, qrels = [], [], [], []
    for number, subject in enumerate(SUBJECTS):
        documents.append(
            {
                "doc_id": f"d{number}",
                "title": subject.title(),
                "body": f"All that there is to know about {subject}.",
                "author": "Ana",
            }
        )
        for words in (f"how does {subject} work", f"{subject.split()[0]} rules please"):
            query_id, split = f"q{len(queries):02}", "benchmark" if number >= 6 else "train"
            queries.append(
                {"query_id": query_id, "text": words, "intent": "question", "seed_doc_id": f"d{number}", "split": split}
            )
            for other in range(len(SUBJECTS)):
                grade = 3 if other == number else int(other == (number + 1) % 8)
                labels.append({"query_id": query_id, "doc_id": f"d{other}", "grade": grade})
                if split == "benchmark":
                    qrels.append(f"{query_id} 0 d{other} {grade}")
    (folder / "documents.jsonl").write_text(jsonl(documents))
    (folder / "queries.jsonl").write_text(jsonl(queries))
    (folder / "teacher_labels.jsonl").write_text(jsonl(labels))
    (folder / "reference_labels.qrels").write_text("\n".join(qrels) + "\n")
    (folder / "corpus.yaml").write_text("student: {epochs: 1}\nreference: {kind: adjudicated}\n")
    return folder


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """RELABEL_HOME and RELABEL_DATA in a temporary folder, with the corpus `tiny`."""
    monkeypatch.setenv("RELABEL_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("RELABEL_DATA", str(tmp_path / "data"))
    monkeypatch.setenv("DAGSTER_HOME", str(tmp_path / "home" / "dagster"))
    write_corpus(tmp_path / "data" / "tiny")
    return tmp_path


@pytest.fixture(scope="session")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which the whole graph was run on the corpus `tiny`, which lies in ../data; for tests that only read."""
    from relabel_assets.running import runner
    from relabel_assets.tables.tables import TABLES

    folder = tmp_path_factory.mktemp("made")
    write_corpus(folder / "data" / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RELABEL_HOME", str(folder / "home"))
        patch.setenv("RELABEL_DATA", str(folder / "data"))
        project, _ = runner.from_environment()
        outcome = runner.run_corpus(project, "tiny", list(TABLES))
    assert outcome.is_success, outcome.failures
    return folder / "home"
