"""The desk: what is asked next, what an action does, and what an assessor is shown."""

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.intake.one_input import SetAside
from relabel_assets.review.log import ReviewLog
from relabel_assets.review.page.desk import Conflict, Desk, progress_of_all
from relabel_assets.review.pairs_to_review import in_order_of
from relabel_assets_tests.review.page_server import grade_of, pairs_in

N_PAIRS = 12


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "tiny" / "reviews"


def desk_of(folder: Path, assessor: str = "ana", **changes: str) -> Desk:
    return Desk(pairs_in(folder, **changes), ReviewLog(folder, max_grade=3), assessor)


def key(shown: dict[str, Any]) -> tuple[str, str]:
    return shown["pair"]["query_id"], shown["pair"]["doc_id"]


def act(desk: Desk, shown: dict[str, Any], action: str, request_id: str, **more: Any) -> Any:
    return desk.act(grade_of(shown, 2, request_id, **more) | {"action": action})


def undo(desk: Desk, shown: dict[str, Any], request_id: str) -> Any:
    return desk.act({**shown["last"], "action": "undo", "request_id": request_id})


def test_every_pair_is_asked_once_and_then_nothing(folder: Path) -> None:
    desk = desk_of(folder)
    shown, asked = desk.show(), []
    while shown["pair"]:
        asked.append(key(shown))
        assert not shown["pair"]["is_changed"]
        shown = desk.act(grade_of(shown, 1, f"r{len(asked)}"))
    assert sorted(asked) == sorted(pairs_in(folder).pairs)
    assert (shown["n_graded"], shown["n_left"]) == (N_PAIRS, 0)
    assert desk_of(folder).show()["pair"] is None  # after a restart too


def test_a_query_s_documents_come_together_in_an_order_of_each_assessor(folder: Path) -> None:
    pairs = pairs_in(folder).pairs
    orders = [in_order_of(name, pairs) for name in ("ana", "ben", "cleo")]
    for order in orders:
        queries = [query_id for query_id, _ in order]
        assert sum(a != b for a, b in pairwise(queries)) == 2
    assert len({tuple(order) for order in orders}) == 3
    assert in_order_of("ana", list(reversed(pairs))) == orders[0]
    assert in_order_of("ana", pairs[:-1]) == [pair for pair in orders[0] if pair != pairs[-1]]


def test_undo_brings_the_pair_back_and_again_the_one_before(folder: Path) -> None:
    desk = desk_of(folder)
    first = desk.show()
    second = act(desk, first, "grade", "1")
    third = act(desk, second, "skip", "2")
    assert (third["n_graded"], third["n_skipped"]) == (1, 1)
    back = undo(desk, third, "3")
    assert (key(back), back["n_skipped"]) == (key(second), 0)
    assert key(undo(desk, back, "4")) == key(first)


def test_a_pair_that_was_graded_is_shown_with_its_grade_and_note(folder: Path) -> None:
    desk = desk_of(folder)
    first = desk.show()
    assert (first["pair"]["review"], first["pair"]["note"], first["last"]) == (None, "", None)
    second = desk.act(grade_of(first, 2, "1", note="an old version"))
    assert second["pair"]["note"] == ""
    assert (second["last"]["action"], second["last"]["grade"]) == ("grade", 2)
    back = desk.show(at=0)["pair"]
    assert back["review"] == {"action": "grade", "grade": 2}
    assert (back["note"], back["is_changed"]) == ("an old version", False)


def test_the_same_request_sent_again_changes_nothing(folder: Path) -> None:
    desk = desk_of(folder)
    sent = grade_of(desk.show(), 2, "once")
    assert desk.act(sent)["n_graded"] == 1
    again = desk_of(folder).act(sent)  # its answer was lost, and the server began again
    assert again["n_graded"] == 1
    assert len((folder / "ana.jsonl").read_text().splitlines()) == 1


def test_a_second_tab_is_told_and_does_not_grade_twice(folder: Path) -> None:
    desk = desk_of(folder)
    seen_by_both = desk.show()
    desk.act(grade_of(seen_by_both, 2, "tab1"))
    sent = grade_of(seen_by_both, 0, "tab2")
    with pytest.raises(Conflict, match="another tab"):
        desk.act(sent)
    assert desk.show_again(sent)["pair"]["review"] == {"action": "grade", "grade": 2}


def test_a_grade_of_a_text_that_has_changed_is_refused_and_asked_again(folder: Path) -> None:
    desk = desk_of(folder)
    shown = desk.show()
    desk.act(grade_of(shown, 2, "1"))
    _, doc_id = key(shown)
    changed = desk_of(folder, **{doc_id: "Another text."})
    again = changed.show(at=shown["pair"]["place"])
    assert (again["pair"]["is_changed"], again["pair"]["review"]) == (True, None)
    assert again["n_graded"] == 0
    with pytest.raises(Conflict, match="changed"):
        changed.act(grade_of(shown, 3, "2", seen=again["pair"]["seen"]))
    assert changed.act(grade_of(again, 3, "3"))["n_graded"] == 1


