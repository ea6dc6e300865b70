"""The queries of a log that can be drawn: one for all ways of writing it, without personal data.

What belongs here: what is left out and why, and which queries count as one. What does not: reading the log
(log_file.py), and the draw (draw_queries.py).
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from relabel_assets.corpus.queries.near_queries import compared
from relabel_assets.progress import Progress, silent

# A longer one is a pasted text. Not measured: half of the queries of web logs have three words or fewer.
MAX_WORDS = 40
TOO_LONG = "too long"
_QUERIES_BETWEEN_REPORTS = 5_000


@dataclass(frozen=True)
class QueryGroup:
    """Queries that differ in case, order of words and punctuation alone, as one.

    `text` is the way of writing that was searched most, and `key` what all ways have in common.
    """

    key: str
    text: str
    n_searches: int


@dataclass(frozen=True)
class Groups:
    """The groups, most searches first, and the searches that were left out by reason."""

    groups: list[QueryGroup]
    left_out: dict[str, int]


def groups_of(
    searches: Mapping[str, int],
    personal: Callable[[str], Iterable[str]],
    *,
    least_searches: int = 1,
    progress: Progress = silent,
) -> Groups:
    """The groups of the queries in `searches`. `personal` names the kinds of personal data in a text.

    A query with personal data is left out, and not only that part of it: what is around may tell as much.
    Groups with fewer than `least_searches` are left out too, as what one person alone has typed.

    >>> groups = groups_of({"VPN setup": 2, "setup vpn": 1, "ana@x.org": 4}, lambda text:
    ...                    ["emails"] if "@" in text else [])
    >>> groups.groups, groups.left_out
    ([QueryGroup(key='setup vpn', text='VPN setup', n_searches=3)], {'emails': 4})
    """
    left_out, written = Counter[str](), defaultdict[str, Counter[str]](Counter)
    for done, (text, n) in enumerate(searches.items()):
        if done % _QUERIES_BETWEEN_REPORTS == 0:
            progress("looking for personal data, queries", done, len(searches))
        reason = _reason(text, personal)
        if reason:
            left_out[reason] += n
        elif n:
            written[compared(text)][text] += n
    groups = []
    for key, ways in written.items():
        total = ways.total()
        if total < least_searches:
            left_out[f"searched fewer than {least_searches} times"] += total
            continue
        # The most frequent; of equals the first of the alphabet, so that the log's order does not matter.
        text = min(ways, key=lambda way: (-ways[way], way))
        groups.append(QueryGroup(key, text, total))
    return Groups(sorted(groups, key=lambda group: (-group.n_searches, group.key)), dict(left_out))


def _reason(text: str, personal: Callable[[str], Iterable[str]]) -> str:
    """Why a query cannot be drawn; empty if it can."""
    if len(text.split()) > MAX_WORDS or len(text) > MAX_WORDS * 12:
        return TOO_LONG
    return min(personal(text), default="")
