"""The dialects of each model: the one to speak now, and those it answered in before.

What belongs here: the choice, from the answers in the ledger and from refusals in this run. What
does not: the dialects themselves (requests.py).
"""

from collections.abc import Callable

from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.requests import Dialect, Outgoing, dialect_named


class Dialects:
    """The dialects of the models at one endpoint, during one run."""

    def __init__(self, ledger: Ledger, endpoint: str) -> None:
        self._ledger = ledger
        self._endpoint = endpoint
        self._by_model: dict[str, list[Dialect]] = {}
        self._answered: set[tuple[str, Dialect]] = set()

    def known(self, model: str) -> list[Dialect]:
        """The dialects to look up in the ledger. The first is the one to send in: the last that
        `model` answered in at this endpoint, else the default."""
        if model not in self._by_model:
            here = self._recorded(model, self._endpoint)
            candidates = [*here[:1], Dialect(), *here, *self._recorded(model)]
            self._by_model[model] = list(dict.fromkeys(candidates))
        return self._by_model[model]

    def _recorded(self, model: str, endpoint: str | None = None) -> list[Dialect]:
        """The dialects of answers in the ledger, the latest first."""
        dialects = [dialect_named(name) for name in self._ledger.dialects(model, endpoint)]
        return [dialect for dialect in dialects if dialect is not None]

    def current(self, model: str) -> Dialect:
        return self.known(model)[0]

    def mark_answered(self, model: str, dialect: Dialect) -> None:
        """`model` understands `dialect`: a refusal from now on is the request's own fault."""
        self._answered.add((model, dialect))

    def concede(self, outgoing: Outgoing, complaint: str, say: Callable[[str], None]) -> bool:
        """After `outgoing` was refused with `complaint`: whether to send it again, in the dialect
        that is current then.

        False if the refusal is final: it names no field that could be left out, or the model has
        answered in this dialect. `say` gets the notice of a change.
        """
        model, dialect = outgoing.request.model, outgoing.dialect
        if self.current(model) != dialect:
            return True  # another request found out already
        weaker = dialect.without(complaint, outgoing.body)
        if weaker is None or (model, dialect) in self._answered:
            return False
        self._by_model[model] = list(dict.fromkeys([weaker, *self.known(model)]))
        say(
            f"{model} at {self._endpoint} does not take {dialect.name}: continuing with "
            f"{weaker.name}"
        )
        return True
