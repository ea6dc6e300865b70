"""The store of reviews: what counts after undo, torn lines and several writers."""

import json
import os
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.errors import CorpusError
from relabel_assets.intake.one_input import SetAside
from relabel_assets.review.review import Review, assessor_name
from relabel_assets.review.store import append_review, append_reviews, read_reviews

NOW = datetime(2026, 5, 4, 10, tzinfo=UTC)


def review(action: str, grade: int | None = None, *, doc_id: str = "d1", **more: Any) -> Review:
    more = {"assessor": "ana", "reviewed_at": NOW} | more
    return Review(action, "q1", doc_id, grade=grade, **more)


def grades(folder: Path) -> dict[tuple[str, str], int | None]:
    frame = read_reviews(folder, max_grade=3).frame
    return {(row["doc_id"], row["assessor"]): row["grade"] for row in frame.iter_rows(named=True)}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tiny" / "reviews"


@pytest.fixture(autouse=True)
def corpus(tmp_path: Path) -> None:
    (tmp_path / "tiny").mkdir()


def test_a_review_is_read_as_it_was_written(folder: Path) -> None:
    given = review("grade", 2, note='a "note"\n\u2028', content_hash="ab", request_id="1")
    append_review(folder, given)
    (row,) = read_reviews(folder, max_grade=3).frame.rows()
    assert row == ("q1", "d1", "ana", 2, 'a "note"\n\u2028', NOW, "ab")


def test_the_last_action_counts_and_undo_takes_it_back(folder: Path) -> None:
    for action, grade in (("grade", 1), ("grade", 3), ("skip", None)):
        append_review(folder, review(action, grade))
    assert grades(folder) == {("d1", "ana"): None}
    append_review(folder, review("undo"))
    assert grades(folder) == {("d1", "ana"): 3}
    append_review(folder, review("undo"))
    append_review(folder, review("undo"))
    assert grades(folder) == {}
    append_review(folder, review("undo"))  # of nothing
    append_review(folder, review("grade", 0))
    assert grades(folder) == {("d1", "ana"): 0}


def test_undo_is_of_one_pair_and_one_assessor(folder: Path) -> None:
    append_review(folder, review("grade", 1))
    append_review(folder, review("grade", 2, doc_id="d2"))
    append_review(folder, review("grade", 3, assessor="ben"))
    append_review(folder, review("undo"))
    assert grades(folder) == {("d2", "ana"): 2, ("d1", "ben"): 3}


def test_the_same_request_written_twice_counts_once(folder: Path) -> None:
    append_review(folder, review("grade", 1))
    append_review(folder, review("grade", 2))
    for _ in range(2):
        append_review(folder, review("undo", request_id="u"))
    assert grades(folder) == {("d1", "ana"): 1}


def test_a_torn_line_costs_itself_and_not_the_next(folder: Path) -> None:
    append_review(folder, review("grade", 1))
    whole = (folder / "ana.jsonl").read_bytes()
    (folder / "ana.jsonl").write_bytes(whole + whole[:30])
    assert grades(folder) == {("d1", "ana"): 1}
    append_review(folder, review("grade", 2, doc_id="d2"))
    rows = read_reviews(folder, max_grade=3)
    assert rows.frame["doc_id"].to_list() == ["d1", "d2"]
    (problem,) = rows.problems
    assert (problem.file, problem.line) == ("reviews/ana.jsonl", 2)


@pytest.mark.parametrize(
    "change",
    [{"grade": 4}, {"grade": None}, {"action": "delete"}, {"reviewed_at": "noon"}, {"doc_id": ""}],
)
def test_a_line_that_is_no_review_is_a_problem(folder: Path, change: dict[str, Any]) -> None:
    append_review(folder, review("grade", 1))
    row = json.loads((folder / "ana.jsonl").read_bytes()) | change
    (folder / "ben.jsonl").write_text(json.dumps(row) + "\n")
    rows = read_reviews(folder, max_grade=3)
    assert rows.frame.height == 1
    assert [(problem.file, problem.line) for problem in rows.problems] == [("reviews/ben.jsonl", 1)]


def test_of_two_files_with_the_same_assessor_the_later_review_counts(folder: Path) -> None:
    append_reviews(folder, "import", [review("grade", 1, reviewed_at=NOW + timedelta(hours=1))])
    append_review(folder, review("grade", 2))
    assert grades(folder) == {("d1", "ana"): 1}


def test_two_processes_append_to_one_file_and_every_line_stays_whole(folder: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from relabel_assets.review.review import Review\n"
        "from relabel_assets.review.store import append_review\n"
        "for i in range(30):\n"
        "    append_review(Path(sys.argv[1]), Review('grade', 'q1', f'{sys.argv[2]}{i}', 'ana',\n"
        "        datetime.now(UTC), grade=1, note='x' * 5000))\n"
    )
    writers = [
        subprocess.Popen([sys.executable, "-c", program, str(folder), name]) for name in "ab"
    ]
    assert [writer.wait(60) for writer in writers] == [0, 0]
    rows = read_reviews(folder, max_grade=3)
    assert (rows.frame.height, rows.problems) == (60, [])


def test_a_disk_that_is_full_leaves_the_file_as_it_was(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_review(folder, review("grade", 1))
    before = (folder / "ana.jsonl").read_bytes()
    write = os.write
    calls = []

    def fill(descriptor: int, data: bytes) -> int:
        calls.append(descriptor)
        if len(calls) > 1:
            raise OSError(28, "No space left on device")
        return write(descriptor, data[:10])

    monkeypatch.setattr(os, "write", fill)
    with pytest.raises(CorpusError, match=r"reviews/ana\.jsonl: .*No space left"):
        append_review(folder, review("grade", 2))
    assert (folder / "ana.jsonl").read_bytes() == before


def test_what_the_disk_did_not_take_is_not_confirmed(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(descriptor: int) -> None:
        raise OSError(5, "Input/output error")

    append_review(folder, review("grade", 1))
    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(CorpusError, match="Input/output error"):
        append_review(folder, review("grade", 2))
    assert grades(folder) == {("d1", "ana"): 1}


def test_no_link_leads_a_review_out_of_the_corpus(folder: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside.jsonl"
    outside.touch()
    folder.mkdir()
    (folder / "ana.jsonl").symlink_to(outside)
    with pytest.raises(CorpusError, match="cannot be written"):
        append_review(folder, review("grade", 1))
    (folder / "ana.jsonl").unlink()
    folder.rmdir()
    (tmp_path / "elsewhere").mkdir()
    folder.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(CorpusError, match="link out of the corpus"):
        append_review(folder, review("grade", 1))
    assert outside.read_bytes() == b""


def test_names_of_assessors() -> None:
    assert assessor_name("José  Núñez") == "josé_núñez"
    assert assessor_name("ANA.L-2") == "ana.l-2"
    for bad in ("", "../x", ".hidden", "a/b", "a" * 41, "a\x00b", "a\u202eb"):
        with pytest.raises(SetAside, match="name"):
            assessor_name(bad)
