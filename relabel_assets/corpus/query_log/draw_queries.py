"""The draw: queries of the head, the torso and the tail of a log, each with the searches it stands for.

What belongs here: strata, the number of queries from each, chances and weights. What does not: what can be
drawn (groups.py).

The groups are ordered by their searches. The head are those with the first third of all searches, the torso
those with the second, the tail the rest. In a log a few queries make the head and nearly all are tail, so
that a plain draw of queries would be tail alone, and a plain draw of searches hardly any.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from relabel_assets.corpus.queries.near_queries import compared, near_duplicates
from relabel_assets.corpus.query_log.groups import QueryGroup

STRATA = ("head", "torso", "tail")


@dataclass(frozen=True)
class DrawnQuery:
    """A query of the sample. `weight`: the searches of the log that it stands for."""

    query_id: str
    text: str
    stratum: str
    n_searches: int
    inclusion_prob: float
    weight: float


@dataclass(frozen=True)
class Stratum:
    """The queries and searches of a stratum in the log."""

    name: str
    groups: Sequence[QueryGroup]

    @property
    def n_searches(self) -> int:
        return sum(group.n_searches for group in self.groups)


def strata_of(groups: Sequence[QueryGroup]) -> list[Stratum]:
    """The strata of `groups`, which come with the most searches first.

    A query that was searched once is tail. A stratum without a query is left out.

    >>> groups = [QueryGroup(str(n), str(n), n) for n in (6, 3, 2, 1, 1, 1, 1)]
    >>> [(stratum.name, len(stratum.groups)) for stratum in strata_of(groups)]
    [('head', 1), ('torso', 2), ('tail', 4)]
    """
    total, before = sum(group.n_searches for group in groups), 0
    members: dict[str, list[QueryGroup]] = {name: [] for name in STRATA}
    for group in groups:
        # A query belongs where its first search is.
        third = min(3 * before // total, 2)
        members["tail" if group.n_searches == 1 else STRATA[third]].append(group)
        before += group.n_searches
    return [Stratum(name, its) for name, its in members.items() if its]


def draw(groups: Sequence[QueryGroup], n: int, *, seed: int) -> list[DrawnQuery]:
    """`n` queries of `groups`, or all of fewer: as many from each stratum, as far as it has them.

    Within a stratum each query has the same chance. A weight is the searches of the query over its chance
    (Horvitz and Thompson 1952), so weighted means over the sample estimate means over the searches of the
    log. Near duplicates within the sample become one query, with the weights of both.

    Queries are taken in the order of a hash of seed and query: a larger `n` adds queries and takes none out.

    >>> groups = [QueryGroup("vpn", "vpn", 90), *(QueryGroup(c, c * 4, 1) for c in "abcdefghi")]
    >>> drawn = draw(groups, 4, seed=13)
    >>> [(query.stratum, query.weight) for query in drawn]
    [('head', 90.0), ('tail', 3.0), ('tail', 3.0), ('tail', 3.0)]
    """
    strata, drawn = strata_of(groups), list[DrawnQuery]()
    sizes = _sizes([len(stratum.groups) for stratum in strata], n)
    for stratum, size in zip(strata, sizes, strict=True):
        if not size:
            continue
        chance = size / len(stratum.groups)
        hashed = sorted(stratum.groups, key=lambda group: _hash(f"{seed}:{group.key}"))
        for group in sorted(hashed[:size], key=lambda group: (-group.n_searches, group.key)):
            query_id = f"log-{_hash(group.key)[:12]}"
            weight = group.n_searches / chance
            drawn.append(
                DrawnQuery(query_id, group.text, stratum.name, group.n_searches, chance, weight)
            )
    return _without_near_duplicates(drawn)


def effective_size(queries: Sequence[DrawnQuery]) -> float:
    """The number of equally weighted queries that say as much as these (Kish 1965).

    >>> one = DrawnQuery("q", "vpn", "head", 3, 1.0, 3.0)
    >>> effective_size([one, one])
    2.0
    """
    weights = np.array([query.weight for query in queries])
    return float(weights.sum() ** 2 / (weights**2).sum())


def _sizes(available: Sequence[int], n: int) -> list[int]:
    """Of `n` an equal number for each stratum, the first ones one more; what one lacks goes to the others.

    >>> _sizes([2, 10, 100], 30)
    [2, 10, 18]
    """
    sizes = [0] * len(available)
    left = min(n, sum(available))
    while left:
        open_ones = [index for index, size in enumerate(sizes) if size < available[index]]
        share, rest = divmod(left, len(open_ones))
        for position, index in enumerate(open_ones):
            more = min(share + (position < rest), available[index] - sizes[index])
            sizes[index] += more
            left -= more
    return sizes


def _without_near_duplicates(drawn: list[DrawnQuery]) -> list[DrawnQuery]:
    """`drawn` without near duplicates of an earlier query, which takes over their weights."""
    keys = [compared(query.text) for query in drawn]
    first = list(range(len(drawn)))  # the query that stands for each
    for index, others in near_duplicates(keys, keys):
        for other in map(int, others):
            low, high = sorted((first[index], first[other]))
            first = [low if its == high else its for its in first]
    weights = [0.0] * len(drawn)
    for index, query in enumerate(drawn):
        weights[first[index]] += query.weight
    return [
        replace(query, weight=weights[index])
        for index, query in enumerate(drawn)
        if first[index] == index
    ]


def _hash(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
