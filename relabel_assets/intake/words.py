"""The words of a text, in scripts with spaces and in scripts without.

What belongs here: Han, kana, Hangul, Thai, Lao, Myanmar and Khmer in a text of any scripts, as words
that can be indexed, compared and counted; and the lower-cased words of any text. What does not: stemming
(candidates/analyzer.py).

A word of a script without spaces is a pair of neighbouring characters, as in Lucene's CJKBigramFilter, and
of Han each single character too: a query may be one character. In Thai and its neighbours a character is
a letter with the vowels and tones written on it. No dictionary is needed, and names are words too.
"""

import re
import unicodedata
from functools import cache
from itertools import pairwise

from relabel_assets.intake.nfc import nfc

# By code point, because some of these characters change under normalization.
# Iteration mark and zero, and the blocks of Han.
_HAN = "\u3005\u3007\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"
_HALFWIDTH = "\uff66-\uff9f\uffa1-\uffdc"
# Jamo, kana with the mark of a long vowel, bopomofo, Hangul.
_EAST = (
    f"\u1100-\u11ff\u3041-\u3096\u3099\u309a\u309d-\u309f\u30a1-\u30fa\u30fc-\u30ff\u3105-\u318e"
    f"\u31f0-\u31ff\uac00-\ud7a3{_HALFWIDTH}{_HAN}"
)
# Thai, Lao, Myanmar, Khmer: letters and marks, without digits and punctuation.
_SOUTH_EAST = (
    "\u0e01-\u0e3a\u0e40-\u0e4e\u0e81-\u0ebd\u0ec0-\u0ece\u0edc-\u0edf"
    "\u1000-\u103f\u1050-\u1089\u108b-\u108f\uaa60-\uaa7f\u1780-\u17d3\u17d7\u17dc\u17dd"
)
_MARKS = (
    "\u3099\u309a\u0e31\u0e33-\u0e3a\u0e47-\u0e4e\u0eb1\u0eb3-\u0ebc\u0ec8-\u0ece"
    "\u102b-\u103e\u1056-\u1059\u105e-\u1060\u1062-\u1064\u1067-\u106d\u1071-\u1074\u1082-\u108d\u108f"
    "\u17b4-\u17d3\u17dd"
)
_STACKS = "\u1039\u17d2"  # Myanmar and Khmer: the next letter is written below

_INSIDE_NUMBERS = "[.,:/-]"
_MARK_INSIDE = re.compile(f"({_INSIDE_NUMBERS})")
_UNSPACED = re.compile(f"[{_EAST}{_SOUTH_EAST}]")
_RUN = re.compile(f"[{_EAST}{_SOUTH_EAST}]+")
_IS_HAN = re.compile(f"[{_HAN}]")
_HALFWIDTH_RUN = re.compile(f"[{_HALFWIDTH}]+")
# One character as a reader sees it: what follows it, on it or under it is a part of it.
_FOLLOWING = f"(?:[{_MARKS}]|(?<=[{_STACKS}]).)*"
_CHARACTER = re.compile(f".{_FOLLOWING}", re.DOTALL)
_HANGUL = "\u1100-\u11ff\u3131-\u318e\uac00-\ud7a3\uffa1-\uffdc"
_UNSPACED_CHARACTER = re.compile(f"(?![{_HANGUL}])[{_EAST}{_SOUTH_EAST}]{_FOLLOWING}", re.DOTALL)
# Not measured. A Chinese word has 1.5 characters on average, a Japanese one 2, and a Thai one 2 to 3 letters
# with their marks.
_CHARACTERS_A_WORD = 2


def lower_words(text: str) -> list[str]:
    """The lower-cased words of `text` in NFC: letters and digits with their marks, without punctuation.

    A run of a script without spaces is one word here. Numbers with one of .,:/- between them are one word.

    >>> lower_words("Python 3.11: How-to?"), lower_words("ไม่มี")
    (['python', '3.11', 'how', 'to'], ['ไม่มี'])
    """
    text = nfc(text).casefold()
    words = list[str]()
    for word, others in _word_pattern(text.isascii()).findall(text):
        if others:
            words += _with_whole_numbers(word + others)
        else:
            words.append(word)
    return words


