"""Query requests: seed documents, wanted queries, the request, and parsing of its replies."""

import json
from collections import Counter

import polars as pl
import pytest

from relabel_assets.corpus.config.config import QueriesConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.prompts.teacher_prompts import queries_prompt
from relabel_assets.teacher.queries.query_requests import (
    UnreadableQuery,
    WantedQuery,
    WrittenQuery,
    queries_reply_schema,
    queries_request,
    read_queries,
    seed_documents,
    wanted_queries,
)
from relabel_assets.teacher.requests import request_key
from relabel_assets_tests.faults.teacher_server import chat_body
from relabel_assets_tests.teacher.documents import DOCUMENT

SCHEMA = {"path": pl.String, "doc_type": pl.String}


def documents(n: int, *, folder: str = "hr", doc_type: str | None = None) -> pl.DataFrame:
    rows = [
        {
            "doc_id": f"{folder}{k:03}",
            "body": "word " * 30,
            "path": f"{folder}/{k}.md",
            "doc_type": doc_type,
        }
        for k in range(n)
    ]
    return pl.DataFrame(rows, schema_overrides=SCHEMA)


def seeds(frame: pl.DataFrame, n: int) -> list[str]:
    return seed_documents(frame, QueriesConfig(seed_documents=n))["doc_id"].to_list()


# Seed documents


def test_folders_take_turns() -> None:
    many = pl.concat([documents(100), documents(5, folder="it")])
    assert Counter(doc_id[:2] for doc_id in seeds(many, 10)) == {"hr": 5, "it": 5}
    assert Counter(doc_id[:2] for doc_id in seeds(many, 30)) == {"hr": 25, "it": 5}


def test_document_types_take_turns() -> None:
    tickets = documents(100, doc_type="ticket").with_columns(doc_id="t-" + pl.col("doc_id"))
    chosen = seeds(pl.concat([tickets, documents(100, doc_type="policy")]), 10)
    assert sum(doc_id.startswith("t-") for doc_id in chosen) == 5


def test_documents_without_a_folder_count_as_one_folder() -> None:
    bare = documents(20).with_columns(path=pl.lit("a.md"))
    nowhere = documents(20, folder="xx").with_columns(path=pl.lit(None, pl.String))
    chosen = seeds(pl.concat([bare, nowhere, documents(20, folder="it")]), 10)
    assert sum(doc_id.startswith("it") for doc_id in chosen) == 5


def test_a_new_document_replaces_at_most_one_seed_document() -> None:
    before = seeds(documents(100), 10)
    one_more = documents(1).with_columns(doc_id=pl.lit("hr-new"))
    after = seeds(pl.concat([documents(100), one_more]), 10)
    assert len(set(before) - set(after)) <= 1
    assert before == sorted(before)


def test_a_body_of_less_than_twenty_words_is_never_a_seed() -> None:
    bodies = pl.DataFrame({"body": ["word " * 18 + "word", "word " * 19 + "word"]})
    frame = documents(2).with_columns(bodies)
    assert seeds(frame, 10) == ["hr001"]


# Wanted queries


def test_intents_have_their_shares() -> None:
    config = QueriesConfig(per_document=3)
    wanted = [query for k in range(2000) for query in wanted_queries(f"d{k}", config)]
    counts = Counter(query.intent for query in wanted)
    shares = {intent: count / len(wanted) for intent, count in counts.items()}
    assert shares == pytest.approx(config.intents, abs=0.02)


def test_intents_depend_on_the_document_and_the_seed_only() -> None:
    config = QueriesConfig(per_document=5)
    assert wanted_queries("d7", config) == wanted_queries("d7", config)
    other_seeds = [
        wanted_queries("d7", QueriesConfig(per_document=5, seed=seed)) for seed in range(9)
    ]
    assert any(wanted != wanted_queries("d7", config) for wanted in other_seeds)
    only = QueriesConfig(per_document=4, intents={"messy": 1.0})
    assert wanted_queries("d", only) == [WantedQuery("messy", None)] * 4


def test_an_intent_with_share_one_half_is_every_second_query() -> None:
    config = QueriesConfig(per_document=4, intents={"keyword": 0.5, "messy": 0.5})
    for number in range(20):
        intents = Counter(query.intent for query in wanted_queries(f"d{number}", config))
        assert intents == {"keyword": 2, "messy": 2}


def test_personas_take_turns() -> None:
    config = QueriesConfig(per_document=4, personas=["a new hire", "a manager"])
    personas = [query.persona for query in wanted_queries("d7", config)]
    assert personas in (["a new hire", "a manager"] * 2, ["a manager", "a new hire"] * 2)
    first = {wanted_queries(f"d{number}", config)[0].persona for number in range(20)}
    assert first == {"a new hire", "a manager"}


# The request


