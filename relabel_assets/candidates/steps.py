"""Filler documents, so that one changed document does not move the BM25 score of every pair.

What belongs here: how many fillers an index gets, and how long they are. What does not: the index
(bm25.py).

BM25 reads two statistics of the whole collection: the number of documents, and the mean length of
each field. Both change with every document, so every score would. An index is therefore filled up
to the next of a fixed row of numbers, each a fifth above the one before, with documents of a single
word that no query holds. A score then changes only if a word of the query came into a document or
left one, or if the next number is reached.

Measured: it keeps scores, and saves no questions to the teacher. Of 10,000 documents (the demo
corpora and TREC passages), 300 queries with ten BM25 and two random documents each, pairs asked
again, and pairs whose score moved:

| change | asked again, with fillers | without | score moved, with fillers | without |
|---|---|---|---|---|
| 1 document changed | 0.000 % | 0.009 % | 4 % | 89 % |
| 10 documents changed | 0.168 % | 0.233 % | 31 % | 89 % |
| 100 documents changed | 1.323 % | 1.258 % | 60 % | 88 % |
| 100 documents removed | 1.333 % | 1.081 % | 70 % | 88 % |

All scores move by nearly the same factor, so rankings, and with them pairs, mostly stay. Without
fillers other pairs of the demo would be candidates, and BM25's figures would be others.
(`relabel_assets_tests/benchmarks/candidates.py --stability`, mean of 3 draws.)
"""

import math
from collections.abc import Iterator, Mapping

FILLER = "\U00010900"  # a Phoenician letter: the id of every filler document, and its only word
_STEPS_PER_DOUBLING = 4  # 2 ** (1/4) is a fifth more


def fillers(n_documents: int, n_words: Mapping[str, int]) -> Iterator[dict[str, str]]:
    """The fields of each filler document, for an index of `n_documents` with `n_words` words in
    each field.

    A field that is empty in all documents stays empty: it has no mean length that could change.
    """
    n_fillers = next_step(n_documents) - n_documents
    missing = {name: next_step(count) - count if count else 0 for name, count in n_words.items()}
    for number in range(n_fillers):
        yield {
            name: " ".join([FILLER] * _share(count, number, n_fillers))
            for name, count in missing.items()
        }


def _share(count: int, number: int, n_shares: int) -> int:
    """Part `number` of `count` things divided as evenly as whole numbers allow."""
    return count * (number + 1) // n_shares - count * number // n_shares


def next_step(count: int) -> int:
    """The smallest step above `count`."""
    exponent = math.floor(_STEPS_PER_DOUBLING * math.log2(max(count, 1)))
    while (step := math.ceil(2 ** (exponent / _STEPS_PER_DOUBLING))) <= count:
        exponent += 1
    return step
