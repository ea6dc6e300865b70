"""Filters on written queries: the reasons to reject one, and the rows of those that are kept.

What belongs here: rejecting what no employee would type, and near duplicates. What does not: asking
for queries (query_requests.py) and their splits (corpus/queries/splits.py).
"""

import hashlib
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import polars as pl
from rapidfuzz import fuzz

from relabel_assets.corpus.queries.near_queries import compared, near_duplicates, normalised
from relabel_assets.corpus.queries.queries import content_hash
from relabel_assets.intake.words import count_words, has_unspaced
from relabel_assets.teacher.queries.query_requests import (
    QueryItem,
    UnreadableQuery,
    WantedQuery,
    WrittenQuery,
)

COLUMNS = (
    "query_id", "text", "intent", "persona", "seed_doc_id", "split", "teacher_model", "prompt_hash",
    "content_hash",
)  # fmt: skip
# The prompt asks for at most 20 words. 200 characters (20 long words) limit text without spaces.
_MAX_WORDS, _MAX_CHARACTERS = 20, 200
# In a row with the body. Not measured: the name of a form or a team fits, a copied sentence does not.
_MAX_SHARED_WORDS = 6
# rapidfuzz's ratio of normalised texts, 0-100. Not measured: at 95, one character in 20 differs.
_TITLE_LIKENESS = 95
_BLOCK = 500  # texts compared among each other at a time: their near duplicates take some megabytes
_SPEAKS_OF_DOCUMENT = re.compile(
    r"\b(this|the above|the given|the following) (document|text|article|page|passage)\b"
)


def reason_to_reject(text: str, document: Mapping[str, Any]) -> str | None:
    """The reason why a query about `document` (title, body) cannot be used; None if it can.

    >>> document = {"title": "Parental leave policy", "body": "Leave lasts sixteen weeks."}
    >>> reason_to_reject("parental leave policy?", document)
    'copies the title'
    """
    words = normalised(text)
    if not words:
        return "empty"
    if count_words(words) > _MAX_WORDS or len(text) > _MAX_CHARACTERS:
        return "too long"
    if _SPEAKS_OF_DOCUMENT.search(text.casefold()):
        return "speaks of the document"
    title = normalised(str(document.get("title") or ""))
    if fuzz.ratio(words, title) >= _TITLE_LIKENESS:
        return "copies the title"
    if _shares_a_run(words, normalised(document["body"]), _MAX_SHARED_WORDS + 1):
        return "copies the body"
    return None


def _shares_a_run(text: str, body: str, n_words: int) -> bool:
    """Whether `body` has `n_words` words of `text` in a row; both are normalised.

    >>> _shares_a_run("how to book a trip", "we know how to book", 3)
    True
    >>> _shares_a_run("育児休暇の期間", "育児休暇の日数", 3), _shares_a_run("育児休暇の期間", "育児休業", 3)
    (False, False)
    """
    if has_unspaced(text):
        # Two characters are about a word, and words begin anywhere.
        characters, spaceless = text.replace(" ", ""), body.replace(" ", "")
        length = 2 * n_words
        runs = (characters[at : at + length] for at in range(len(characters) - length + 1))
        return any(run in spaceless for run in runs)
    words = text.split()
    runs = (" ".join(words[at : at + n_words]) for at in range(len(words) - n_words + 1))
    return any(f" {run} " in f" {body} " for run in runs)


def kept_queries(
    replies: Iterable[tuple[Mapping[str, Any], Sequence[WantedQuery], Sequence[QueryItem]]],
    *,
    teacher_model: str,
    prompt_hash: str,
) -> tuple[pl.DataFrame, Counter[str]]:
    """The kept queries (COLUMNS, with split NULL), and the number of rejected ones by reason.

    `replies`: (document, wanted queries, written queries). Of near duplicates, the first is kept.

    >>> document = {"doc_id": "d1", "title": None, "body": "Leave lasts sixteen weeks."}
    >>> written = [WrittenQuery("messy", "how long leav"), WrittenQuery("messy", "and this")]
    >>> replies = [(document, [WantedQuery("messy")], written)]
    >>> queries, rejected = kept_queries(replies, teacher_model="m", prompt_hash="h")
    >>> queries["text"].to_list(), dict(rejected)
    (['how long leav'], {'more than asked for': 1})
    """
    rows, rejected = [], Counter[str]()
    for document, wanted, written in replies:
        rejected["more than asked for"] += max(0, len(written) - len(wanted))
        for query, wanted_query in zip(written, wanted, strict=False):
            if isinstance(query, UnreadableQuery):
                rejected[query.reason] += 1
                continue
            if reason := reason_to_reject(query.text, document):
                rejected[reason] += 1
                continue
            row = _row(query, wanted_query.persona, document["doc_id"])
            rows.append(row | {"teacher_model": teacher_model, "prompt_hash": prompt_hash})
    repeated = _repeated([row["text"] for row in rows])
    rejected["nearly another query"] += len(repeated)
    kept = [row for index, row in enumerate(rows) if index not in repeated]
    return pl.DataFrame(kept, schema=dict.fromkeys(COLUMNS, pl.String)), +rejected


# 15 hex digits in an id: the chance that two of 100,000 queries share one is below 1 in 200 million.
def _row(query: WrittenQuery, persona: str | None, doc_id: str) -> dict[str, Any]:
    return {
        "query_id": "s" + hashlib.sha256(f"{doc_id}\0{query.text}".encode()).hexdigest()[:15],
        "text": query.text,
        "intent": query.intent,
        "persona": persona,
        "seed_doc_id": doc_id,
        "split": None,
        "content_hash": content_hash(query.text, query.intent, persona, doc_id),
    }


def _repeated(texts: Sequence[str]) -> set[int]:
    """The indices of texts that are near duplicates of an earlier text that is kept."""
    first_index: dict[str, int] = {}
    for index, text in enumerate(texts):
        first_index.setdefault(compared(text), index)
    distinct, firsts = list(first_index), list(first_index.values())
    repeated = set(range(len(texts))) - set(firsts)
    kept: list[str] = []
    for start in range(0, len(distinct), _BLOCK):
        block = distinct[start : start + _BLOCK]
        near_kept = {row for row, _ in near_duplicates(block, kept)}
        # A copy: of a list with itself, a pair may come in one order alone.
        near_in_block = {row: set(rows.tolist()) for row, rows in near_duplicates(block, [*block])}
        kept_rows: set[int] = set()
        for row, text in enumerate(block):
            if row in near_kept or near_in_block[row] & kept_rows:
                repeated.add(firsts[start + row])
            else:
                kept_rows.add(row)
                kept.append(text)
    return repeated
