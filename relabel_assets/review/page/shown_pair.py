"""What a browser gets of a pair: its texts, the assessor's own review of it, and nothing else.

What belongs here: the fields of a pair. What does not: which pair is shown (desk.py), and what a text may
hold (shown_text.py).

There is no grade of teacher or student, no rank, no score and no stratum among them: people grade blind.
"""

from typing import Any

from relabel_assets.review.page.shown_text import end_of_piece, marked, neutral
from relabel_assets.review.pairs_to_review import PairsToReview
from relabel_assets.review.review import Review
from relabel_assets.review.standing import Pair
from relabel_assets.tables.vocabulary import DOCUMENT_METADATA

# Characters of a document that are shown at once: some 2,000 words, which take eight minutes to read.
FIRST_PIECE = 12_000
NEXT_PIECE = 50_000
_METADATA_NAMES = {"updated_at": "updated", "doc_type": "type"}


def shown_pair(
    pairs: PairsToReview, pair: Pair, *, place: int, latest: Review | None, review: Review | None
) -> dict[str, Any]:
    """All that the page knows of a pair, at `place` in the order of its assessor.

    `latest` is the assessor's review of it, and `review` the same if it is of the present texts.

    >>> from pathlib import Path
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> texts = {"q1": "leave"}, {"d1": {"title": None, "body": "Ask HR."}}
    >>> pairs = PairsToReview("demo", Path("reviews"), default_rubric(), [("q1", "d1")], *texts)
    >>> shown_pair(pairs, ("q1", "d1"), place=0, latest=None, review=None)["body"]
    {'segments': [('Ask HR.', False)], 'end': 7, 'n_characters': 7}
    """
    query_id, doc_id = pair
    query, document = pairs.queries[query_id], pairs.documents[doc_id]
    metadata = [
        (_METADATA_NAMES.get(name, name), marked(str(document[name]), query))
        for name in DOCUMENT_METADATA
        if document.get(name)
    ]
    return {
        "place": place,
        "query_id": query_id,
        "doc_id": doc_id,
        "content_hash": pairs.content_hash(pair),
        "seen": stamp(latest),
        "query": neutral(query),
        "title": marked(document["title"] or "", query),
        "metadata": metadata,
        "body": piece(pairs, pair, 0, FIRST_PIECE),
        "review": None if review is None else {"action": review.action, "grade": review.grade},
        "note": (latest.note if latest is not None else None) or "",
        "is_changed": latest is not None and review is None,
    }


def piece(pairs: PairsToReview, pair: Pair, start: int, n_characters: int) -> dict[str, Any]:
    """About `n_characters` of a document from `start`, in marked segments; where they end, and of how many.

    >>> from pathlib import Path
    >>> from relabel_assets.prompts.rubric import default_rubric
    >>> texts = {"q1": "leave"}, {"d1": {"title": None, "body": "Ask HR."}}
    >>> pairs = PairsToReview("demo", Path("reviews"), default_rubric(), [("q1", "d1")], *texts)
    >>> piece(pairs, ("q1", "d1"), 4, 100)["segments"]
    [('HR.', False)]
    """
    query_id, doc_id = pair
    body = pairs.documents[doc_id]["body"]
    end = end_of_piece(body, start, n_characters)
    return {
        "segments": marked(body[start:end], pairs.queries[query_id]),
        "end": end,
        "n_characters": len(body),
    }


def stamp(review: Review | None) -> str | None:
    """What tells one review of a pair from another.

    >>> stamp(None) is None
    True
    """
    return None if review is None else review.reviewed_at.isoformat()
