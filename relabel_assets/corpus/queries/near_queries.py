"""Near duplicates among queries: what is compared of a text, and which texts are nearly the same.

What belongs here: the rule, and finding such texts among many. What does not: what follows for splits
(splits.py), for written queries (teacher/queries/) and for logs (query_log/).

Every pair that may be near is compared, so that no near duplicate leaks from the benchmark. So the time
grows with the square of the number of queries with the same numbers. MinHash would be faster, and lose some.
"""

import heapq
import zlib
from collections import defaultdict
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import fuzz, process

from relabel_assets.intake.words import has_digit, lower_words, separated

# rapidfuzz's ratio of two texts as `compared` gives them, 0-100. Word order and punctuation do not count:
# "parental leave, SE" and "se parental leave" are 100. 90 is not measured: in a query of 20
# characters it allows two to differ, such as a plural and a typing error.
NEAR_DUPLICATE = 90
# Texts whose lengths differ by more have a lower ratio: 2 * 9 / (9 + 11) is 0.9.
_MOST_TIMES_AS_LONG = 11 / 9
# Compared at a time with all texts: 500 x 100,000 scores of one byte take 50 MB.
_TEXTS_A_BLOCK = 500
# The time of a ratio grows with the square of the length. Two texts of 3,000 characters take 0.2 ms, so
# 1,000 such queries took three minutes. A longer text is therefore compared by a sample of its words.
_LONGEST_COMPARED = 128  # characters of its words. rapidfuzz compares up to 128 three times as fast
_WORDS_COMPARED, _LONGEST_WORD = 12, 12  # of a sample: it is about as long as a query. Not measured


def normalised(text: str) -> str:
    """The lower-cased words of `text`, one space between them, without punctuation.

    >>> normalised("Parental leave, SE!")
    'parental leave se'
    """
    return " ".join(lower_words(text))


def compared(text: str) -> str:
    """What is compared of a text: its normalised words in alphabetical order, or a sample of them.

    >>> compared("Parental leave, SE!")
    'leave parental se'
    """
    # A text of emoji or punctuation alone has no words. It is near no other than its like.
    words = lower_words(text) or text.split()
    if sum(map(len, words)) > _LONGEST_COMPARED:
        words = _sample(words)
    return " ".join(sorted(words))


def _sample(words: Sequence[str]) -> list[str]:
    """The words with the lowest hashes, so that similar texts have similar samples (Broder 1997).

    A longer word counts as several, and scripts without spaces have words of their own. All words with a
    digit are one, so that none is left out.
    """
    spaced, unspaced = separated(" ".join(words))
    numbers = _numbers(spaced)
    pieces = {
        word[start : start + _LONGEST_WORD]
        for word in {*spaced.split(), *unspaced} - {*numbers}
        for start in range(0, len(word), _LONGEST_WORD)
    }
    sample = heapq.nsmallest(_WORDS_COMPARED, pieces, key=_hash)
    return [*sample, f"{_hash(' '.join(numbers)):010}"] if numbers else sample


def _hash(text: str) -> int:
    return zlib.crc32(text.encode())


def _numbers(text: str) -> tuple[str, ...]:
    """The words of `text` with a digit, sorted: error codes, versions, years.

    >>> _numbers("0x8007 error 2023"), _numbers("第123条")
    (('0x8007', '2023'), ('123',))
    """
    if not has_digit(text):
        return ()
    return tuple(sorted(word for word in separated(text)[0].split() if has_digit(word)))


def near_duplicates(left: Sequence[str], right: Sequence[str]) -> Iterator[tuple[int, NDArray]]:
    """(index in `left`, indices in `right`) of each text that has near duplicates, in any order.

    Texts whose words with a digit differ are none: "error 0x8007" and "error 0x8005" are different queries.
    So only texts with the same of these words are compared. Both hold texts as `compared` gives them. If both
    are the same list, a pair may come in one order alone. Leave out equal texts first: each costs as much as
    any other.

    >>> list(near_duplicates(["reset vpn token"], ["reset vpn tokens", "x"]))
    [(0, array([0]))]
    """
    rows_left = _rows_by_numbers(left)
    rows_right = rows_left if left is right else _rows_by_numbers(right)
    for numbers in rows_left.keys() & rows_right.keys():
        yield from _near_texts(left, rows_left[numbers], right, rows_right[numbers])


def _rows_by_numbers(texts: Sequence[str]) -> dict[tuple[str, ...], list[int]]:
    """The indices of `texts` with the same words with a digit, shorter texts first."""
    rows = defaultdict[tuple[str, ...], list[int]](list)
    for row in sorted(range(len(texts)), key=lambda index: len(texts[index])):
        rows[_numbers(texts[row])].append(row)
    return rows


def _near_texts(
    left: Sequence[str], order: Sequence[int], right: Sequence[str], rows: Sequence[int]
) -> Iterator[tuple[int, NDArray]]:
    """`near_duplicates` of the texts `order` of `left` among `rows` of `right`, both by length."""
    others = np.array(rows, dtype=np.int64)
    lengths = np.array([len(right[index]) for index in others])
    for start in range(0, len(order), _TEXTS_A_BLOCK):
        block = order[start : start + _TEXTS_A_BLOCK]
        shortest, longest = len(left[block[0]]), len(left[block[-1]])
        first, end = np.searchsorted(
            lengths, (int(shortest / _MOST_TIMES_AS_LONG), int(longest * _MOST_TIMES_AS_LONG) + 1)
        )
        compared_with = others[start if order is rows else first : end]
        scores = process.cdist(
            [left[index] for index in block],
            [right[index] for index in compared_with],
            scorer=fuzz.ratio,
            score_cutoff=NEAR_DUPLICATE,
            dtype=np.uint8,
            workers=-1,
        )
        for row, near in zip(block, scores, strict=True):
            if near.any():
                yield row, compared_with[np.flatnonzero(near)]
