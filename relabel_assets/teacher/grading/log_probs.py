"""Probabilities of the grades, computed from the log probabilities of a reply's tokens.

What belongs here: finding the token of the grade, and the probability of each grade among its
alternatives. What does not: the grade itself, which comes from the text (grade_replies.py).
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

# The least that the grades' probabilities may sum to: below it, most alternatives are not grades.
_MIN_TOTAL = 0.5
_MAX_TOTAL = 1.01  # rounding of several log probabilities may pass 1
# The end of the text before a grade, with one space for each run of white space. 12 characters at most.
_AT_GRADE = re.compile(r'"grade" ?: ?"? ?$')
_LONGEST_LEAD = 12
# e to this is 0, and less cannot be computed from an integer of hundreds of digits.
_LOWEST_LOG_PROB = -1000.0
_AROUND_DIGIT = '"}, \n:'  # characters of JSON that a token may have beside the digit


def grade_probs(logprobs: Any, grade: int, n_grades: int) -> tuple[float, ...] | None:
    """The probability of each grade, from the alternatives to the last `grade` after `"grade"`.

    The last: the tokens of a model's thoughts, with its drafts, may come before those of the reply.
    `logprobs` is that of a choice. None if it has no tokens, none of them is `grade`, or most
    alternatives are not grades.

    >>> alternatives = [{"token": "2", "logprob": -0.25}, {"token": "1", "logprob": -1.5}]
    >>> token = {"token": "2", "top_logprobs": alternatives}
    >>> [round(prob, 2) for prob in grade_probs({"content": [{"token": '{"grade": '}, token]}, 2, n_grades=4)]
    [0.0, 0.22, 0.78, 0.0]
    """
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, Sequence):
        return None
    lead = ""  # the last characters before the token
    alternatives: Any = None
    for token in tokens:
        if not isinstance(token, Mapping) or not isinstance(token.get("token"), str):
            return None
        text = token["token"]
        if _digit(text) == str(grade):
            before_digit = re.split(r"[0-9]", text, maxsplit=1)[0]
            if _AT_GRADE.search(_end_of(lead + before_digit)):
                alternatives = token.get("top_logprobs")
        lead = _end_of(lead + text)
    return _shares(alternatives, n_grades)


def _end_of(text: str) -> str:
    """The last characters of `text`, with one space for each run of white space."""
    return re.sub(r"\s+", " ", text)[-_LONGEST_LEAD:]


def _digit(token: str) -> str:
    return token.strip().strip(_AROUND_DIGIT)


def _shares(alternatives: Any, n_grades: int) -> tuple[float, ...] | None:
    """The probability of each grade among `alternatives`, scaled to sum to 1."""
    masses = [0.0] * n_grades
    for alternative in alternatives if isinstance(alternatives, Sequence) else ():
        logprob = alternative.get("logprob") if isinstance(alternative, Mapping) else None
        if not isinstance(logprob, int | float) or isinstance(logprob, bool):
            continue
        if not _LOWEST_LOG_PROB <= logprob <= 1e-6:  # rounding may pass 0
            continue
        digit = _digit(str(alternative["token"])) if "token" in alternative else ""
        if re.fullmatch("[0-9]", digit) and int(digit) < n_grades:
            masses[int(digit)] += math.exp(logprob)
    total = math.fsum(masses)
    return tuple(mass / total for mass in masses) if _MIN_TOTAL <= total <= _MAX_TOTAL else None
