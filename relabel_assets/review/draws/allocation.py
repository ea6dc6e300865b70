"""The allocation: how many pairs of a sample each stratum gets.

What belongs here: that rule. What does not: which stratum a pair is in (strata.py), and which pairs of a
stratum are drawn (sampling.py).
"""

import heapq
from collections.abc import Sequence


def allocate(
    sizes: Sequence[int], spreads: Sequence[float], least: Sequence[int], n: int
) -> list[int]:
    """The pairs that each stratum gets: `n` in all, at least its `least` and at most its size.

    `spreads`: the standard deviation of what is asked, by stratum. Neyman's allocation (1934), in which a
    stratum gets pairs in proportion to size x spread, in whole numbers: one pair after the other goes
    where it lowers the variance of the stratified mean most (Wright 2012, "The Equivalence of Neyman
    Optimum Allocation for Sampling and Equal Proportions for Apportioning the U.S. House"). More than `n`
    if `least` alone has more.

    >>> allocate(sizes=[100, 100, 5], spreads=[1.0, 0.5, 1.0], least=[2, 2, 2], n=30)
    [19, 9, 2]
    """
    given = [min(size, few) for size, few in zip(sizes, least, strict=True)]
    heap = [
        (-_gain(size, spread, count), stratum)
        for stratum, (size, spread, count) in enumerate(zip(sizes, spreads, given, strict=True))
        if count < size
    ]
    heapq.heapify(heap)
    for _ in range(n - sum(given)):
        if not heap:
            break
        _, stratum = heapq.heappop(heap)
        given[stratum] += 1
        if given[stratum] < sizes[stratum]:
            gain = _gain(sizes[stratum], spreads[stratum], given[stratum])
            heapq.heappush(heap, (-gain, stratum))
    return given


def _gain(size: int, spread: float, count: int) -> float:
    """How much one pair more than `count` lowers the variance of the total, as its square root."""
    return size * spread / (count * (count + 1)) ** 0.5 if count else float("inf")
