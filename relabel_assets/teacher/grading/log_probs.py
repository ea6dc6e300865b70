"""Probabilities of the grades, from the log probabilities that an endpoint gives with a reply's
tokens.

What belongs here: finding the grade's own token and sharing its alternatives out among the grades.
What does not: the grade itself, which is read from the text (replies.py).
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import Any

# Of the probability at the grade's place: below, the alternatives are mostly not grades.
_MIN_SHARE = 0.5
_AT_GRADE = re.compile(r'"grade"\s*:\s*"?\s*$')
_AROUND_DIGIT = '"}, \n:'  # what a token may have beside the digit, in JSON


def grade_probs(logprobs: Any, grade: int, n_grades: int) -> tuple[float, ...] | None:
    """A probability for each grade, from the alternatives to the grade's own token: the first digit
    after `"grade"`.

    None where `logprobs` (of a choice) has no tokens, they do not fit the text, or the alternatives
    are mostly not grades.

    >>> alternatives = [{"token": "2", "logprob": -0.25}, {"token": "1", "logprob": -1.5}]
    >>> token = {"token": "2", "top_logprobs": alternatives}
    >>> [round(prob, 2) for prob in grade_probs({"content": [{"token": '{"grade": '}, token]}, 2, n_grades=4)]
    [0.0, 0.22, 0.78, 0.0]
    """
    tokens = logprobs.get("content") if isinstance(logprobs, Mapping) else None
    if not isinstance(tokens, Sequence):
        return None
    written = ""
    for token in tokens:
        if not isinstance(token, Mapping) or not isinstance(token.get("token"), str):
            return None
        text = token["token"]
        before_digit = re.split(r"[0-9]", text, maxsplit=1)[0]
        if _AT_GRADE.search(written + before_digit) and _digit(text) == str(grade):
            return _shares(token.get("top_logprobs"), n_grades)
        written += text
    return None


def _digit(token: str) -> str:
    return token.strip().strip(_AROUND_DIGIT)


def _shares(alternatives: Any, n_grades: int) -> tuple[float, ...] | None:
    """The probability of each grade among `alternatives`, summing to 1."""
    masses = [0.0] * n_grades
    for alternative in alternatives if isinstance(alternatives, Sequence) else ():
        logprob = alternative.get("logprob") if isinstance(alternative, Mapping) else None
        if not isinstance(logprob, int | float) or logprob > 1e-6:  # rounding may pass 0
            continue
        digit = _digit(str(alternative["token"])) if "token" in alternative else ""
        if re.fullmatch("[0-9]", digit) and int(digit) < n_grades:
            masses[int(digit)] += math.exp(logprob)
    total = math.fsum(masses)  # 1.01: rounding of several alternatives may pass 1
    return tuple(mass / total for mass in masses) if _MIN_SHARE <= total <= 1.01 else None
