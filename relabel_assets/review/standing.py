"""The standing of reviews: which action on each pair counts after later ones and undos.

What belongs here: the rule. What does not: lines and files (review.py, store.py).
"""

from collections.abc import Iterator

from relabel_assets.review.review import Review

Pair = tuple[str, str]  # query_id, doc_id


class Standing:
    """The actions of a file so far, in order.

    The last action on a pair that was not undone counts. An undo takes the assessor's last action on its
    pair back, and then the one before counts again.

    >>> from datetime import UTC, datetime
    >>> standing, now = Standing(), datetime(2026, 5, 4, tzinfo=UTC)
    >>> for action, grade in (("grade", 2), ("grade", 3), ("undo", None)):
    ...     _ = standing.add(Review(action, "q1", "d1", "ana", now, grade=grade))
    >>> standing.of("ana", ("q1", "d1")).grade
    2
    """

    def __init__(self) -> None:
        self._stacks: dict[tuple[str, Pair], list[Review]] = {}
        self._pairs: dict[str, list[Pair]] = {}  # of each assessor, in the order of actions
        self._request_ids: set[str] = set()

    def has(self, request_id: str) -> bool:
        """Whether an action with this id was added."""
        return request_id in self._request_ids

    def add(self, review: Review) -> bool:
        """Add the next action. False for one whose id was added before: it does not count."""
        if review.request_id is not None:
            if review.request_id in self._request_ids:
                return False
            self._request_ids.add(review.request_id)
        pair = (review.query_id, review.doc_id)
        stack = self._stacks.setdefault((review.assessor, pair), [])
        pairs = self._pairs.setdefault(review.assessor, [])
        if review.action != "undo":
            stack.append(review)
            pairs.append(pair)
        elif stack:
            stack.pop()
            del pairs[len(pairs) - 1 - pairs[::-1].index(pair)]
        return True

    def of(self, assessor: str, pair: Pair) -> Review | None:
        """The action of `assessor` that counts for `pair`."""
        stack = self._stacks.get((assessor, pair))
        return stack[-1] if stack else None

    def last(self, assessor: str) -> Review | None:
        """The last action of `assessor` on any pair that was not undone."""
        pairs = self._pairs.get(assessor)
        return self.of(assessor, pairs[-1]) if pairs else None

    def current(self) -> Iterator[Review]:
        """The action that counts of each assessor and pair."""
        for stack in self._stacks.values():
            if stack:
                yield stack[-1]
