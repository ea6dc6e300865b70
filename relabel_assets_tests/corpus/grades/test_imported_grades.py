"""Imported grades in a corpus folder: each bad file and row costs itself."""

import json
from pathlib import Path

from relabel_assets.corpus.folder import CorpusFolder

GOOD = {"query_id": "q1", "doc_id": "d1", "grade": 2}


def corpus(folder: Path, files: dict[str, list[object]]) -> CorpusFolder:
    for name, rows in files.items():
        file = folder / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return CorpusFolder(folder.name, folder)


def test_a_bad_file_and_a_bad_row_cost_themselves(tmp_path: Path) -> None:
    read = corpus(
        tmp_path,
        {
            "labelers/gpt.jsonl": [GOOD, GOOD | {"grade": 4}, GOOD | {"grade": 1}, []],
            "labelers/Student.jsonl": [GOOD],
            "labelers/vendor.jsonl": [
                GOOD | {"grade_probs": [0.1, 0.2, 0.7, 0.0], "expected_grade": 1.6},
                {"query_id": "q2", "doc_id": "d1", "grade": 2, "grade_probs": [1.0]},
            ],
            "labelers/notes.txt": ["nothing"],
        },
    ).imported_labels()
    assert read.frame.select("labeler", "grade", "expected_grade").rows() == [
        ("gpt", 2, None),
        ("vendor", 2, 1.6),
    ]
    places = sorted((problem.file, problem.line or 0) for problem in read.problems)
    assert places == [
        ("labelers/Student.jsonl", 0),
        ("labelers/gpt.jsonl", 2),
        ("labelers/gpt.jsonl", 3),
        ("labelers/gpt.jsonl", 4),
        ("labelers/vendor.jsonl", 2),
    ]


def test_imported_reference_labels_are_read_with_the_corpus_own(tmp_path: Path) -> None:
    folder = corpus(tmp_path, {"reference_labels/vendor.jsonl": [GOOD | {"assessor": "vendor"}]})
    before = folder.fingerprint("reference_labels")
    (tmp_path / "reference_labels.qrels").write_text("q1 0 d1 3\n")
    rows = folder.reference_labels().frame.rows()
    assert rows == [("q1", "d1", "0", 3), ("q1", "d1", "vendor", 2)]
    assert folder.fingerprint("reference_labels") != before


def test_a_fingerprint_tells_a_changed_labeler_and_nothing_else(tmp_path: Path) -> None:
    folder = corpus(tmp_path, {"labelers/gpt.jsonl": [GOOD]})
    before = {part: folder.fingerprint(part) for part in ("labelers", "reference_labels")}
    (tmp_path / "labelers" / "notes.md").write_text("x")
    assert {part: folder.fingerprint(part) for part in before} == before
    corpus(tmp_path, {"labelers/gpt.jsonl": [GOOD | {"grade": 1}]})
    assert folder.fingerprint("labelers") != before["labelers"]
    assert folder.fingerprint("reference_labels") == before["reference_labels"]
