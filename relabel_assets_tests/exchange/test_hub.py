"""A student and labels in the hub's shape: what the cards say, what leaves, and the requests of an upload.

The hub's own client sends to a server on loopback here; it was not tried on the hub itself.
"""

import json
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from huggingface_hub import DatasetCard, ModelCard

from relabel_assets.errors import ConfigError
from relabel_assets.exchange.hub.cards import Facts
from relabel_assets.exchange.hub.package import Package
from relabel_assets.exchange.hub.sending import repository, send
from relabel_assets_tests.exchange.frames import DOCUMENTS, judgments
from relabel_assets_tests.faults.batch_server import serving_with

REPORT = pl.DataFrame(
    {
        "labeler": ["student", "teacher"],
        "metric": ["ndcg@10", "ndcg@10"],
        "slice": ["all", "all"],
        "value": [0.9123, 0.9],
        "ci_low": [0.88, 0.87],
        "ci_high": [0.94, 0.93],
        "n_queries": [56, 56],
        "n_pairs": [923, 923],
        "reference_kind": ["human", "human"],
    }
)
STUDENT = {"base_model": "embedded", "model_id": "s1"}
SECRET = "Keep receipts."  # the body of a document


def package(folder: Path, *, has_texts: bool = False, has_evidence: bool = False) -> Package:
    source = folder / "models" / "s1"
    source.mkdir(parents=True)
    front = "---\nlibrary_name: sentence-transformers\ntags: [relevance]\n---\n"
    (source / "README.md").write_text(front + "# Student s1\n\nIts own words.\n")
    (source / "student.json").write_text("{}")
    if has_evidence:
        (source / "evidence.safetensors").write_bytes(b"vectors")
    facts = Facts("demo", "A corpus.", "CC-BY-4.0", REPORT, has_texts)
    labels = judgments().frame
    return Package(facts, lambda: iter([DOCUMENTS]), STUDENT, source, labels)


def test_the_hub_reads_the_front_matter_of_both_cards(tmp_path: Path) -> None:
    package(tmp_path).write(tmp_path / "out")
    model = ModelCard.load(tmp_path / "out" / "student" / "README.md")
    assert model.data.license == "cc-by-4.0" and model.data.pipeline_tag == "text-ranking"
    assert model.data.library_name == "sentence-transformers"
    assert model.data.base_model == "sentence-transformers/all-MiniLM-L6-v2"
    (result,) = model.data.eval_results
    assert (result.metric_type, result.metric_value) == ("ndcg_at_10", 0.9123)
    assert "Its own words." in model.text
    assert "| student | ndcg@10 | 0.912 | 0.880 to 0.940 | 56 | 923 |" in model.text
    data = DatasetCard.load(tmp_path / "out" / "labels" / "README.md")
    (config,) = data.data.to_dict()["configs"]
    for file in config["data_files"]:
        frame = pl.read_parquet(tmp_path / "out" / "labels" / file["path"])
        assert file["split"] == "benchmark" and frame.height == 4
        assert frame["query"][3] == 'travel, "by train"' and frame["prob_2"][3] == 0.7


@pytest.mark.parametrize("has_texts", [False, True])
def test_texts_of_documents_leave_if_somebody_says_so(has_texts: bool, tmp_path: Path) -> None:
    package(tmp_path, has_texts=has_texts).write(tmp_path / "out")
    tables = [pl.read_parquet(file) for file in (tmp_path / "out").rglob("*.parquet")]
    cells = [str(cell) for table in tables for row in table.iter_rows() for cell in row]
    assert (SECRET in cells) is has_texts
    assert ("title" in {name for table in tables for name in table.columns}) is has_texts
    card = (tmp_path / "out" / "labels" / "README.md").read_text()
    assert ("with the documents' titles" if has_texts else "without the documents' titles") in card


def test_a_student_that_knows_words_of_the_corpus_is_not_sent_without_texts(tmp_path: Path) -> None:
    with pytest.raises(
        ConfigError, match=r"parts of their texts can be guessed\. Nothing was sent"
    ):
        package(tmp_path, has_evidence=True).require_shareable()
    package(tmp_path / "2", has_evidence=True, has_texts=True).require_shareable()
    package(tmp_path / "3").require_shareable()
    package(tmp_path / "4", has_evidence=True).write(tmp_path / "out")
    assert "can be guessed" in (tmp_path / "out" / "student" / "README.md").read_text()


@pytest.mark.parametrize("to", ["hub:", "hub:acme", "hub:acme/a/b", "hub:../x", "hub:acme/a b"])
def test_a_name_that_is_no_repository_is_refused(to: str) -> None:
    with pytest.raises(ConfigError, match="Write hub:ORG/NAME"):
        repository(to)


class Hub(ThreadingHTTPServer):
    """The requests of an upload, as the hub's API answers them; files are sent inline."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Answers)
        self.created: list[dict[str, Any]] = []
        self.files: dict[str, list[str]] = {}
        self.refuses_datasets = False


class _Answers(BaseHTTPRequestHandler):
    server: Hub

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        kind = self.path.split("/")[2]
        if self.path == "/api/repos/create":
            asked = json.loads(body)
            self.server.created.append(asked)
            if asked.get("type") == "dataset" and self.server.refuses_datasets:
                self._answer({"error": "no right to write"}, 403)
            else:
                self._answer({"url": "http://127.0.0.1/acme/demo"})
        elif "/preupload/" in self.path:
            files = [
                {"path": one["path"], "uploadMode": "regular"} for one in json.loads(body)["files"]
            ]
            self._answer({"files": [one | {"shouldIgnore": False, "oid": None} for one in files]})
        elif self.path == "/api/validate-yaml":
            self._answer({"errors": [], "warnings": []})
        else:
            lines = [json.loads(line) for line in body.splitlines()]
            paths = [line["value"]["path"] for line in lines if line["key"] == "file"]
            self.server.files[kind] = sorted(paths)
            url = f"http://127.0.0.1/acme/demo/commit/{'a' * 40}"
            self._answer({"commitUrl": url, "commitOid": "a" * 40, "success": True})

    def do_GET(self) -> None:
        self._answer({"id": "acme/demo", "siblings": [], "sha": "b" * 40})

    def _answer(self, value: object, status: int = 200) -> None:
        content = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def hub(monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    monkeypatch.setenv("HF_TOKEN", "hf_test")
    server = Hub()
    with serving_with(server):
        yield server


def test_a_student_is_a_private_model_and_labels_are_a_data_set(hub: Hub, tmp_path: Path) -> None:
    package(tmp_path).write(tmp_path / "out")
    endpoint = f"http://127.0.0.1:{hub.server_address[1]}"
    sent = send(tmp_path / "out", "acme/demo", is_public=False, endpoint=endpoint)
    assert sent == [f"{endpoint}/acme/demo", f"{endpoint}/datasets/acme/demo"]
    assert hub.files == {
        "models": ["README.md", "student.json"],
        "datasets": ["README.md", "data/benchmark.parquet"],
    }
    assert all(one.get("private") or one.get("visibility") == "private" for one in hub.created)


def test_a_refusal_says_what_was_sent_before(hub: Hub, tmp_path: Path) -> None:
    hub.refuses_datasets = True
    package(tmp_path).write(tmp_path / "out")
    endpoint = f"http://127.0.0.1:{hub.server_address[1]}"
    with pytest.raises(ConfigError) as refused:
        send(tmp_path / "out", "acme/demo", is_public=False, endpoint=endpoint)
    assert f"Sent before: {endpoint}/acme/demo." in str(refused.value)
