"""The desk of one assessor: the pair to grade next, and what the assessor does with it.

What belongs here: the rules of the page, as values. What does not: HTTP (server.py), files (store.py,
log.py), and what is shown of a pair (shown_pair.py).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from relabel_assets.corpus.rows import (
    optional_choice,
    optional_text,
    required_grade,
    required_id,
    required_text,
)
from relabel_assets.intake.one_input import SetAside
from relabel_assets.review.log import ReviewLog
from relabel_assets.review.page.shown_pair import NEXT_PIECE, piece, shown_pair, stamp
from relabel_assets.review.pairs_to_review import PairsToReview, in_order_of
from relabel_assets.review.review import ACTIONS, Review
from relabel_assets.review.standing import Pair
from relabel_assets.review.store import append_review

_REQUEST_ID = re.compile(r"[\w-]{1,64}")


class Conflict(Exception):
    """The page shows what is no longer so: it must show the pair anew before it is graded."""


@dataclass(frozen=True)
class Progress:
    """How far an assessor is. `seconds_per_review` is a median, None before the second review."""

    assessor: str
    n_pairs: int
    n_graded: int
    n_skipped: int
    seconds_per_review: float | None
    last_reviewed_at: datetime | None

    @property
    def n_left(self) -> int:
        return self.n_pairs - self.n_graded - self.n_skipped


class Desk:
    """The desk of `assessor`, a name as assessor_name gives it. Desks may share a `log`."""

    def __init__(self, pairs: PairsToReview, log: ReviewLog, assessor: str) -> None:
        self.assessor = assessor
        self._pairs, self._log = pairs, log
        self._order = in_order_of(assessor, pairs.pairs)
        self._places = {pair: place for place, pair in enumerate(self._order)}

    def progress(self) -> Progress:
        """Counts of the pairs. A review of a text that has changed since does not count."""
        reviews = [review for review in map(self._review_of, self._order) if review is not None]
        n_skipped = sum(review.action == "skip" for review in reviews)
        return Progress(
            self.assessor,
            len(self._order),
            len(reviews) - n_skipped,
            n_skipped,
            self._log.seconds_per_review(self.assessor),
            max((review.reviewed_at for review in reviews), default=None),
        )

    def show(
        self, *, at: int | None = None, after: int = -1, skipped: bool = False
    ) -> dict[str, Any]:
        """What the page shows: the progress, and the pair at place `at` of this assessor's order.

        Without `at` it is the first pair without a review after the place `after`, or before it if
        there is none; with `skipped`, the next skipped pair comes first. `pair` is None if there is none.
        """
        with self._log.lock:
            self._log.refresh()
            return self._show(at=at, after=after, skipped=skipped)

    def act(self, request: Mapping[str, Any], *, skipped: bool = False) -> dict[str, Any]:
        """Do what the page asks for, and return what it shows next. The review is then on the disk.

        A request that is on the disk already, because its answer was lost, changes nothing. Raises
        SetAside for a malformed one, Conflict where the pair was reviewed or changed elsewhere since it
        was shown, and CorpusError where the review cannot be written.
        """
        action = optional_choice(request, "action", ACTIONS)
        if action is None:
            raise SetAside("action is missing", f"Allowed: {', '.join(ACTIONS)}.")
        pair = (required_id(request, "query_id"), required_id(request, "doc_id"))
        request_id = required_text(request, "request_id")
        if not _REQUEST_ID.fullmatch(request_id):
            raise SetAside("request_id is malformed", "Letters, digits and - alone.")
        if pair not in self._places:
            raise Conflict("This pair is not in the sample.")
        grade = request.get("grade") if action == "grade" else None
        if action == "grade":
            grade = required_grade(grade, self._pairs.rubric.max_grade)
        note = optional_text(request, "note")
        with self._log.lock:
            self._log.refresh()
            if not self._log.has(self.assessor, request_id):
                self._require_shown(pair, request)
                review = Review(
                    action,
                    *pair,
                    self.assessor,
                    datetime.now(UTC),
                    grade=grade,
                    note=note,
                    content_hash=self._pairs.content_hash(pair),
                    request_id=request_id,
                )
                append_review(self._pairs.folder, review)
                self._log.refresh()
            place = self._places[pair]
            if action == "undo":
                return self._show(at=place)
            return self._show(after=place, skipped=skipped)

    def show_again(self, request: Mapping[str, Any]) -> dict[str, Any]:
        """What the page shows after a Conflict: the pair of `request` as it is now."""
        place = self._places.get((str(request.get("query_id")), str(request.get("doc_id"))))
        return self.show(at=place)

    def piece(self, pair: Pair, start: int) -> dict[str, Any]:
        """The next piece of a document from character `start`. Raises SetAside for an unknown pair."""
        if pair not in self._places:
            raise SetAside("this pair is not in the sample")
        return piece(self._pairs, pair, max(0, start), NEXT_PIECE)

    def _require_shown(self, pair: Pair, request: Mapping[str, Any]) -> None:
        """Raises Conflict unless the page showed the present texts and the present review of `pair`."""
        if request.get("content_hash") != self._pairs.content_hash(pair):
            raise Conflict("The query or the document has changed. Read it again, then grade it.")
        if request.get("seen") != stamp(self._log.of(self.assessor, pair)):
            raise Conflict("You graded this pair in another tab. This is what you gave.")

    def _review_of(self, pair: Pair) -> Review | None:
        """The review of `pair` as it is now; None for one of an earlier text."""
        review = self._log.of(self.assessor, pair)
        is_current = review is not None and review.content_hash in (
            None,
            self._pairs.content_hash(pair),
        )
        return review if is_current else None

    def _show(
        self, *, at: int | None = None, after: int = -1, skipped: bool = False
    ) -> dict[str, Any]:
        if at is None:
            at = self._next_skipped(after) if skipped else None
            at = self._next_open(after) if at is None else at
        else:
            at = min(max(at, 0), len(self._order) - 1)
        progress = self.progress()
        seconds = progress.seconds_per_review
        last = self._log.last(self.assessor)
        return {
            "n_pairs": progress.n_pairs,
            "n_graded": progress.n_graded,
            "n_skipped": progress.n_skipped,
            "n_left": progress.n_left,
            "seconds_left": None if seconds is None else round(seconds * progress.n_left),
            "last": None if last is None else self._named(last),
            "pair": None if at is None else self._shown(at),
        }

    def _shown(self, place: int) -> dict[str, Any]:
        pair = self._order[place]
        latest, review = self._log.of(self.assessor, pair), self._review_of(pair)
        return shown_pair(self._pairs, pair, place=place, latest=latest, review=review)

    def _next_open(self, after: int) -> int | None:
        """The place of the next pair without a review: after `after`, else from the start."""
        n = len(self._order)
        places = (place % n for place in range(after + 1, after + 1 + n))
        return next((p for p in places if self._review_of(self._order[p]) is None), None)

    def _next_skipped(self, after: int) -> int | None:
        for place in range(after + 1, len(self._order)):
            review = self._review_of(self._order[place])
            if review is not None and review.action == "skip":
                return place
        return None

    def _named(self, review: Review) -> dict[str, Any] | None:
        """What an undo needs to know of the last action; None if its pair is no longer asked about."""
        pair = review.query_id, review.doc_id
        if pair not in self._places:
            return None
        return {
            "query_id": review.query_id,
            "doc_id": review.doc_id,
            "content_hash": self._pairs.content_hash(pair),
            "seen": stamp(review),
            "action": review.action,
            "grade": review.grade,
        }


def progress_of_all(pairs: PairsToReview) -> tuple[list[Progress], ReviewLog]:
    """The progress of everybody who has reviewed a pair, sorted by name, and the log it is from.

    >>> from pathlib import Path
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> nobody = PairsToReview("demo", Path("no/reviews"), default_rubric(), [], {}, {})
    >>> progress_of_all(nobody)[0]
    []
    """
    log = ReviewLog(pairs.folder, max_grade=pairs.rubric.max_grade)
    log.refresh()
    return [Desk(pairs, log, assessor).progress() for assessor in log.assessors()], log
