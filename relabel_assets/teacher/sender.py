"""Sending requests: each one once, and none that the ledger answers.

What belongs here: the choice of live, batch or offline; the lock of the corpus; prices and the
budget. What does not: the questions and the parser of their replies (questions.py), live sending
(sending/live.py) and batches (batch/rounds.py).
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing

from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import ConfigError, TeacherError
from relabel_assets.teacher.batch.pending import PendingBatches
from relabel_assets.teacher.batch.rounds import BatchRounds
from relabel_assets.teacher.batch.shipping import Shipping
from relabel_assets.teacher.exchange import Exchange, OnExchange, Read
from relabel_assets.teacher.http.credentials import base_url_of
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.prices import Price, Usage, price_of
from relabel_assets.teacher.requests import Outgoing, TeacherRequest
from relabel_assets.teacher.sending.context import Notices, SendingContext
from relabel_assets.teacher.sending.dialects import Dialects
from relabel_assets.teacher.sending.endpoint import endpoint_name
from relabel_assets.teacher.sending.event_loop import run_to_end
from relabel_assets.teacher.sending.limits import Budget
from relabel_assets.teacher.sending.live import send_live
from relabel_assets.teacher.sending.retry_settings import RetrySettings

_OFFLINE = "not sent: teacher.mode is offline. `relabel requests export` writes what is missing"


class Sender:
    """Sends the requests of one corpus and one `purpose` (grading, queries).

    `counts` has the number of exchanges by status, and of requests "sent" and "replayed".
    `budget.spent_usd` is the spend of this run. `notices` are messages for people.
    """

    def __init__(
        self,
        ledger: Ledger,
        config: TeacherConfig,
        *,
        corpus: str,
        purpose: str,
        retry_settings: RetrySettings | None = None,
    ) -> None:
        self.ledger, self.config, self.corpus, self.purpose = ledger, config, corpus, purpose
        self.retry_settings = retry_settings or RetrySettings()
        self.counts: Counter[str] = Counter()
        self.notices = Notices()
        self.budget = Budget(None)
        self.wait_note: Callable[[str], None] = lambda note: None  # gets the reason for a long wait

    def send(self, requests: Iterable[TeacherRequest], read: Read, on_exchange: OnExchange) -> None:
        """Call `on_exchange` once for every request, when it ends. `read` parses an answer's body.

        Raises ConfigError, before anything is sent, for a budget with a model whose price is
        unknown. Raises TeacherError if the endpoint denies access or the ledger cannot be written.
        Even then, all received responses are in the ledger.
        """
        if (
            self.config.mode == "offline"
        ):  # no lock: nothing is sent, and another run may be sending
            self.ledger.refresh()
            self._answer_offline(requests, read, on_exchange)
            return
        with self.ledger.sending_for(self.corpus):
            self.notices.extend(self.ledger.notices)
            self.ledger.notices.clear()
            prices = self.prices()
            self.budget = Budget(self._limit_usd(prices))
            context = self._context(read, prices)
            if self.config.mode == "batch":
                # Every round iterates over all requests.
                repeatable = list(requests) if isinstance(requests, Iterator) else requests
                BatchRounds(context, repeatable).run(on_exchange)
                return
            self._refuse_while_a_batch_is_pending(context)
            run_to_end(send_live(context, requests, on_exchange))

    def look_up(
        self, requests: Iterable[TeacherRequest], read: Read
    ) -> Iterator[tuple[TeacherRequest, Outgoing | None]]:
        """Each request with the Outgoing that would be sent for it now. Sends nothing, needs no lock.

        None if the ledger answers it, a pending batch has it, or an earlier request is the same.
        """
        self.ledger.refresh()
        context = self._context(read, {})
        sent_keys = PendingBatches(self.ledger.folder, self.corpus).keys()
        for index, request in enumerate(requests):
            outgoing = context.find(index, request)
            if isinstance(outgoing, Exchange) or outgoing.key in sent_keys:
                yield request, None
            else:
                sent_keys.add(outgoing.key)
                yield request, outgoing

    def prices(self) -> dict[str, Price | None]:
        """The price of each model of the corpus; None if it is unknown."""
        base_url = base_url_of(self.config)
        models = (self.config.model, *self.config.panel)
        return {model: price_of(self.config, model, base_url) for model in models}

    def _context(self, read: Read, prices: dict[str, Price | None]) -> SendingContext:
        name = endpoint_name(self.config)
        return SendingContext(
            self.config,
            self.corpus,
            self.purpose,
            name,
            self.ledger,
            Dialects(self.ledger, name),
            read,
            self.retry_settings,
            prices,
            self.budget,
            self.counts,
            self.notices,
            self.wait_note,
        )

    def _answer_offline(
        self, requests: Iterable[TeacherRequest], read: Read, on_exchange: OnExchange
    ) -> None:
        context = self._context(read, {})
        for index, request in enumerate(requests):
            exchange = context.find(index, request)
            if isinstance(exchange, Outgoing):
                exchange = context.ended(index, exchange, "failed", _OFFLINE)
            context.count(exchange)
            on_exchange(exchange)

    def _refuse_while_a_batch_is_pending(self, context: SendingContext) -> None:
        """Collect the results of ended batches. Raises TeacherError where one has not ended."""
        with closing(Shipping(context)) as shipping:
            is_pending = not shipping.collect(is_patient=False)
        if is_pending:
            raise TeacherError(
                f"a batch of corpus {self.corpus!r} is out, and asking live would pay for its "
                "requests again. Set teacher.mode back to batch until it has come in, or delete "
                f"{shipping.pending.folder} to give it up."
            )

    def _limit_usd(self, prices: dict[str, Price | None]) -> float | None:
        """The most that this run may spend. Earlier unpriced replies are counted at today's price."""
        config = self.config
        if config.run_budget_usd is None and config.budget_usd is None:
            return None
        unpriced = [model for model, price in prices.items() if price is None]
        if unpriced:
            raise ConfigError(
                f"corpus {self.corpus!r} has a budget, and the price of {', '.join(unpriced)} at "
                f"{endpoint_name(config)} is unknown, so it cannot be kept. Set "
                "teacher.price_usd_per_million_tokens: {input: ..., output: ...} in corpus.yaml "
                "(0 and 0 for a server of your own), or remove the budget."
            )
        spend = self.ledger.spend(self.corpus)
        before_usd = spend.usd
        for model, tokens in (spend.unpriced or {}).items():
            price = prices.get(model)
            if price is not None:
                before_usd += price.cost_usd(Usage(*tokens))
        return Budget.limit(config.run_budget_usd, config.budget_usd, before_usd)
