"""The choice of a dialect: the last answered one, and a weaker one after a refusal."""

from pathlib import Path

import pytest

from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import RequestMetadata, Response, response_line
from relabel_assets.teacher.requests import Dialect, Outgoing, Request
from relabel_assets.teacher.sending.dialects import Dialects
from relabel_assets.teacher.verdict import Verdict
from relabel_assets_tests.faults.teacher_server import good_reply

REQUEST = Request("m", ({"role": "user", "content": "grade"},), "s", {}, 0.0, 13, 100)
NO_SEED, TEXT = Dialect(is_seed=False), Dialect("text", "max_tokens")


def refusal(complaint: str) -> Verdict:
    return Verdict("rejected", f"HTTP 400: {complaint}")


def answered(folder: Path, *answers: tuple[str, str, str]) -> Ledger:
    """A ledger with one answer for each (model, endpoint, dialect's name), in order."""
    ledger = Ledger(folder)
    for number, (model, endpoint, dialect) in enumerate(answers):
        metadata = RequestMetadata(
            "demo", "grading", model, endpoint, dialect, "2026-01-01T00:00:00+00:00"
        )
        ledger.append(
            "demo", [response_line(f"{number:064x}", Response(200, good_reply(1)), metadata)]
        )
    return ledger


def test_a_new_model_gets_the_default_dialect(tmp_path: Path) -> None:
    dialects = Dialects(answered(tmp_path, ("other", "here", TEXT.name)), "here")
    assert dialects.lookup_order("m") == [Dialect()]


def test_the_last_answered_dialect_of_this_endpoint_comes_first(tmp_path: Path) -> None:
    ledger = answered(
        tmp_path,
        ("m", "here", NO_SEED.name),
        ("m", "here", TEXT.name),
        ("m", "there", "json_object max_tokens"),
        ("m", "here", "a dialect of a later version"),
    )
    assert Dialects(ledger, "here").lookup_order("m") == [
        TEXT,
        Dialect(),
        NO_SEED,
        Dialect("json_object", "max_tokens"),
    ]


def test_dialects_of_other_endpoints_are_looked_up_and_not_sent(tmp_path: Path) -> None:
    ledger = answered(tmp_path, ("m", "there", TEXT.name))
    assert Dialects(ledger, "here").lookup_order("m") == [Dialect(), TEXT]


@pytest.mark.parametrize(
    ("complaint", "earlier", "weakened"),
    [
        ("unknown field seed", (), Dialect(is_seed=False)),  # the named field is left out
        # Other requests with a seed were answered: the fault is in this request.
        ("unknown field seed", ("answered",), None),
        ("context length exceeded", (), None),  # the prompt is too long, whatever the dialect
        ("bad request", (), None),  # names no field
        # Another request has weakened the dialect already.
        ("unknown field seed", ("conceded",), Dialect(is_temperature=False)),
    ],
)
def test_a_refusal_that_names_a_field_weakens_the_dialect(
    complaint: str, earlier: tuple[str, ...], weakened: Dialect | None, tmp_path: Path
) -> None:
    dialects, notices = Dialects(Ledger(tmp_path), "here"), []
    outgoing = Outgoing.of(REQUEST, dialects.current("m"))
    if "answered" in earlier:
        dialects.mark_answered("m", outgoing.dialect)
    if "conceded" in earlier:
        assert dialects.concede(outgoing, refusal("unsupported: temperature"), lambda notice: None)
    assert dialects.concede(outgoing, refusal(complaint), notices.append) is (weakened is not None)
    assert dialects.current("m") == (weakened or Dialect())
    assert bool(notices) is (weakened is not None and not earlier)


def test_a_concession_names_both_dialects_and_keeps_the_old_one_for_look_ups(
    tmp_path: Path,
) -> None:
    dialects, notices = Dialects(Ledger(tmp_path), "here"), []
    dialects.concede(Outgoing.of(REQUEST), refusal("no seed, please"), notices.append)
    assert dialects.lookup_order("m") == [NO_SEED, Dialect()]
    assert notices == [
        "m at here does not take json_schema max_completion_tokens: "
        "continuing with json_schema max_completion_tokens no_seed"
    ]
