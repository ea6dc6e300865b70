"""`relabel review sample`, `export`, `import` and `status`, as a search team uses them in turn."""

import csv
import json
from collections.abc import Callable
from pathlib import Path

import pytest

from relabel_assets_tests.builders import relabel
from relabel_assets_tests.running.homes import use_copy

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(finished_home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    use_copy(monkeypatch, finished_home.parent, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def done(*arguments: str) -> str:
    outcome = relabel(*arguments)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def graded(exported: Path, name: str, grade: Callable[[int], object]) -> Path:
    """The exported CSV with a grade in each row, by its number."""
    with exported.open(encoding="utf-8-sig", newline="") as file:
        rows = list(csv.DictReader(file))
    path = exported.with_name(name)
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(row | {"grade": str(grade(number))} for number, row in enumerate(rows))
    return path


def test_a_sample_is_drawn_graded_elsewhere_brought_back_and_compared(folder: Path) -> None:
    assert "10 pairs of 32, drawn by pair" in done("review", "sample", "-c", "tiny", "-n", "10")
    assert "Nothing new was drawn" in done("review", "sample", "-c", "tiny", "-n", "10")
    assert "2 pairs drawn now" in done("review", "sample", "-c", "tiny", "--more", "2")
    done("review", "export", "-c", "tiny", "--to", "csv", "-o", "pairs.csv")
    exported = folder / "pairs.csv"
    wrong = graded(exported, "wrong.csv", lambda number: 4 if number == 11 else 1)
    refused = relabel(
        "review", "import", str(wrong), "--from", "csv", "-c", "tiny", "--assessor", "ana"
    )
    assert refused.returncode == 3
    assert "wrong.csv:13: grade is 4" in refused.stderr
    for person, shift in (("Ana", 0), ("Ben", 1)):
        path = graded(
            exported,
            f"{person}.csv",
            lambda number, shift=shift: (number + shift * (number % 2)) % 4,
        )
        arguments = (
            "review",
            "import",
            str(path),
            "--from",
            "csv",
            "-c",
            "tiny",
            "--assessor",
            person,
        )
        assert f"{person.lower()}: 12 grades imported" in done(*arguments)
        assert "0 grades imported" in done(*arguments)
    status = done("review", "status", "-c", "tiny")
    assert "alpha" in status and "ana and ben" in status
    (record,) = map(json.loads, done("corpora", "list", "--format", "json").splitlines())
    assert record["n_reviews"] == 24
    assert "no problems" in done("corpora", "check", "-c", "tiny")
    (folder / "data" / "tiny" / "reviews" / "eva.jsonl").write_text('{"action": "grade"\n')
    checked = relabel("corpora", "check", "-c", "tiny")
    assert checked.returncode == 3
    assert "reviews/eva.jsonl:1" in checked.stderr


def test_an_export_replaces_nothing_unless_it_is_told_to(folder: Path) -> None:
    done("review", "sample", "-c", "tiny", "-n", "10", "--by", "query")
    (folder / "tasks.config.xml").write_text("mine")
    arguments = ("review", "export", "-c", "tiny", "--to", "label_studio", "-o", "tasks.json")
    refused = relabel(*arguments)
    assert "tasks.config.xml already exists" in refused.stderr
    assert not (folder / "tasks.json").exists()
    done(*arguments, "--force")
    assert "<View>" in (folder / "tasks.config.xml").read_text()


def test_what_cannot_be_drawn_is_an_error_with_the_way_out(folder: Path) -> None:
    for arguments, words in (
        (("--by", "page"), "Allowed: pair, query"),
        (("--split", "test"), "Allowed: train, dev, benchmark, label"),
        (("--split", "label"), "Its queries are in: benchmark"),
    ):
        refused = relabel("review", "sample", "-c", "tiny", *arguments)
        assert refused.returncode != 0
        assert words in refused.stderr
