"""Bundles: the questions that one request of the Decisions API asks together.

What belongs here: which questions share a request. What does not: the request (decision_requests.py) and
sending it (sending/together.py).

Questions about the same input, asked one after another, share a request. So the pairs come in the order
of their inputs (teacher/questions.py). Requests of another API are alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from relabel_assets.teacher.decisions.decision_requests import DecisionRequest
from relabel_assets.teacher.requests import Outgoing, estimate_tokens

# Of a request, estimated. Not measured. OpenAI's model takes a million. A larger request saves little,
# because the input is a small part of it by then, and costs more when it fails.
MAX_TOKENS = 60_000


class Asked(NamedTuple):
    """A question with its position in the caller's requests."""

    position: int
    outgoing: Outgoing


@dataclass
class _Open:
    """A bundle that may still grow, with its estimated tokens."""

    bundle: list[Asked]
    tokens: int


@dataclass
class Bundler:
    """Groups questions into bundles of at most `max_questions` and `max_tokens`.

    >>> bundler = Bundler(max_questions=2)
    >>> request = DecisionRequest("m", "a document", ({"levels": []},))
    >>> [len(bundler.add(Asked(position, Outgoing.of(request)))) for position in range(3)]
    [0, 1, 0]
    >>> [[asked.position for asked in bundle] for bundle in bundler.rest()]
    [[2]]
    """

    max_questions: int
    max_tokens: int = MAX_TOKENS
    _open: dict[str, _Open] = field(default_factory=dict)  # by model: those of a panel come in turn

    def add(self, asked: Asked) -> list[list[Asked]]:
        """The bundles that are complete after `asked`."""
        request = asked.outgoing.request
        if not isinstance(request, DecisionRequest):
            return [[asked]]
        complete: list[list[Asked]] = []
        tokens, opened = asked.outgoing.prompt_tokens, self._open.get(request.model)
        if opened is not None:
            more = tokens - estimate_tokens(request.input)
            first = opened.bundle[0].outgoing.request
            is_shared = isinstance(first, DecisionRequest) and first.input == request.input
            if is_shared and opened.tokens + more <= self.max_tokens:
                opened.bundle.append(asked)
                opened.tokens += more
            else:
                complete.append(opened.bundle)
                opened = None
        if opened is None:
            opened = self._open[request.model] = _Open([asked], tokens)
        if len(opened.bundle) >= self.max_questions:
            complete.append(self._open.pop(request.model).bundle)
        return complete

    def rest(self) -> Iterator[list[Asked]]:
        """The bundles that are still open."""
        while self._open:
            yield self._open.popitem()[1].bundle
