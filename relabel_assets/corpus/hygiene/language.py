"""The language of a document.

What belongs here: which language a text is in, by py3langid. What does not: how a language changes the
words of a search (candidates/).
"""

from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from py3langid.langid import LanguageIdentifier

# The start of a document tells its language. 1,000 characters take a third of a millisecond.
_CHARACTERS = 1_000
_MIN_LETTERS = 20  # not measured: a shorter text is a name or a number as often as a sentence
# 400 pages of a handbook and 5 sentences in other scripts: every language above it is right.
_MIN_PROBABILITY = 0.5
# Languages of three letters that ISO 639-1 counts to one of two.
_PART_OF = {"ary": "ar", "arz": "ar", "wuu": "zh", "yue": "zh", "sdh": "ku", "uzs": "uz"}


def language(title: str | None, body: str) -> str | None:
    """The ISO 639-1 code of a document's language; None if that is not sure, or there is none.

    None for a text of fewer than 20 letters, or of a language that ISO 639-1 does not name.

    >>> language("Urlaub", "Der Urlaub muss bis zum Ende des Jahres genommen werden.")
    'de'
    >>> language(None, "VPN 2.1") is None
    True
    """
    # Twice as much, because white space is left out.
    start = " ".join(f"{title or ''} {body[: 2 * _CHARACTERS]}".split())[:_CHARACTERS]
    if sum(map(str.isalpha, start)) < _MIN_LETTERS:
        return None
    code, probability = _identifier().classify(start)
    code = _PART_OF.get(code, code)
    return code if probability >= _MIN_PROBABILITY and len(code) == 2 else None


@cache
def _identifier() -> "LanguageIdentifier":
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    return LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
