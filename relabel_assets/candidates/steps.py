"""Filler documents, so that one changed document does not move the BM25 score of every pair.

What belongs here: the number and the length of fillers. What does not: the index (bm25.py).

BM25 uses two statistics of the whole collection: the number of documents, and the mean length of
each field. Both change with every document, and so would every score. Fillers therefore pad both to
fixed steps, each a fifth above the one before. A filler holds one word, which no query has. Now a
score changes only if a word of the query was added to a document or removed from one, or if the
next step is reached.

Measured: fillers keep scores, but save no requests to the teacher. The table counts new pairs and
changed scores. There are 300 queries, each with ten BM25 and two random documents of 10,000 (the
demo corpora and TREC passages).

| change | new pairs, with fillers | without | score changed, with fillers | without |
|---|---|---|---|---|
| 1 document changed | 0.000 % | 0.009 % | 4 % | 89 % |
| 10 documents changed | 0.168 % | 0.233 % | 31 % | 89 % |
| 100 documents changed | 1.323 % | 1.258 % | 60 % | 88 % |
| 100 documents removed | 1.333 % | 1.081 % | 70 % | 88 % |

All scores change by nearly the same factor, so rankings and pairs mostly stay. The fillers remain
because without them the demo's candidates, and BM25's metrics in its report, would be others.
(`relabel_assets_tests/benchmarks/candidates.py --stability`, mean of 3 draws.)
"""

import math
from collections.abc import Iterator, Mapping

# The id of every filler document, and its only word: a Phoenician letter, which no corpus has.
FILLER = "\U00010900"
# 2 ** (1/4) is a fifth more. Not measured: more steps change scores more often, fewer need more fillers.
_STEPS_PER_DOUBLING = 4


def fillers(n_documents: int, n_words: Mapping[str, int]) -> Iterator[dict[str, str]]:
    """The fields of each filler, for an index of `n_documents` with `n_words` words in each field.

    A field that is empty in all documents stays empty: its mean length cannot change.
    """
    n_fillers = next_step(n_documents) - n_documents
    missing = {name: next_step(count) - count if count else 0 for name, count in n_words.items()}
    for number in range(n_fillers):
        yield {
            name: " ".join([FILLER] * _share(count, number, n_fillers))
            for name, count in missing.items()
        }


def _share(count: int, number: int, n_shares: int) -> int:
    """The size of share `number`, from 0, of `count` words in `n_shares` nearly equal shares."""
    return count * (number + 1) // n_shares - count * number // n_shares


def next_step(count: int) -> int:
    """The smallest step above `count`."""
    exponent = math.floor(_STEPS_PER_DOUBLING * math.log2(max(count, 1)))
    while (step := math.ceil(2 ** (exponent / _STEPS_PER_DOUBLING))) <= count:
        exponent += 1
    return step
