"""A teacher over real HTTP, and edits of a long document: what is asked again, and what the view says."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from relabel_assets.teacher.grading.carried import with_carried
from relabel_assets.teacher.grading.grading import label_frame
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.builders import KEY, grade, make_pairs
from relabel_assets_tests.faults.teacher_server import TeacherServer

pytestmark = pytest.mark.slow

SECTIONS = [
    f"## Section {n}\n\nThings about subject{n}. " + "Some filler. " * 33 for n in range(60)
]
QUERIES = ["subject40, subject41", "subject10", "subject50", "nothing of it"]
PRICE = {"price_usd_per_million_tokens": {"input": 10.0, "output": 0.0}}


class Corpus:
    """A document of 30 KB, of which the teacher sees 4 KB, with four queries."""

    def __init__(self, folder: Path, server: TeacherServer) -> None:
        self.folder, self.server = folder, server
        self.warehouse = Warehouse.at(folder / "warehouse.duckdb")
        self.labels = label_frame([])

    def grade(self, body: str, **teacher: object) -> pl.DataFrame:
        """Grade all pairs as `relabel run` does; return the rows of the view grade_carried."""
        pairs = make_pairs(4).with_columns(
            query_id=pl.Series([f"q{n}" for n in range(4)]),
            text=pl.Series(QUERIES),
            doc_id=pl.lit("d"),
            title=pl.lit("Handbook"),
            body=pl.lit(body),
        )
        labels = grade(
            self.folder,
            self.server,
            pairs,
            max_document_tokens=1000,
            is_prompt_checked=False,
            **teacher,
        )
        version = hashlib.sha256(body.encode()).hexdigest()
        documents = pl.DataFrame({"doc_id": ["d"], "content_hash": [version]})
        self.labels = with_carried(labels, self.labels, documents)
        self.warehouse.replace("teacher_labels", "demo", self.labels, input_hash="0" * 64)
        return self.warehouse.query("select * from grade_carried order by query_id")

    def passages(self) -> list[list[list[Any]]]:
        """The spans of each query's passages: start, end and hash."""
        return [json.loads(text) for text in self.labels["passages"]]


@pytest.fixture
def corpus(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Corpus]:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with TeacherServer().running() as server:
        yield Corpus(tmp_path, server)


def edited(section: int, text: str) -> str:
    return "\n\n".join([*SECTIONS[:section], SECTIONS[section] + text, *SECTIONS[section + 1 :]])


def test_an_edit_elsewhere_is_free_and_an_edit_of_what_was_shown_asks_again(corpus: Corpus) -> None:
    body = "\n\n".join(SECTIONS)
    assert corpus.grade(body).is_empty()
    assert corpus.server.requests.total() == 4
    first = corpus.passages()

    carried = corpus.grade(edited(59, "And a last word."))  # behind all that is shown
    assert carried["carried"].to_list() == ["kept"] * 4
    assert corpus.passages() == first

    body = edited(30, "A longer section, which no query is near.")
    assert corpus.grade(body)["carried"].to_list() == ["moved", "kept", "moved", "kept"]
    assert corpus.server.requests.total() == 4  # nothing was asked
    moved = corpus.passages()
    assert moved != first
    assert [[span[2] for span in spans] for spans in moved] == [
        [span[2] for span in spans] for spans in first
    ]

    carried = corpus.grade(body.replace("about subject40", "on subject40"))
    assert carried["carried"].to_list() == ["stale", "kept", "moved", "kept"]
    assert carried["status"].to_list() == ["ok"] * 4
    assert corpus.server.requests.total() == 5

    nearer = body.replace("about subject40", "on subject40") + " As to subject10, see above."
    carried = corpus.grade(nearer)
    assert carried["carried"].to_list() == ["kept", "stale", "kept", "kept"]
    assert corpus.server.requests.total() == 6


def test_the_passages_are_the_text_that_was_sent_and_sql_shows_them(corpus: Corpus) -> None:
    body = "\n\n".join(SECTIONS).replace("Some filler", "Some é filler")
    corpus.grade(body)
    for label, spans in zip(corpus.labels.to_dicts(), corpus.passages(), strict=True):
        sent = corpus.server.bodies[label["request_key"]]["messages"][-1]["content"]
        assert all(body[start:end] in sent for start, end, _ in spans)
    texts = corpus.warehouse.query(
        """select list_transform(
            from_json(passages, '[["VARCHAR"]]'),
            lambda p: substr($body, p[1]::int + 1, p[2]::int - p[1]::int)
        ) as shown from teacher_labels order by query_id""",
        {"body": body},
    )
    assert texts["shown"].to_list() == [
        [body[start:end] for start, end, _ in spans] for spans in corpus.passages()
    ]


def test_a_stale_grade_is_no_grade_while_the_budget_is_spent(corpus: Corpus) -> None:
    body = "\n\n".join(SECTIONS)
    corpus.grade(body, **PRICE)
    grades = corpus.labels["grade"].to_list()
    changed = body.replace("Things", "News")
    carried = corpus.grade(changed, **PRICE, budget_usd=0.000001)
    assert carried["carried"].to_list() == ["stale"] * 4
    assert carried["status"].to_list() == ["over_budget"] * 4
    assert corpus.labels["grade"].to_list() == carried["grade"].to_list() == [None] * 4
    assert carried["last_grade"].to_list() == grades
    carried = corpus.grade(changed, **PRICE)
    assert carried["carried"].to_list() == ["stale"] * 4
    assert carried["status"].to_list() == ["ok"] * 4 and carried["last_grade"].null_count() == 4
