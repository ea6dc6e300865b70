"""Refusals that end a run: an endpoint that denies access, rejects all, or answers with pages.

What belongs here: counting them, and the messages. What does not: the verdict on one response
(verdict.py), and an endpoint that is down (limits.py, attempts.py).
"""

import re
from collections import Counter

from relabel_assets.errors import TeacherError
from relabel_assets.teacher.http.credentials import key_variable
from relabel_assets.teacher.requests import Outgoing
from relabel_assets.teacher.sending.context import SendingContext
from relabel_assets.teacher.sending.endpoint import Endpoint
from relabel_assets.teacher.verdict import Verdict

# Denials since the last answer that stop the run. Not measured: one 404 may concern one request only.
_DENIALS = 3
# Rejections with the same words since the last answer that stop the run. Not measured: a document that no
# endpoint takes is asked about a few times in a row, and ten requests tell nothing that a thousand would.
_REJECTIONS = 10
# Successes without JSON, from the start of a run, that end it. Not measured: a challenge passes sooner.
_PAGES = 10
# Of a complaint: numbers, ids and names, which differ each time.
_ODD_WORDS = re.compile(r"\S*[\d_]\S*")


class Refusals:
    """The refusals of one live run."""

    def __init__(self, context: SendingContext, endpoint: Endpoint) -> None:
        self._context, self._endpoint = context, endpoint
        self._is_answered = False  # whether the endpoint answered any request of this run
        self._n_sent: Counter[str] = Counter()  # in this run, by key
        # Since the last answer:
        self._denials = 0
        self._pages = 0
        self._rejections: Counter[str] = Counter()  # by their words

    def note_sent(self, outgoing: Outgoing) -> None:
        """Note that `outgoing` is sent."""
        self._n_sent.update((outgoing.key, *outgoing.asked_together))

    def note_answer(self) -> None:
        """Note that the endpoint answered a request."""
        self._is_answered, self._denials, self._pages = True, 0, 0
        self._rejections.clear()

    def deny(self, outgoing: Outgoing, verdict: Verdict) -> None:
        """Raise TeacherError, unless the denial may concern one request alone."""
        self._denials += 1
        if self._is_answered and self._denials < _DENIALS:
            return
        if verdict.action == "unreachable":
            address = self._endpoint.address(outgoing.request.url)
            message = f"the endpoint {address} cannot be used: {verdict.reason}."
        else:
            message = self._denial(outgoing, verdict)
        raise TeacherError(
            f"{message} Nothing more was sent; answers received so far are in the ledger and will not "
            "be asked again."
        )

    def _denial(self, outgoing: Outgoing, verdict: Verdict) -> str:
        context, address = self._context, self._endpoint.address(outgoing.request.url)
        hint = " (most servers want /v1 at its end)"
        is_v1_missing = context.config.api != "azure" and "/v1" not in address
        return (
            f"the endpoint {context.endpoint_name} denies access to {outgoing.request.model!r}: "
            f"{verdict.reason}. The request went to {address}. Check {key_variable(context.config)}, "
            f"teacher.model and teacher.base_url{hint * is_v1_missing}."
        )

    def count_page(self, outgoing: Outgoing, verdict: Verdict) -> None:
        """Count a success without JSON. Raise TeacherError if the endpoint answers with nothing else."""
        self._pages += 1
        if self._pages < _PAGES or self._is_answered:
            return
        raise TeacherError(
            f"the endpoint {self._endpoint.address(outgoing.request.url)} does not answer as a teacher: "
            f"{verdict.reason}. Check teacher.base_url; a login or a proxy may stand in front of it. "
            "Nothing more was sent."
        )

    def count_rejection(self, outgoing: Outgoing, verdict: Verdict) -> None:
        """Count a request that ended as rejected; stop the run after ten in a row for the same reason.

        One that was rejected in an earlier run as well does not count. Else a few requests that no
        endpoint takes, the first of every later run, would keep all others from being sent.
        """
        attempts = self._context.ledger.history(outgoing.key).attempts
        if verdict.action != "rejected" or attempts > self._n_sent[outgoing.key]:
            return
        words = _ODD_WORDS.sub("#", verdict.reason or "")
        self._rejections[words] += 1
        if self._rejections[words] == _REJECTIONS:
            self._context.stop(
                f"the endpoint rejects every request: {_REJECTIONS} in a row, the last with "
                f"{verdict.reason}"
            )
