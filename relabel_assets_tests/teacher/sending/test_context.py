"""The sending context: replayed answers, results of requests, and notices."""

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.teacher.exchange import Exchange
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Response, response_line
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.requests import Dialect, Outgoing, Request
from relabel_assets.teacher.sending.context import SendingContext
from relabel_assets.teacher.sending.dialects import Dialects

REQUEST = Request("m", ({"role": "user", "content": "grade"},), "s", {}, 0.0, 13, 100)
TEXT = Dialect("text", "max_tokens")


def read(body: Any) -> ParsedReply:
    return (
        ParsedReply("ok", value=body["grade"])
        if "grade" in body
        else ParsedReply("unparseable", "no grade")
    )


def context_of(folder: Path) -> SendingContext:
    ledger = Ledger(folder)
    return SendingContext(
        TeacherConfig(kind="openai", model="m"),
        "demo",
        "grading",
        "host",
        ledger,
        Dialects(ledger, "host"),
        read,
    )


def record(context: SendingContext, outgoing: Outgoing, *responses: Response) -> None:
    metadata = context.metadata(outgoing)
    context.ledger.append("demo", [response_line(outgoing.key, one, metadata) for one in responses])


def test_an_unanswered_request_is_sent_in_the_current_dialect(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    outgoing = context.find(7, REQUEST)
    assert (
        isinstance(outgoing, Outgoing)
        and outgoing.dialect == Dialect()
        and outgoing.request is REQUEST
    )


def test_the_latest_usable_answer_is_replayed(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    outgoing = Outgoing.of(REQUEST)
    record(
        context,
        outgoing,
        Response(200, {"grade": 1}),
        Response(200, {"grade": 2}),
        Response(200, {"rationale": "unreadable"}),
        Response(200, {"error": {"message": "upstream failed"}}),
        Response(200, "<html>"),
        Response(503, {"grade": 3}),
    )
    exchange = context.find(7, REQUEST)
    assert isinstance(exchange, Exchange) and exchange.is_replayed
    assert (exchange.index, exchange.status, exchange.parsed.value, exchange.attempts) == (
        7,
        "ok",
        2,
        6,
    )


@pytest.mark.parametrize(
    ("corpus", "endpoint", "is_used"),
    [
        ("demo", "host", True),
        ("demo", "moved", True),  # the corpus' own answer, from before its address changed
        ("other", "host", True),  # the same endpoint
        ("other", "moved", False),  # where the same name may be another model
        ("other", "", False),  # nobody knows where
        ("", "moved", False),
        ("", "", True),  # a file that somebody put into the ledger
    ],
)
def test_answers_are_shared_between_corpora_for_the_same_endpoint_only(
    corpus: str, endpoint: str, is_used: bool, tmp_path: Path
) -> None:
    context, outgoing = context_of(tmp_path), Outgoing.of(REQUEST)
    metadata = dataclasses.replace(context.metadata(outgoing), corpus=corpus, endpoint=endpoint)
    line = response_line(outgoing.key, Response(200, {"grade": 1}), metadata)
    context.ledger.append("any", [line])
    assert isinstance(context.find(0, REQUEST), Exchange) is is_used


def test_an_answer_in_another_dialect_is_replayed_under_its_own_key(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    record(context, Outgoing.of(REQUEST, TEXT), Response(200, {"grade": 3}))
    record(
        context, Outgoing.of(Request(**{**vars(REQUEST), "seed": 99})), Response(200, {"grade": 0})
    )
    exchange = context.find(0, REQUEST)
    assert isinstance(exchange, Exchange) and exchange.parsed.value == 3
    assert exchange.key == Outgoing.of(REQUEST, TEXT).key != Outgoing.of(REQUEST).key


def test_a_request_with_only_unusable_answers_is_sent_again(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    record(context, Outgoing.of(REQUEST), Response(200, {}), Response(error_code="timeout"))
    outgoing = context.find(0, REQUEST)
    assert isinstance(outgoing, Outgoing)
    exchange = context.ended(0, outgoing, "failed", "not sent")
    assert (exchange.attempts, exchange.is_replayed, exchange.line) == (2, False, None)


def test_exchanges_are_counted_by_status(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    outgoing = Outgoing.of(REQUEST)
    context.count(context.ended(0, outgoing, "ok", None, is_replayed=True))
    context.count(context.ended(1, outgoing, "ok", None))
    context.count(context.ended(2, outgoing, "failed", "why"))
    assert context.counts == {"ok": 2, "replayed": 1, "failed": 1}


def test_the_first_stop_reason_is_kept(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    context.stop("the endpoint is down")
    context.stop("the quota is spent")
    assert context.stop_reason == "the endpoint is down"
    assert context.notices == [
        "stopped early: the endpoint is down. Running again continues from here."
    ]


def test_a_request_is_hashed_once_per_dialect(monkeypatch: pytest.MonkeyPatch) -> None:
    from relabel_assets.teacher import requests

    n_hashed, request_key = 0, requests.request_key

    def counted(body: dict[str, Any]) -> str:
        nonlocal n_hashed
        n_hashed += 1
        return request_key(body)

    monkeypatch.setattr(requests, "request_key", counted)
    outgoing = Outgoing.of(REQUEST)
    text = outgoing.in_dialect(TEXT)
    assert text.in_dialect(outgoing.dialect) is outgoing and outgoing.in_dialect(TEXT) is text
    assert n_hashed == 2


def test_an_exception_of_the_parser_costs_that_reply_alone(tmp_path: Path) -> None:
    context, outgoing = context_of(tmp_path), Outgoing.of(REQUEST)
    assert context.read(outgoing, {"grade": 2}) == ParsedReply("ok", value=2)
    parsed = context.read(outgoing, 5)  # which the parser above cannot search
    assert parsed.status == "unparseable" and "TypeError" in (parsed.reason or "")


LONG = Request("m", ({"role": "user", "content": "leave " * 3000},), "s", {}, 0.0, 13, 100)


def counting(n_tokens: int) -> dict[str, Any]:
    return {"grade": 2, "usage": {"prompt_tokens": n_tokens, "completion_tokens": 9}}


def test_a_reply_to_a_cut_prompt_is_a_failure_with_the_way_out(tmp_path: Path) -> None:
    context, outgoing = context_of(tmp_path), Outgoing.of(LONG)
    assert context.read(outgoing, counting(3100)).status == "ok"
    parsed = context.read(outgoing, counting(2050))
    assert parsed.status == "failed" and parsed.is_cut and parsed.value is None
    for words in ("2,050 of at least 3,000 tokens", "num_ctx", "teacher.max_document_tokens"):
        assert words in (parsed.reason or "")


def test_who_trusts_no_usage_can_say_so(tmp_path: Path) -> None:
    context, outgoing = context_of(tmp_path), Outgoing.of(LONG)
    context.config = context.config.model_copy(update={"is_prompt_checked": False})
    assert context.read(outgoing, counting(2050)).status == "ok"


def test_an_answer_to_a_cut_prompt_in_the_ledger_is_asked_again(tmp_path: Path) -> None:
    context, outgoing = context_of(tmp_path), Outgoing.of(LONG)
    record(context, outgoing, Response(200, counting(2050)))
    assert isinstance(context.find(0, LONG), Outgoing)
    record(context, outgoing, Response(200, counting(3100)))  # the context was raised
    assert isinstance(context.find(0, LONG), Exchange)


def test_a_count_of_whole_kibitokens_is_a_cut_until_a_larger_one_was_counted(
    tmp_path: Path,
) -> None:
    context, outgoing = context_of(tmp_path), Outgoing.of(LONG)
    response = Response(200, counting(4096))
    metadata = context.metadata(outgoing).of_response(response.body, None)
    context.ledger.append("demo", [response_line(outgoing.key, response, metadata)])
    assert isinstance(context.find(0, LONG), Outgoing)
    larger = context.metadata(outgoing).of_response(counting(4097), None)
    context.ledger.append("demo", [response_line("0" * 64, Response(200, {}), larger)])
    assert isinstance(context.find(0, LONG), Exchange)


def test_a_run_stops_after_five_replies_if_all_were_cut(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    cut, whole = ParsedReply("failed", "too long", is_cut=True), ParsedReply("ok", value=2)
    for _ in range(4):
        context.stop_if_all_are_cut(cut)
    assert context.stop_reason is None
    context.stop_if_all_are_cut(cut)
    assert context.stop_reason == "every reply was cut, the last because too long"
    first, second = context.notices
    assert first.startswith("host cuts long prompts: raise its context") and "stopped" in second
    other = context_of(tmp_path)
    other.stop_if_all_are_cut(whole)
    for _ in range(9):
        other.stop_if_all_are_cut(cut)
    assert other.stop_reason is None


def test_a_usable_reply_in_the_ledger_keeps_a_run_of_cut_replies_going(tmp_path: Path) -> None:
    context, cut = context_of(tmp_path), ParsedReply("unparseable", "too long", is_cut=True)
    record(context, Outgoing.of(REQUEST), Response(200, {"grade": 1}))
    context.find(0, REQUEST)
    for _ in range(9):
        context.stop_if_all_are_cut(cut)
    assert context.stop_reason is None


def test_a_garbled_reply_among_cut_ones_does_not_keep_the_run_going(tmp_path: Path) -> None:
    context, cut = context_of(tmp_path), ParsedReply("unparseable", "too long", is_cut=True)
    context.stop_if_all_are_cut(ParsedReply("unparseable", "no JSON"))
    for _ in range(5):
        context.stop_if_all_are_cut(cut)
    assert context.stop_reason is not None


def answer_with_limit(context: SendingContext, limit: int, body: object) -> None:
    record(context, Outgoing.of(REQUEST).with_token_limit(limit), Response(200, body))


def test_an_answer_with_another_token_limit_is_replayed_and_a_failure_is_not(
    tmp_path: Path,
) -> None:
    context = context_of(tmp_path)
    answer_with_limit(context, 50, {"unreadable": 1})
    assert isinstance(context.find(0, REQUEST), Outgoing)
    answer_with_limit(context, 200, {"grade": 2})
    exchange = context.find(0, REQUEST)
    assert isinstance(exchange, Exchange) and exchange.parsed == ParsedReply("ok", value=2)
    assert exchange.key == Outgoing.of(REQUEST).with_token_limit(200).key


def test_answers_with_the_eight_latest_token_limits_are_looked_up(tmp_path: Path) -> None:
    context = context_of(tmp_path)
    answer_with_limit(context, 50, {"grade": 2})
    for limit in range(51, 58):
        answer_with_limit(context, limit, {})
    assert isinstance(context.find(0, REQUEST), Exchange)
    answer_with_limit(context, 58, {})
    assert isinstance(context.find(0, REQUEST), Outgoing)
    assert context.ledger.token_limits("m", "host") == list(range(58, 49, -1))
    assert context.ledger.token_limits("m", "elsewhere") == []
