"""Decisions after a response: end, ask again, back off, concede or stop."""

import pytest

from relabel_assets.teacher.decision import MAX_UNREADABLE_RETRIES, Decision, Tries, decide
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.verdict import Action, Verdict

OK = ParsedReply("ok", value=2)
REFUSED = ParsedReply("refused", "the model refused")
UNREADABLE = ParsedReply("unparseable", "not JSON")
CUT = ParsedReply("unparseable", "cut", is_cut=True)


@pytest.mark.parametrize(
    ("action", "tries", "parsed", "decision"),
    [
        ("use", Tries(), OK, Decision("end", "ok")),
        ("use", Tries(), REFUSED, Decision("end", "refused", "the model refused")),
        ("use", Tries(0, 1), UNREADABLE, Decision("ask_again", "unparseable", "not JSON")),
        ("use", Tries(0, 2), UNREADABLE, Decision("ask_again", "unparseable", "not JSON")),
        ("use", Tries(0, 3), UNREADABLE, Decision("end", "unparseable", "not JSON")),
        ("retry", Tries(1), None, Decision("back_off", "failed", "why")),
        ("retry", Tries(5), None, Decision("back_off", "failed", "why")),
        ("retry", Tries(6), None, Decision("end", "failed", "why (6 attempts)")),
        ("refused", Tries(), None, Decision("end", "refused", "why")),
        ("unusable", Tries(), None, Decision("end", "unparseable", "why")),
        ("rejected", Tries(), None, Decision("concede", "failed", "why")),
        # a bad generation is asked for again as an unreadable reply is; then in a weaker format
        ("malformed", Tries(0, 1), None, Decision("ask_again", "failed", "why")),
        ("malformed", Tries(0, 2), None, Decision("ask_again", "failed", "why")),
        ("malformed", Tries(0, 3), None, Decision("concede", "unparseable", "why")),
        ("denied", Tries(), None, Decision("deny", "failed", "why")),
        ("unreachable", Tries(), None, Decision("deny", "failed", "why")),
        ("exhausted", Tries(), None, Decision("stop", "failed", "why")),
    ],
)
def test_each_verdict_leads_to_its_decision(
    action: Action, tries: Tries, parsed: ParsedReply | None, decision: Decision
) -> None:
    assert MAX_UNREADABLE_RETRIES == 2
    verdict = Verdict(action, None if action == "use" else "why")
    assert decide(verdict, tries, max_retries=5, parsed=parsed) == decision


def test_max_retries_also_limits_unreadable_replies() -> None:
    used = Verdict("use")
    assert decide(used, Tries(0, 1), max_retries=1, parsed=UNREADABLE).step == "ask_again"
    assert decide(used, Tries(0, 2), max_retries=1, parsed=UNREADABLE).step == "end"
    assert decide(used, Tries(0, 1), max_retries=0, parsed=UNREADABLE).step == "end"
    assert decide(Verdict("retry", "busy"), Tries(1), max_retries=0).step == "end"


def test_the_two_kinds_of_tries_are_counted_apart() -> None:
    tries = Tries()
    for verdict, parsed in [
        (Verdict("retry", "busy"), None),
        (Verdict("use"), UNREADABLE),
        (Verdict("use"), UNREADABLE),
        (Verdict("rejected", "no seed"), None),
        (Verdict("use"), OK),
        (Verdict("use"), REFUSED),
        (Verdict("malformed", "no JSON"), None),
    ]:
        tries = tries.plus(verdict, parsed)
    assert (tries.n_unanswered, tries.n_unreadable) == (1, 3)


def test_a_reply_that_was_cut_is_not_asked_for_again() -> None:
    decision = decide(Verdict("use"), Tries(n_unreadable=1), max_retries=5, parsed=CUT)
    assert decision == Decision("end", "unparseable", "cut")


def test_a_reply_with_the_same_fault_twice_is_not_asked_for_a_third_time() -> None:
    used, other, tries, steps = (
        Verdict("use"),
        ParsedReply("unparseable", "not a grade"),
        Tries(),
        [],
    )
    for parsed in (UNREADABLE, other, other):
        tries = tries.plus(used, parsed)
        steps.append(decide(used, tries, max_retries=5, parsed=parsed).step)
    assert steps == ["ask_again", "ask_again", "end"]
    again = Tries().plus(used, UNREADABLE).plus(Verdict("retry", "busy")).plus(used, UNREADABLE)
    assert decide(used, again, max_retries=5, parsed=UNREADABLE).step == "end"


def test_malformed_replies_are_asked_for_again_twice_because_their_reason_is_the_endpoints() -> (
    None
):
    malformed, tries, steps = Verdict("malformed", "HTTP 400: failed to generate JSON"), Tries(), []
    for _ in range(3):
        tries = tries.plus(malformed)
        steps.append(decide(malformed, tries, max_retries=5).step)
    assert steps == ["ask_again", "ask_again", "concede"]