def request(wanted: list[WantedQuery], **settings: object) -> object:
    config = TeacherConfig.model_validate(settings)
    return queries_request(DOCUMENT, wanted, queries_prompt(), config)


def test_queries_are_numbered_in_the_requested_order() -> None:
    wanted = [WantedQuery("messy"), WantedQuery("keyword", "a\nmanager"), WantedQuery("question")]
    content = request(wanted).messages[-1]["content"]
    expected = "Write these 3 queries:\n1. messy\n2. keyword, typed by: a manager\n3. question"
    assert content.endswith(expected)


def test_a_reply_has_room_for_every_query() -> None:
    assert request([WantedQuery("messy")] * 3).max_completion_tokens == 400  # the corpus' own
    assert request([WantedQuery("messy")] * 20).max_completion_tokens == 200 + 60 * 20


def test_writing_queries_has_its_own_temperature_unless_the_model_takes_none() -> None:
    assert request([WantedQuery("messy")], temperature=0.0).temperature == 0.7
    assert request([WantedQuery("messy")], temperature=None).temperature is None


def test_the_request_does_not_depend_on_other_documents() -> None:
    config = QueriesConfig()
    many = pl.concat([documents(30), documents(30, folder="it")])
    keys = []
    for frame in (many, many.filter(pl.col("doc_id") != "it005")):
        rows = seed_documents(frame, config).filter(pl.col("doc_id") == "hr003").to_dicts()
        wanted = wanted_queries("hr003", config)
        body = queries_request(rows[0], wanted, queries_prompt(), TeacherConfig()).body()
        keys.append(request_key(body))
    assert keys[0] == keys[1]


# Replies


@pytest.mark.parametrize(
    "content",
    [
        '{"queries": [{"intent": "messy", "text": " paid\\nleave "}]}',
        'Sure:\n```json\n{"queries": [{"intent": "messy", "text": "paid leave", "note": 1}]}\n```',
    ],
)
def test_a_query_has_an_intent_and_a_text_in_one_line(content: str) -> None:
    reply = read_queries(chat_body(content))
    assert (reply.status, reply.value) == ("ok", [WrittenQuery("messy", "paid leave")])


@pytest.mark.parametrize(
    "content",
    [
        '{"queries": []}',
        '{"queries": "leave"}',
        '{"queries": ["leave"]}',
        '{"query": "leave"}',
        "{}",
        "[1]",
        '{"queries": [{"intent": "rude", "text": "x"}]}',
        '{"queries": [{"intent": ["messy"], "text": "x"}]}',
        '{"queries": [{"intent": "messy", "text": 3}]}',
        '{"queries": [{"intent": "messy"}]}',
        "paid leave",
        '{"queries": [{"text": "x"}]}',
        '{"queries": [{"intent": "messy"}, 7]}',
        '{"queries": {"intent": "messy", "text": "x"}}',
    ],
)
def test_a_reply_without_any_query_is_unparseable_with_a_reason(content: str) -> None:
    reply = read_queries(chat_body(content))
    assert (reply.status, reply.value) == ("unparseable", None)
    assert reply.reason


def test_one_bad_item_costs_itself_and_keeps_its_place() -> None:
    items = [
        {"intent": "messy"},
        {"intent": "messy", "text": "a"},
        {"intent": "rude", "text": "b"},
        {"intent": ["messy"], "text": "b"},
        {"intent": "messy", "text": None},
        "c",
        {"intent": "keyword", "text": "d"},
    ]
    reply = read_queries(chat_body(json.dumps({"queries": items})))
    assert reply.status == "ok"
    assert reply.value == [
        UnreadableQuery("no text"),
        WrittenQuery("messy", "a"),
        UnreadableQuery("unknown intent"),
        UnreadableQuery("unknown intent"),
        UnreadableQuery("no text"),
        UnreadableQuery("not an object"),
        WrittenQuery("keyword", "d"),
    ]


def test_the_reason_names_the_faults_of_all_items() -> None:
    content = '{"queries": [{"intent": "messy"}, 7, {"intent": "messy"}]}'
    reason = str(read_queries(chat_body(content)).reason)
    assert reason.startswith("no query that can be read (no text, not an object): ")


def test_a_refusal_is_not_an_empty_list_of_queries() -> None:
    assert read_queries(chat_body(None, refusal="no")).status == "refused"


def test_the_schema_allows_exactly_the_parsed_fields() -> None:
    query = queries_reply_schema()["properties"]["queries"]["items"]
    assert set(query["properties"]) == set(query["required"]) == {"intent", "text"}
    assert query["additionalProperties"] is False  # strict JSON Schema modes refuse anything else
    for intent in query["properties"]["intent"]["enum"]:
        content = f'{{"queries": [{{"intent": "{intent}", "text": "x"}}]}}'
        assert read_queries(chat_body(content)).status == "ok"
