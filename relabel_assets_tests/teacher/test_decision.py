"""Decisions after a response: end, ask again, back off, concede or stop."""

import pytest

from relabel_assets.teacher.decision import MAX_UNREADABLE_RETRIES, Decision, Tries, decide
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.verdict import Action, Verdict

OK = ParsedReply("ok", value=2)
REFUSED = ParsedReply("refused", "the model refused")
UNREADABLE = ParsedReply("unparseable", "not JSON")


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
    assert tries == Tries(n_unanswered=1, n_unreadable=3)
