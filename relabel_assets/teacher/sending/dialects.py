"""Which dialect to speak to a model, and in which ones it may have answered before.

What belongs here: the choice, from what the ledger remembers and what the endpoint refuses now. What does not: the
dialects themselves (core/requests.py).
"""

from collections.abc import Mapping
from typing import Any

from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.requests import Dialect, dialect_named


class Dialects:
    """The dialects of the models at one endpoint, during one run."""

    def __init__(self, ledger: Ledger, endpoint: str) -> None:
        self._ledger = ledger
        self._endpoint = endpoint
        self._by_model: dict[str, list[Dialect]] = {}
        self._answered: set[tuple[str, Dialect]] = set()

    def known(self, model: str) -> list[Dialect]:
        """Those to look up in the ledger; the first is the one to send in: what worked last at this endpoint."""
        if model not in self._by_model:
            here = [dialect_named(name) for name in self._ledger.dialects(model, self._endpoint)]
            anywhere = [dialect_named(name) for name in self._ledger.dialects(model)]
            found = [dialect for dialect in [*here[:1], Dialect(), *here, *anywhere] if dialect is not None]
            self._by_model[model] = list(dict.fromkeys(found))
        return self._by_model[model]

    def current(self, model: str) -> Dialect:
        return self.known(model)[0]

    def answered(self, model: str, dialect: Dialect) -> None:
        """Remember that `dialect` is understood: what is refused from now on is the request's own fault."""
        self._answered.add((model, dialect))

    def concede(self, model: str, dialect: Dialect, complaint: str, body: Mapping[str, Any]) -> str | None:
        """After `body`, in `dialect`, was refused with `complaint`: None if that is final; else ask again in the
        current dialect. The text is what to tell people, and empty if another request has found out already."""
        if self.current(model) != dialect:
            return ""
        weaker = dialect.without(complaint, body)
        if weaker is None or (model, dialect) in self._answered:
            return None
        self._by_model[model] = list(dict.fromkeys([weaker, *self.known(model)]))
        return f"{model} at {self._endpoint} does not take {dialect.name}: going on with {weaker.name}"