def test_skipped_pairs_come_again_on_request_alone(folder: Path) -> None:
    desk = desk_of(folder)
    shown, skipped = desk.show(), []
    while shown["pair"]:
        action = "skip" if len(skipped) < 2 else "grade"
        skipped += [key(shown)] if action == "skip" else []
        shown = act(desk, shown, action, f"r{shown['pair']['place']}")
    assert (shown["n_skipped"], shown["n_left"]) == (2, 0)
    again = desk.show(skipped=True)
    assert key(again) == skipped[0]
    other = desk.act(grade_of(again, 1, "x"), skipped=True)
    assert key(other) == skipped[1]
    end = desk.act({**grade_of(other, 1, "y"), "action": "skip"}, skipped=True)
    assert (end["pair"], end["n_skipped"]) == (None, 1)


def test_next_leaves_a_pair_open_and_comes_back_to_it(folder: Path) -> None:
    desk = desk_of(folder)
    first = desk.show()
    passed = desk.show(after=first["pair"]["place"])
    assert passed["pair"]["place"] == 1
    assert desk.show(after=N_PAIRS - 1)["pair"]["place"] == 0
    assert desk.show(at=-5)["pair"]["place"] == 0
    assert desk.show(at=99)["pair"]["place"] == N_PAIRS - 1


def test_a_second_server_s_grades_are_seen(folder: Path) -> None:
    one, other = desk_of(folder), desk_of(folder)
    shown = one.show()
    one.act(grade_of(shown, 2, "1"))
    assert key(other.show()) != key(shown)
    assert other.show()["n_graded"] == 1


@pytest.mark.parametrize(
    "change",
    [
        {"grade": 4},
        {"grade": None},
        {"grade": True},
        {"action": "delete"},
        {"request_id": "a b"},
        {"request_id": None},
        {"note": 3},
        {"query_id": None},
    ],
)
def test_a_malformed_request_is_refused_and_writes_nothing(
    folder: Path, change: dict[str, Any]
) -> None:
    desk = desk_of(folder)
    with pytest.raises(SetAside):
        desk.act(grade_of(desk.show(), 1, "r") | change)
    assert not folder.exists()


def test_a_pair_outside_the_sample_is_refused(folder: Path) -> None:
    desk = desk_of(folder)
    with pytest.raises(Conflict, match="not in the sample"):
        desk.act(grade_of(desk.show(), 1, "r") | {"doc_id": "other"})


def test_a_huge_document_is_shown_in_pieces_that_make_the_whole(folder: Path) -> None:
    desk = desk_of(folder)
    shown = next(s for s in (desk.show(at=at) for at in range(N_PAIRS)) if key(s)[1] == "huge")
    body = shown["pair"]["body"]
    assert body["end"] < 20_000 < body["n_characters"]
    text = "".join(segment for segment, _ in body["segments"])
    while body["end"] < body["n_characters"]:
        body = desk.piece(key(shown), body["end"])
        text += "".join(segment for segment, _ in body["segments"])
    assert text == "travelexpenses" * 75_000


def test_progress_is_by_assessor_with_the_median_time_and_no_break(folder: Path) -> None:
    folder.mkdir(parents=True)
    query_id, doc_ids = "q1", ("honest", "script", "control", "huge")
    times = ("10:00:00", "10:00:04", "10:00:10", "11:30:00")
    (folder / "ana.jsonl").write_text(
        "".join(
            f'{{"action": "grade", "query_id": "{query_id}", "doc_id": "{doc_id}", "assessor": "ana", '
            f'"grade": 1, "reviewed_at": "2026-05-04T{time}+00:00"}}\n'
            for doc_id, time in zip(doc_ids, times, strict=True)
        )
    )
    (progress,), log = progress_of_all(pairs_in(folder))
    assert (progress.n_graded, progress.n_left, progress.seconds_per_review) == (4, 8, 5.0)
    assert log.problems == []
    assert desk_of(folder).show()["seconds_left"] == 40


def test_of_two_files_the_later_review_counts_and_an_undo_takes_no_time(folder: Path) -> None:
    folder.mkdir(parents=True)

    def line(action: str, second: int, grade: int | None = None) -> str:
        grading = {"action": action, "grade": grade, "query_id": "q1", "doc_id": "honest"}
        time = {"assessor": "ana", "reviewed_at": f"2026-05-04T10:00:{second:02}+00:00"}
        return json.dumps(grading | time) + "\n"

    (folder / "import.jsonl").write_text(line("grade", 30, 3))
    (folder / "ana.jsonl").write_text(line("grade", 0, 0) + line("undo", 1) + line("grade", 10, 1))
    log = ReviewLog(folder, max_grade=3)
    log.refresh()
    review = log.of("ana", ("q1", "honest"))
    assert review is not None and review.grade == 3
    (folder / "import.jsonl").unlink()
    alone = ReviewLog(folder, max_grade=3)
    alone.refresh()
    assert alone.seconds_per_review("ana") == 10.0
