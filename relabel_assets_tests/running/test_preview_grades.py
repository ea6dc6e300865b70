"""`relabel plan --preview`: what it pays for, what it finds, and that a run does not pay for it again."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from relabel_assets_tests.builders import (
    N_PAIRS,
    SUBJECTS,
    UP_TO_CANDIDATES,
    ask_live,
    make,
    relabel,
    statuses,
)
from relabel_assets_tests.faults.teacher_server import TeacherServer, good_reply

pytestmark = pytest.mark.slow

PRICE = {"price_usd_per_million_tokens": {"input": 1.0, "output": 1.0}}
A_REPLY_USD = 720e-6  # the server bills 720 tokens
NEW_RULE = "A form to fill in counts as an answer."


@pytest.fixture(autouse=True)
def no_key(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("OPENAI_API_KEY", "OPENAI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)


def one_higher_by_the_new_rule(body: dict[str, Any]) -> dict[str, Any]:
    """Grades 0 to 2 by the document, and one more if the rubric has the new rule."""
    prompt = "".join(message["content"] for message in body["messages"])
    document = next(
        number
        for number, subject in enumerate(SUBJECTS)
        if f"All that there is to know about {subject}" in prompt
    )
    return good_reply(document % 3 + (NEW_RULE in prompt))


def change_rubric(home: Path) -> None:
    folder = home / "data" / "tiny"
    grades = [{"grade": n, "name": f"level {n}", "meaning": f"Use {n}."} for n in range(4)]
    (folder / "rubric.yaml").write_text(yaml.safe_dump({"grades": grades, "guidance": [NEW_RULE]}))
    settings = json.loads((folder / "corpus.yaml").read_text())
    (folder / "corpus.yaml").write_text(json.dumps(settings | {"rubric": "rubric.yaml"}))


def previewed(n: int) -> dict[str, Any]:
    done = relabel("plan", "-c", "tiny", "--preview", str(n), "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_preview_shows_moved_grades_and_its_answers_are_paid_once(home: Path) -> None:
    server = TeacherServer()
    server.behave = one_higher_by_the_new_rule
    with server.running():
        ask_live(home, base_url=server.base_url, **PRICE)
        assert make(*UP_TO_CANDIDATES, "teacher_labels").is_success  # type: ignore[union-attr]
        assert "no grade would be asked again" in relabel("plan", "--preview", "20").stdout
        change_rubric(home)
        relabel("plan")
        assert sum(server.requests.values()) == N_PAIRS, "a plan without --preview sends nothing"

        done = relabel("plan", "-c", "tiny", "--preview", "20")
        assert done.returncode == 0 and sum(server.requests.values()) == N_PAIRS + 20
        assert "asking the teacher about 20 pairs: 20 requests, about $0.0" in done.stderr
        assert "20 of 128 pairs whose grade would be asked again; 0 answered" in done.stdout
        assert "cannot tell: it needs all grades of a query" in done.stdout
        assert "the teacher is asked about 108 pairs with 108 requests, about $0.0" in done.stdout

        again = previewed(20)["preview"]
        assert sum(server.requests.values()) == N_PAIRS + 20, "the same sample costs nothing"
        assert (again["asked"], again["from_ledger"], again["spent_usd"]) == (20, 20, 0.0)
        assert [row["old_grade"] for row in again["grades"]] == [0, 1, 2]
        assert sum(row["n_pairs"] for row in again["grades"]) == again["pairs"] == N_PAIRS
        assert all(row["n_higher"] == row["n_asked"] >= 5 for row in again["grades"])
        assert again["moved_share"]["value"] == again["moved_share"]["high"] == 1.0
        assert again["moved_share"]["low"] < 1.0 and again["mean_change"]["value"] == 1.0
        assert again["ndcg_at_10_of_old_order"] is None and again["changed_orders"] is None

        more = previewed(30)["preview"]  # a larger sample keeps the smaller one
        assert (more["from_ledger"], sum(server.requests.values())) == (20, N_PAIRS + 30)
        assert more["spent_usd"] == pytest.approx(10 * A_REPLY_USD)

        assert make("reference_labels", "teacher_labels").is_success  # type: ignore[union-attr]
        assert sum(server.requests.values()) == 2 * N_PAIRS, "the run paid for the others alone"
        assert statuses() == {"ok": N_PAIRS}


def test_a_preview_of_all_pairs_tells_ndcg_and_keeps_to_the_budget(home: Path) -> None:
    server = TeacherServer()
    server.behave = one_higher_by_the_new_rule
    with server.running():
        ask_live(home, base_url=server.base_url, **PRICE)
        assert make(*UP_TO_CANDIDATES, "teacher_labels").is_success  # type: ignore[union-attr]
        ask_live(
            home,
            base_url=server.base_url,
            run_budget_usd=12.5 * A_REPLY_USD,
            max_concurrency=1,
            **PRICE,
        )
        change_rubric(home)
        done = relabel("plan", "-c", "tiny", "--preview", "20")
        assert done.returncode == 0, done.stderr
        n_sent = sum(server.requests.values()) - N_PAIRS
        assert 0 < n_sent <= 12
        assert f"no grade  {20 - n_sent} pairs over_budget" in done.stdout

        ask_live(home, base_url=server.base_url, **PRICE)
        change_rubric(home)
        whole = previewed(1000)["preview"]
        assert whole["graded"] == N_PAIRS and whole["moved_share"]["low"] == 1.0
        # Every grade rose by one: the old order is an ideal one still.
        assert whole["ndcg_at_10_of_old_order"] == pytest.approx(1.0)


def test_a_preview_that_could_be_paid_in_vain_asks_nothing(home: Path) -> None:
    recorded = relabel("plan", "-c", "tiny", "--preview", "20")
    assert recorded.returncode == 0
    assert "recorded teacher: nothing is asked and nothing paid" in recorded.stdout
    server = TeacherServer()
    server.behave = one_higher_by_the_new_rule
    with server.running():
        ask_live(home, base_url=server.base_url)
        before = relabel("plan", "-c", "tiny", "--preview", "20")
        assert before.returncode == 4 and "no grades yet" in before.stderr
        assert make(*UP_TO_CANDIDATES, "teacher_labels").is_success  # type: ignore[union-attr]
        n_sent = sum(server.requests.values())
        change_rubric(home)
        settings = json.loads((home / "data" / "tiny" / "corpus.yaml").read_text())
        settings["teacher"]["mode"] = "batch"
        (home / "data" / "tiny" / "corpus.yaml").write_text(json.dumps(settings))
        batch = relabel("plan", "-c", "tiny", "--preview", "20")
        assert batch.returncode == 4 and "Set it to live for the preview" in batch.stderr
        settings["teacher"]["mode"], settings["candidates"]["bm25_top_k"] = "live", 5
        (home / "data" / "tiny" / "corpus.yaml").write_text(json.dumps(settings))
        other_pairs = relabel("plan", "-c", "tiny", "--preview", "20")
        assert other_pairs.returncode == 4
        assert "relabel run -c tiny -s +bm25_candidates" in " ".join(other_pairs.stderr.split())
        assert sum(server.requests.values()) == n_sent