def _with_whole_numbers(words: str) -> list[str]:
    """The words between the marks in `words`, where a mark between two words with a digit is part of one.

    >>> _with_whole_numbers("e-mail:2024-01-05")
    ['e', 'mail', '2024-01-05']
    """
    first, *others = _MARK_INSIDE.split(words)
    parts, before = [[first]], has_digit(first)
    for mark, word in zip(others[::2], others[1::2], strict=True):
        is_number = has_digit(word)
        if before and is_number:
            parts[-1] += [mark, word]
        else:
            parts.append([word])
        before = is_number
    return ["".join(its) for its in parts]


def has_digit(word: str) -> bool:
    """Whether `word` has a digit.

    >>> has_digit("0x8007"), has_digit("error")
    (True, False)
    """
    return any(character.isdigit() for character in word)


@cache
def _word_pattern(is_ascii: bool) -> re.Pattern[str]:
    r"""A word, and the words that follow it with one of .,:/- between each.

    Python's \w has no marks, so that it would cut words of Thai and Hindi at each vowel.
    """
    word = r"\w+"
    if not is_ascii:
        marks = (chr(code) for code in range(0x300, 0x20000))
        joined = "".join(mark for mark in marks if unicodedata.category(mark).startswith("M"))
        word = f"[\\w{joined}]+"
    return re.compile(f"({word})((?:{_INSIDE_NUMBERS}{word})*)")


def has_unspaced(text: str) -> bool:
    """Whether `text` has a character of a script without spaces.

    >>> has_unspaced("VPN 接続"), has_unspaced("VPN")
    (True, False)
    """
    return not text.isascii() and _UNSPACED.search(text) is not None


def separated(text: str) -> tuple[str, list[str]]:
    """`text` with a space for each run of a script without spaces, and the words of these runs in order.

    >>> separated("VPN接続 help")
    ('VPN  help', ['接', '続', '接続'])
    >>> separated("VPN help")
    ('VPN help', [])
    """
    if not has_unspaced(text):
        return text, []
    words = [word for run in _RUN.findall(text) for word in _words_of(run)]
    return _RUN.sub(" ", text), words


def _words_of(run: str) -> list[str]:
    """The words of one run: its pairs of characters, its Han characters, and a character that is alone."""
    characters = characters_of(run)
    if len(characters) == 1:
        return characters
    pairs = [one + other for one, other in pairwise(characters)]
    return [character for character in characters if _IS_HAN.match(character)] + pairs


def characters_of(text: str) -> list[str]:
    """The characters of `text` as a reader sees them, each with its marks.

    Halfwidth kana are the usual ones.

    >>> characters_of("ที่ดิน"), characters_of("ｶﾞｽ")
    (['ที่', 'ดิ', 'น'], ['ガ', 'ス'])
    """
    text = _HALFWIDTH_RUN.sub(lambda run: unicodedata.normalize("NFKC", run[0]), text)
    return _CHARACTER.findall(nfc(text))


def cut_unspaced(text: str, most: int) -> list[str]:
    """`text` in parts of at most `most` characters of scripts without spaces, as a reader sees them.

    No word of another script is cut. Hangul does not count: Korean has spaces between words.

    >>> cut_unspaced("VPN接続の手順 for Linux", 3), cut_unspaced("육아 휴직", 3)
    (['VPN接続の', '手順 for Linux'], ['육아 휴직'])
    """
    if not has_unspaced(text):
        return [text]
    starts = [match.start() for match in _UNSPACED_CHARACTER.finditer(text)][::most]
    bounds = [0, *starts[1:], len(text)]
    return [text[start:end].strip() for start, end in pairwise(bounds)]


def count_words(text: str) -> int:
    """About how many words `text` has: between white space, or two characters of a script without spaces.

    >>> count_words("how long is leave"), count_words("育児休暇は何日ですか"), count_words("")
    (4, 5, 0)
    """
    if not has_unspaced(text):
        return len(text.split())
    spaced = _RUN.sub(" ", text).split()
    n_characters = sum(len(characters_of(run)) for run in _RUN.findall(text))
    return len(spaced) + -(-n_characters // _CHARACTERS_A_WORD)
