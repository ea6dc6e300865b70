"""`relabel init` and `relabel queries sample` as people type them."""

import json
from pathlib import Path

import pytest

from relabel_assets_tests.builders import relabel

pytestmark = pytest.mark.slow


def test_documents_become_a_corpus_that_sends_nothing(home: Path) -> None:
    docs = home / "docs"
    docs.mkdir()
    for n in range(3):
        (docs / f"page{n}.md").write_text(
            f"# Page {n}\nEvery employee may read page {n} of the wiki.\n"
        )
    (docs / "old.doc").write_bytes(b"\xd0\xcf")
    trial = relabel("init", "wiki", "--from", str(docs), "--dry-run")
    assert trial.returncode == 0
    assert "not made (--dry-run)" in trial.stdout
    assert not (home / "data" / "wiki").exists()
    done = relabel("init", "wiki", "--from", str(docs))
    assert done.returncode == 0
    assert "documents 3; 3 with a title" in done.stdout
    assert "Save it as .docx" in done.stdout + done.stderr
    assert "with gpt-4o-mini as the teacher: $" in done.stdout
    again = relabel("init", "wiki", "--from", str(docs))
    assert (again.returncode, "already exists" in again.stderr) == (3, True)
    assert relabel("corpora", "check", "wiki").returncode == 0
    # No teacher is named, so the run stops at the first table that needs one.
    run = relabel("run", "-c", "wiki", "-s", "+synthetic_queries")
    assert run.returncode == 1
    assert "name a teacher in wiki/corpus.yaml" in run.stdout + run.stderr


def test_queries_of_a_log_are_drawn_with_their_weights(home: Path) -> None:
    log, out = home / "log.csv", home / "queries.jsonl"
    rows = (
        ["vpn"] * 4 + ["parental leave"] * 3 + ["mail ana@example.com", "pension plan", "payslip"]
    )
    log.write_text("query\n" + "\n".join(rows) + "\n")
    shown = relabel("queries", "sample", str(log))
    assert shown.returncode == 0
    assert "1 emails" in shown.stdout
    assert not out.exists()
    assert (
        relabel("queries", "sample", str(log), "--out", str(out), "--split", "label").returncode
        == 0
    )
    queries = [json.loads(line) for line in out.read_text().splitlines()]
    weights = {query["text"]: (query["stratum"], query["weight"]) for query in queries}
    assert weights == {
        "vpn": ("head", 4.0),
        "parental leave": ("torso", 3.0),
        "payslip": ("tail", 1.0),
        "pension plan": ("tail", 1.0),
    }
    taken = relabel("queries", "sample", str(log), "--out", str(out))
    assert (taken.returncode, "--force" in taken.stderr) == (4, True)
    wrong = relabel("queries", "sample", str(log), "--split", "dev")
    assert (wrong.returncode, "Allowed: train, benchmark, label" in wrong.stderr) == (4, True)
