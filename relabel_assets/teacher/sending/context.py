"""The context of a run, live or in batches: settings, ledger, dialects, budget, notices.

What belongs here: answering a request from the ledger, making the exchange that ends it, counting.
What does not: sending live (attempts.py) or in batches (batch/rounds.py).
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.intake.one_input import INPUT_ERRORS, reason_of
from relabel_assets.teacher.cut_prompts import RAISE_THE_CONTEXT, why_cut
from relabel_assets.teacher.exchange import Exchange, ExchangeStatus, Read
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Line, RequestMetadata, now
from relabel_assets.teacher.prices import Price
from relabel_assets.teacher.replies import ParsedReply
from relabel_assets.teacher.requests import Outgoing, TeacherRequest
from relabel_assets.teacher.sending.dialects import Dialects
from relabel_assets.teacher.sending.limits import Budget
from relabel_assets.teacher.sending.retry_settings import RetrySettings
from relabel_assets.teacher.verdict import judge

# Replies that stop a run if all were cut. Not measured: a few long documents may come first.
_CUT_REPLIES = 5
# Limits on tokens, the latest first, in which a reply is looked up: each costs a hash of the request.
_MOST_LIMITS = 8


class Notices(list[str]):
    """Messages for people, each once.

    >>> notices = Notices()
    >>> notices.say("the price is unknown")
    >>> notices.say("the price is unknown")
    >>> notices
    ['the price is unknown']
    """

    def say(self, notice: str) -> None:
        """Add `notice`, unless it is empty or already there."""
        if notice and notice not in self:
            self.append(notice)


def cut_reply(cut: str) -> ParsedReply:
    """The parsed reply to a prompt that was `cut`: no grade, and the way out.

    >>> cut_reply("the endpoint read 1,026 tokens").status
    'failed'
    """
    return ParsedReply("failed", f"{cut}: {RAISE_THE_CONTEXT}", is_cut=True)


@dataclass
class SendingContext:
    """One run for one corpus and one purpose. `parse` parses the body of an answer: call `read`."""

    config: TeacherConfig
    corpus: str
    purpose: str
    endpoint_name: str
    ledger: Ledger
    dialects: Dialects
    parse: Read
    retry_settings: RetrySettings = field(default_factory=RetrySettings)
    prices: Mapping[str, Price | None] = field(default_factory=dict)
    budget: Budget = field(default_factory=lambda: Budget(None))
    counts: Counter[str] = field(default_factory=Counter)
    notices: Notices = field(default_factory=Notices)
    on_wait: Callable[[str], None] = lambda note: None  # gets the reason for a long wait
    stop_reason: str | None = None  # why nothing more is sent
    n_cut: int = 0  # replies of this run that were cut, or whose prompt was
    n_usable: int = 0  # replies with an answer or a refusal, those from the ledger included

    def read(self, outgoing: Outgoing, body: Any) -> ParsedReply:
        """The parsed reply in `body`, the answer to `outgoing`; failed if its prompt was cut."""
        cut = self.why_cut(outgoing, body)
        return cut_reply(cut) if cut else self.read_whole(body)

    def read_whole(self, body: Any) -> ParsedReply:
        """The parsed reply in `body`, whose prompt was not cut.

        An exception of the parser costs that reply alone.
        """
        try:
            return self.parse(body)
        except INPUT_ERRORS as error:
            return ParsedReply("unparseable", f"the reply cannot be parsed: {reason_of(error)}")

    def read_line(self, outgoing: Outgoing, line: Line) -> ParsedReply:
        """The parsed reply in `line`, the answer to `outgoing`. What it says of its prompt counts.

        For it was said when the answer came. The endpoint's context may be longer now.
        """
        assert line.response is not None
        if line.metadata.cut and self.config.is_prompt_checked:
            return cut_reply(line.metadata.cut)
        return self.read(outgoing, line.response.body)

    def why_cut(self, outgoing: Outgoing, body: Any) -> str | None:
        """Why the prompt of `outgoing`, answered with `body`, is believed to be cut; None if it is not."""
        if not self.config.is_prompt_checked:
            return None
        largest_count = self.ledger.largest_prompt(outgoing.request.model, self.endpoint_name)
        return why_cut(outgoing.body, body, largest_count)

    def find(self, index: int, request: TeacherRequest) -> Exchange | Outgoing:
        """The exchange that the ledger has for `request`; else the Outgoing to send for it."""
        outgoing = Outgoing.of(request, self.dialects.current(request.model))
        return self.replay(index, outgoing) or outgoing

    def replay(self, index: int, outgoing: Outgoing) -> Exchange | None:
        """The exchange of an answer in the ledger, in any version; None without a usable answer."""
        for version in self._versions(outgoing):
            for line in self.answers(version.key):
                assert line.response is not None
                if judge(line.response.status_code, line.response.body).action != "use":
                    continue
                parsed = self.read_line(version, line)
                if parsed.status == "ok":
                    self.n_usable += 1
                    return self.ended(index, version, "ok", None, line, parsed, is_replayed=True)
        return None

    def _versions(self, outgoing: Outgoing) -> Iterator[Outgoing]:
        """`outgoing` in each dialect, and with each token limit that the ledger has an answer to.

        A limit cuts a reply and changes nothing else: who raises it pays for the cut replies alone.
        """
        dialects = self.dialects.lookup_order(outgoing.request.model)
        yield from map(outgoing.in_dialect, dialects)
        if outgoing.token_limit is None:
            return
        limits = self.ledger.token_limits(outgoing.request.model, self.endpoint_name)
        for limit in limits[:_MOST_LIMITS]:
            if limit != outgoing.token_limit:
                yield from map(outgoing.with_token_limit(limit).in_dialect, dialects)

    def answers(self, key: str) -> Iterator[Line]:
        """The answers of `key` that this corpus may use, newest first.

        They are its own, those that other corpora got from the same endpoint, and those in files that
        people put into the ledger. At another endpoint, the same name may be another model.
        """
        for line in self.ledger.answers(key):
            corpus, endpoint = line.metadata.corpus, line.metadata.endpoint
            is_unmarked = not corpus and not endpoint
            if corpus == self.corpus or endpoint == self.endpoint_name or is_unmarked:
                yield line

    def ended(
        self,
        index: int,
        outgoing: Outgoing,
        status: ExchangeStatus,
        reason: str | None,
        line: Line | None = None,
        parsed: ParsedReply | None = None,
        *,
        is_replayed: bool = False,
    ) -> Exchange:
        """The exchange of `outgoing`, with the attempts and the cost of its key so far."""
        history = self.ledger.history(outgoing.key)
        return Exchange(
            index,
            outgoing.request,
            outgoing.key,
            status,
            reason,
            history.attempts,
            history.cost_usd,
            line,
            parsed,
            is_replayed,
        )

    def metadata(self, outgoing: Outgoing) -> RequestMetadata:
        """The ledger's metadata of `outgoing`, sent now."""
        return RequestMetadata(
            self.corpus,
            self.purpose,
            outgoing.request.model,
            self.endpoint_name,
            outgoing.dialect_name,
            now(),
            asked_together=outgoing.asked_together,
            token_limit=outgoing.token_limit,
        )

    def count(self, exchange: Exchange) -> None:
        """Count `exchange` in `counts`."""
        self.counts[exchange.status] += 1
        self.counts["replayed"] += exchange.is_replayed

    def stop_if_all_are_cut(self, parsed: ParsedReply) -> None:
        """Count a reply that arrived in this run, and stop the run if all so far were cut.

        A prompt or a reply that is cut would be cut again, and is paid for. With usable replies in the
        ledger, only the few requests may be left that are cut each time: they must not stop the others.
        """
        self.n_cut += parsed.is_cut
        self.n_usable += parsed.status in ("ok", "refused")
        if parsed.is_cut and parsed.status == "failed":
            self.notices.say(f"{self.endpoint_name} cuts long prompts: {RAISE_THE_CONTEXT}")
        if self.n_cut == _CUT_REPLIES and self.n_usable == 0:
            self.stop(f"every reply was cut, the last because {parsed.reason}")

    def stop(self, reason: str) -> None:
        """Send nothing more; the remaining requests end as failed, with this reason."""
        if self.stop_reason is None:
            self.stop_reason = reason
            self.notices.say(f"stopped early: {reason}. Running again continues from here.")
