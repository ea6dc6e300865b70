"""`relabel run` after an edit of a long document: most grades are kept or moved, and few asked again."""

import json
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.running import runner
from relabel_assets_tests.builders import N_PAIRS, UP_TO_CANDIDATES, ask_live, make
from relabel_assets_tests.faults.teacher_server import TeacherServer

pytestmark = pytest.mark.slow

SECTIONS = [
    f"## Section {n}\n\nThings about subject{n}. " + "Some filler. " * 33 for n in range(60)
]


def run(home: Path, sections: list[str]) -> pl.DataFrame:
    """The rows of the first document in the view grade_carried, after a run with these sections of it."""
    path = home / "data" / "tiny" / "documents.jsonl"
    first, *rest = path.read_text().splitlines()
    row = json.loads(first) | {"body": "\n\n".join(sections)}
    path.write_text("\n".join([json.dumps(row), *rest]) + "\n")
    outcome = make(*UP_TO_CANDIDATES, "teacher_labels")
    assert outcome is not None
    assert outcome.is_success, outcome.failures
    _, warehouse = runner.from_environment()
    return warehouse.query("select * from grade_carried order by query_id")


def test_a_run_asks_again_only_where_the_teacher_would_see_something_else(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-test")
    with TeacherServer().running() as server:
        ask_live(home, base_url=server.base_url, max_document_tokens=1000, is_prompt_checked=False)
        queries = home / "data" / "tiny" / "queries.jsonl"
        text = queries.read_text().replace("how does parental leave work", "subject40")
        queries.write_text(text.replace("parental rules please", "subject50"))
        assert run(home, SECTIONS).is_empty()
        assert server.requests.total() == N_PAIRS
        longer = [*SECTIONS[:45], SECTIONS[45] + "One more sentence.", *SECTIONS[46:]]
        longer[40] = longer[40].replace("Things", "News")
        carried = run(home, longer)
        assert set(carried["doc_id"]) == {"d0"} and carried.height == 16
        assert carried["carried"].to_list() == ["stale", "moved", *["kept"] * 14]
        assert server.requests.total() == N_PAIRS + 1
