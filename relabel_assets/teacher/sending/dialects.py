"""The dialects of each model: the one to send in, and those that it answered in before.

What belongs here: the choice, by answers in the ledger and refusals in this run. What does not: the
dialects themselves (teacher/requests.py), and what a refusal is about (complaints.py).
"""

from collections.abc import Callable

from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.requests import Dialect, Outgoing, dialect_named
from relabel_assets.teacher.sending.complaints import weaker_dialect
from relabel_assets.teacher.verdict import Verdict


class Dialects:
    """The dialects of the models at one endpoint, during one run."""

    def __init__(self, ledger: Ledger, endpoint: str) -> None:
        self._ledger = ledger
        self._endpoint = endpoint
        self._by_model: dict[str, list[Dialect]] = {}
        self._answered: set[tuple[str, Dialect]] = set()

    def lookup_order(self, model: str) -> list[Dialect]:
        """The dialects in which to look up a request in the ledger. The first is the current one.

        That is the latest in which `model` answered at this endpoint, else the default.
        """
        if model not in self._by_model:
            here = self._recorded(model, self._endpoint)
            candidates = [*here[:1], Dialect(), *here, *self._recorded(model)]
            self._by_model[model] = list(dict.fromkeys(candidates))
        return self._by_model[model]

    def _recorded(self, model: str, endpoint: str | None = None) -> list[Dialect]:
        """The dialects of answers in the ledger, latest first."""
        dialects = [dialect_named(name) for name in self._ledger.dialects(model, endpoint)]
        return [dialect for dialect in dialects if dialect is not None]

    def current(self, model: str) -> Dialect:
        """The dialect to send in."""
        return self.lookup_order(model)[0]

    def mark_answered(self, model: str, dialect: Dialect) -> None:
        """Note that `model` accepts `dialect`: a later refusal concerns that request alone."""
        self._answered.add((model, dialect))

    def concede(self, outgoing: Outgoing, verdict: Verdict, say: Callable[[str], None]) -> bool:
        """Whether to send `outgoing`, refused with `verdict`, again in the then current dialect.

        False if the verdict names no field to leave out, or the model has answered in this dialect.
        `say` gets a notice if the current dialect changes.
        """
        model, dialect = outgoing.request.model, outgoing.dialect
        if self.current(model) != dialect:
            return True  # another request has changed the current dialect
        weaker = weaker_dialect(dialect, verdict.reason or "", verdict.params, outgoing.body)
        if weaker is None or (model, dialect) in self._answered:
            return False
        self._by_model[model] = list(dict.fromkeys([weaker, *self.lookup_order(model)]))
        say(
            f"{model} at {self._endpoint} does not take {dialect.name}: continuing with "
            f"{weaker.name}"
        )
        return True
