"""The one JSON object in a text that a model wrote, behind its thoughts.

What belongs here: the marks around thoughts, strict parsing, and the repairs that cannot change a
value. What does not: which text of a response is the model's (replies.py), and the members of the
object (grading/grade_replies.py, queries/query_requests.py).

Thoughts, prose and a code fence around the object are ignored, unless they have a second object or a
part of one after the last thought. For a reply may quote an object from the document and then be cut
inside its own. Its grade must not come from the quote.
"""

import re
from contextlib import suppress
from typing import Any

from relabel_assets.intake.json_text import checked, decoder, parse_json

# The marks of thoughts, as public models write them and servers without a parser for them pass on:
# <think> Qwen, DeepSeek, GLM, ...; <thinking>, <thought> Claude, Gemini; <seed:think> Seed-OSS;
# [THINK] Magistral; the small triangles Kimi; START_THINKING Command; channels Gemma 4 and gpt-oss.
# The last two lines are gpt-oss: with its special tokens, and without them.
_THOUGHT_BEGINS = re.compile(
    r"<(?:seed:)?(?:think|thinking|thought)>|\[THINK\]|◁think▷|<\|START_THINKING\|>|<\|channel>"
    r"|<\|channel\|>(?:analysis|commentary)"
    r"|\A\s*analysis(?=[A-Z])"
)
_THOUGHT_ENDS = re.compile(
    r"</(?:seed:)?(?:think|thinking|thought)>|\[/THINK\]|◁/think▷|<\|END_THINKING\|>|<channel\|>"
    r"|<\|channel\|>final[^{}\[\]]{0,40}?<\|message\|>"
    r"|assistantfinal"
)
# Places where an object is looked for, from the last: the start of the text, and each end of a thought.
# Not measured: a model that thinks about the marks writes a few. Each costs a pass over the text.
_MOST_STARTS = 10
_BRACKETS = re.compile(r"[{}\[\]]")
_SOURCE = re.compile(r"\[\d{1,3}\]")
# Possessive: spaces are never given back, so that a megabyte of them is read once.
_WHOLE_LIST = re.compile(r"(?s)\s*+\[\s*+(?P<item>\{.*\})\s*+,?+\s*+\]\s*+")
_WHOLE_STRING = re.compile(r'(?s)\s*+"\s*+\{.*\}\s*+"\s*+')
_TRAILING_COMMA = re.compile(r",(?=\s*+[}\]])")
# Of these two, the comma alone is left out: one in a string is text. A string may have no end.
_STRING_OR_TRAILING_COMMA = re.compile(
    r'("(?:[^"\\]|\\.|\\\Z)*+"?)|' + _TRAILING_COMMA.pattern, re.DOTALL
)
_FENCE = "```"


def only_object(text: str) -> dict[str, Any] | None:
    """The only JSON object in `text` after the model's thoughts. It may have prose around it.

    None without an object, with two that differ, or with one and a part of another. Line breaks and other
    control characters in a string stand for themselves, and a comma after the last member counts as none.
    A list that is the whole answer and has one object, or a string of JSON, stands for its object.

    >>> only_object('Sure: {"grade": 2}.')
    {'grade': 2}
    >>> only_object('<think>Is it {"grade": 3}? No.</think>{"grade": 2}')
    {'grade': 2}
    >>> only_object('It says {"grade": 3}, so: {"grade"') is None
    True
    """
    found = _find(text)
    return None if found is None else found[0]


def last_object(text: str) -> dict[str, Any] | None:
    """The only JSON object in `text`, if the text ends with it.

    For reasoning that was sent in place of an answer: an object with words after it was a draft.

    >>> last_object('So it is {"grade": 2}')
    {'grade': 2}
    >>> last_object('Maybe {"grade": 3}? No, less.') is None
    True
    """
    found = _find(text)
    return found[0] if found is not None and found[1].strip() in ("", _FENCE) else None


def without_thoughts(text: str) -> str:
    """What follows the last end of a thought in `text`; nothing if a thought has no end.

    An end may also stand in a string of the answer: so this is for reasons, and not to be parsed.

    >>> without_thoughts("<think>so</think>yes"), without_thoughts("so</think>yes")
    ('yes', 'yes')
    """
    after = _THOUGHT_ENDS.split(text)[-1]
    return "" if _THOUGHT_BEGINS.match(after.lstrip()) else after


def _find(text: str) -> tuple[dict[str, Any], str] | None:
    """The only object in `text`, and the text behind it."""
    text = _unwrapped(text)
    # An end of a thought may also stand in a string of the object, so that the last is not always right.
    starts = [0, *(match.end() for match in _THOUGHT_ENDS.finditer(text))]
    for start in reversed(starts[-_MOST_STARTS:]):
        brace = text.find("{", start)
        if brace < 0:
            continue
        before = text[start:brace]
        if _has_part(before):
            continue
        decoded = _without_repetitions(_decoded(text[brace:]))
        if decoded is not None and not _has_part(decoded[1]):
            return decoded
    return None


def _unwrapped(text: str) -> str:
    """The text in a string of JSON, or in a list around one object; any other text as it is."""
    if match := _WHOLE_LIST.fullmatch(text):
        return match["item"]
    if _WHOLE_STRING.fullmatch(text):
        with suppress(ValueError):
            return str(parse_json(text.strip()))
    return text


def _without_repetitions(
    decoded: tuple[dict[str, Any], str] | None,
) -> tuple[dict[str, Any], str] | None:
    """`decoded` without the same object again behind it: some models write their answer twice."""
    while decoded is not None and decoded[1].lstrip().startswith("{"):
        again = _decoded(decoded[1].lstrip())
        if again is None or again[0] != decoded[0]:
            break
        decoded = again
    return decoded


def _has_part(text: str) -> bool:
    """Whether prose beside an object has a bracket, which may be of another one, or a thought's mark.

    The number of a source, as in "see [1]", is no part of an object.
    """
    return bool(_BRACKETS.search(_SOURCE.sub("", text))) or _has_mark(text)


def _has_mark(text: str) -> bool:
    return bool(_THOUGHT_BEGINS.search(text) or _THOUGHT_ENDS.search(text))


def _decoded(text: str, *, is_repaired: bool = False) -> tuple[dict[str, Any], str] | None:
    """The object that `text` begins with, and the rest of the text; None if it begins with none."""
    try:
        value, end = decoder(_unique_members, is_strict=False).raw_decode(text)
        return checked(value, text[:end]), text[end:]
    except RecursionError:
        return None
    except ValueError:
        if is_repaired or not _TRAILING_COMMA.search(text):
            return None
    return _decoded(_STRING_OR_TRAILING_COMMA.sub(r"\1", text), is_repaired=True)


def _unique_members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The members as a dict. Raises ValueError for a name that occurs twice."""
    members = dict(pairs)
    if len(members) != len(pairs):  # of two grades in one object, neither can be trusted
        raise ValueError("a member occurs twice")
    return members
