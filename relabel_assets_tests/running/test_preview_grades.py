"""`relabel plan --preview`: what it pays for, what it finds, and that a run does not pay for it again."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from relabel_assets_tests.builders import (
    N_PAIRS,
    SUBJECTS,
    UP_TO_CANDIDATES,
    jsonl,
    make,
    relabel,
    statuses,
    write_corpus,
)
from relabel_assets_tests.faults.teacher_server import TeacherServer, good_reply
from relabel_assets_tests.running.homes import use_copy, use_home

pytestmark = pytest.mark.slow

PRICE = {"price_usd_per_million_tokens": {"input": 1.0, "output": 1.0}}
A_REPLY_USD = 720e-6  # the server bills 720 tokens
NEW_RULE = "A form to fill in counts as an answer."


@pytest.fixture(scope="module")
def server() -> Iterator[TeacherServer]:
    with TeacherServer().running() as server:
        yield server


@pytest.fixture(scope="module")
def graded_home(tmp_path_factory: pytest.TempPathFactory, server: TeacherServer) -> Path:
    """A folder with a home and data, in which a live teacher graded all pairs of `tiny`."""
    folder = tmp_path_factory.mktemp("graded")
    write_corpus(folder / "data" / "tiny")
    with pytest.MonkeyPatch.context() as patch:
        use_home(patch, folder)
        without_key(patch)
        server.behave = grade_by_document
        configure(folder / "data" / "tiny", server)
        assert make(*UP_TO_CANDIDATES, "teacher_labels").is_success  # type: ignore[union-attr]
    return folder


@pytest.fixture
def graded(
    graded_home: Path, server: TeacherServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Path:
    """The folder of `tiny` in a copy of that home. Its server has counted no request yet."""
    without_key(monkeypatch)
    server.behave = grade_by_document
    server.requests.clear()
    return use_copy(monkeypatch, graded_home, tmp_path) / "data" / "tiny"


def without_key(patch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        patch.delenv(name, raising=False)


def grade_by_document(body: dict[str, Any]) -> dict[str, Any]:
    """Grades 0 to 2 by the document, and one more if the rubric has the new rule."""
    prompt = "".join(message["content"] for message in body["messages"])
    document = next(
        number
        for number, subject in enumerate(SUBJECTS)
        if f"All that there is to know about {subject}" in prompt
    )
    return good_reply(document % 3 + (NEW_RULE in prompt))


def grade_against_the_rule(body: dict[str, Any]) -> dict[str, Any]:
    """The grades 2 to 0 where `grade_by_document` has 0 to 2 without the new rule."""
    answer = json.loads(grade_by_document(body)["choices"][0]["message"]["content"])
    return good_reply(3 - answer["grade"])


def configure(
    folder: Path, server: TeacherServer, *, rule: str = "", n_random: int = 8, **teacher: object
) -> None:
    """Give `tiny` a live teacher in place of the recorded one, and a rubric with a `rule`."""
    (folder / "teacher_labels.jsonl").unlink(missing_ok=True)
    grades = [{"grade": n, "name": f"level {n}", "meaning": f"Use {n}."} for n in range(4)]
    (folder / "rubric.yaml").write_text(
        yaml.safe_dump({"grades": grades, "guidance": [rule or "Read the whole document."]})
    )
    limits = {"requests_per_minute": None, "tokens_per_minute": None}
    teacher = {"kind": "openai", "model": "fake", "base_url": server.base_url, **limits, **teacher}
    settings = yaml.safe_load((folder / "corpus.yaml").read_text())
    candidates = {"bm25_top_k": 10, "random": n_random}  # every query with every document
    settings |= {"teacher": teacher, "rubric": "rubric.yaml", "candidates": candidates}
    (folder / "corpus.yaml").write_text(yaml.safe_dump(settings))


def plan(n: int, *arguments: str) -> Any:
    return relabel("plan", "-s", "teacher_labels", "--preview", str(n), *arguments)


def found(n: int) -> dict[str, Any]:
    done = plan(n, "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)["preview"]


def test_a_preview_shows_moved_grades_and_its_answers_are_paid_once(
    graded: Path, server: TeacherServer
) -> None:
    assert "no grade would be asked again" in plan(20).stdout
    configure(graded, server, rule=NEW_RULE, **PRICE)
    relabel("plan", "-s", "teacher_labels")
    assert sum(server.requests.values()) == 0, "a plan without --preview sends nothing"

    done = plan(20)
    assert done.returncode == 0 and sum(server.requests.values()) == 20
    assert "asking the teacher about 20 pairs: 20 requests, about $0.0" in done.stderr
    assert "20 of 128 pairs whose grade would be asked again; 0 answered" in done.stdout
    assert f"${20 * A_REPLY_USD:.4f} paid" in done.stdout
    assert "cannot tell: it needs all grades of a query" in done.stdout
    assert "the teacher is asked about 108 pairs with 108 requests, about $0.0" in done.stdout

    again = found(20)
    assert sum(server.requests.values()) == 20, "the same sample costs nothing"
    assert (again["asked"], again["from_ledger"], again["spent_usd"]) == (20, 20, 0.0)
    assert [row["old_grade"] for row in again["grades"]] == [0, 1, 2]
    assert sum(row["n_pairs"] for row in again["grades"]) == again["pairs"] == N_PAIRS
    assert all(row["n_higher"] == row["n_asked"] >= 5 for row in again["grades"])
    assert again["moved_share"]["value"] == again["moved_share"]["high"] == 1.0
    assert again["moved_share"]["low"] < 1.0 and again["mean_change"]["value"] == 1.0
    assert again["ndcg_at_10_of_old_order"] is None and again["changed_orders"] is None

    assert found(30)["from_ledger"] == 20, "a larger sample keeps the smaller one"
    assert make("teacher_labels").is_success  # type: ignore[union-attr]
    assert sum(server.requests.values()) == N_PAIRS, "the run paid for the others alone"
    assert statuses() == {"ok": N_PAIRS}


def test_a_preview_keeps_to_the_budget_and_of_all_pairs_tells_ndcg(
    graded: Path, server: TeacherServer
) -> None:
    server.behave = grade_against_the_rule
    budget = {"run_budget_usd": 12.5 * A_REPLY_USD, "max_concurrency": 1}
    configure(graded, server, rule=NEW_RULE, **PRICE, **budget)
    done = plan(20)
    n_sent = sum(server.requests.values())
    assert done.returncode == 0 and 0 < n_sent <= 12
    assert f"no grade  {20 - n_sent} pairs over_budget" in done.stdout
    configure(graded, server, rule=NEW_RULE, **PRICE)
    whole = found(1000)
    assert whole["graded"] == N_PAIRS == sum(server.requests.values())
    # Grades 0, 1 and 2 became 2, 1 and 0: with all pairs asked there is no doubt.
    n_of = {row["old_grade"]: row["n_pairs"] for row in whole["grades"]}
    share = (n_of[0] + n_of[2]) / N_PAIRS
    assert set(whole["moved_share"].values()) == {share}
    assert 0 < whole["ndcg_at_10_of_old_order"] < 0.8


def test_a_preview_that_could_be_paid_in_vain_asks_nothing(
    graded: Path, server: TeacherServer
) -> None:
    configure(graded, server, rule=NEW_RULE, mode="batch")
    batch = plan(20)
    assert batch.returncode == 4 and "Set it to live for the preview" in batch.stderr
    configure(graded, server, rule=NEW_RULE, n_random=2)
    other_pairs = plan(20)
    assert other_pairs.returncode == 4
    assert "relabel run -c tiny -s +bm25_candidates" in " ".join(other_pairs.stderr.split())
    grades = jsonl([{"query_id": "q00", "doc_id": "d0", "grade": 3}])
    (graded / "teacher_labels.jsonl").write_text(grades)
    (graded / "corpus.yaml").write_text("reference: {kind: adjudicated}\n")
    recorded = plan(20)
    assert recorded.returncode == 0 and "recorded teacher: nothing is asked" in recorded.stdout
    assert not server.requests
