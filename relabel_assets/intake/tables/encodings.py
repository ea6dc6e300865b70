"""The encoding of a file of text: UTF-8 and UTF-16, and cp1252 where nothing else can be meant.

What belongs here: that decision, from the bytes of the whole file. What does not: splitting text into rows
(delimited.py).
"""

import re
from dataclasses import dataclass
from typing import BinaryIO

from relabel_assets.intake.input_limits import KIB, MIB
from relabel_assets.intake.set_aside import SetAside

_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")
_MULTIBYTE = re.compile(
    b"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_ASCII = bytes(range(128))
# A UTF-8 file with a few broken rows has many more whole characters; by chance, a cp1252 file has some.
_MOST_BY_CHANCE = 10
_RIVALS = ("cp1250", "cp1254", "cp1257")
_SAMPLE_BYTES = 64 * KIB
# Languages that cp1252 can write. Text in another one was written in another encoding.
_WESTERN = "af ca da de en es et eu fi fo fr ga gl id is it lb ms nb nl nn no oc pt sq sv sw wa"
_LANGUAGES = frozenset(re.findall("[a-z]+", _WESTERN))


@dataclass(frozen=True)
class Encoding:
    """How the text of a file is encoded, and what it holds that decides how it is split.

    `name` as Python has it. `is_certain`: all of it is text in this encoding; else rows with bytes that are
    not cost themselves.
    """

    name: str
    shown: str
    is_certain: bool = True
    has_quotes: bool = False
    has_backslash_quotes: bool = False

    @property
    def errors(self) -> str:
        """What Python does with bytes that are not of the encoding: none of them is lost."""
        return "surrogateescape" if self.name == "utf-8-sig" else "strict"


def encoding_of(file: BinaryIO) -> Encoding:
    """The encoding of `file`, which is read once and is then at its start.

    Raises SetAside for one that is not known for certain.
    """
    file.seek(0)
    start = file.read(4)
    file.seek(0)
    if start[:2] in _UTF16_MARKS:
        return _wide(file, "utf-16")
    if len(start) == 4 and start[1::2] == b"\0\0" and 0 not in start[::2]:
        return _wide(file, "utf-16-le")
    if len(start) == 4 and start[::2] == b"\0\0" and 0 not in start[1::2]:
        return _wide(file, "utf-16-be")
    return _narrow(file)


def _wide(file: BinaryIO, name: str) -> Encoding:
    # The second byte of a quote in UTF-16 is NUL on either side, so that these look for all of them.
    quotes, backslashes = False, False
    while piece := file.read(MIB):
        piece = piece.replace(b"\0", b"")
        quotes, backslashes = quotes or b'"' in piece, backslashes or b'\\"' in piece
    file.seek(0)
    return Encoding(name, "UTF-16", has_quotes=quotes, has_backslash_quotes=backslashes)


def _narrow(file: BinaryIO) -> Encoding:
    """UTF-8, or cp1252 for a file that is hardly UTF-8 anywhere."""
    has_quotes, has_backslashes, n_whole, n_broken = False, False, 0, 0
    last = b""
    while piece := file.read(MIB):
        has_quotes = has_quotes or b'"' in piece
        has_backslashes = has_backslashes or b'\\"' in last + piece[:1] or b'\\"' in piece
        last = piece[-1:]
        if piece.isascii():
            continue
        # A character may be cut at the end of a piece: too few to decide anything.
        rest, whole = _MULTIBYTE.subn(b"", piece)
        n_whole += whole
        n_broken += len(rest.translate(None, _ASCII))
    file.seek(0)
    # At most three bytes at each end of a piece belong to a cut character.
    if n_broken and n_broken > _MOST_BY_CHANCE * n_whole and not _is_utf8(file):
        _check_cp1252(file)
        return Encoding("cp1252", "cp1252", True, has_quotes, has_backslashes)
    return Encoding("utf-8-sig", "UTF-8", not n_broken, has_quotes, has_backslashes)


def _is_utf8(file: BinaryIO) -> bool:
    """Whether a short file is UTF-8 whole: a long one with so many broken characters is not."""
    content = file.read(MIB)
    file.seek(0)
    try:
        content.decode("utf-8")
    except UnicodeDecodeError as error:
        return len(content) == MIB and error.start >= MIB - 4
    return True


def _check_cp1252(file: BinaryIO) -> None:
    """Raises SetAside unless the text is cp1252 for all that can be known. `file` stays at its start."""
    sample = _sample(file)
    if not _is_plausible(sample) or not (_is_same_in_rivals(sample) or _is_western(sample)):
        message = "it is not UTF-8, and which other encoding it has is not certain"
        raise SetAside(message, "Save the file as UTF-8.")


def _sample(file: BinaryIO) -> bytes:
    """The first line and lines with bytes that are not ASCII. Raises SetAside for a byte of no cp1252."""
    kept = [file.readline(KIB)]
    n_kept, number = len(kept[0]), 1
    file.seek(0)
    while raw := file.readline(MIB):
        if not raw.isascii():
            try:
                raw.decode("cp1252")
            except UnicodeDecodeError as error:
                message = f"it is neither UTF-8 nor cp1252 text: byte {raw[error.start]:#x} in line"
                raise SetAside(f"{message} {number:,}", "Save the file as UTF-8.") from error
            if n_kept < _SAMPLE_BYTES:
                kept.append(raw[: 4 * KIB])
                n_kept += len(kept[-1])
        number += raw.endswith(b"\n")
    file.seek(0)
    return b"".join(kept)


def _is_plausible(sample: bytes) -> bool:
    """Whether charset-normalizer takes `sample` for text when it is read as cp1252."""
    import logging

    from charset_normalizer import from_bytes

    logging.getLogger("charset_normalizer").setLevel(logging.ERROR)
    return from_bytes(sample, cp_isolation=["cp1252"]).best() is not None


def _is_same_in_rivals(sample: bytes) -> bool:
    """Whether the other encodings of Latin letters give the same text, so that the choice decides nothing."""
    text = sample.decode("cp1252")
    return all(sample.decode(rival, "replace") == text for rival in _RIVALS)


def _is_western(sample: bytes) -> bool:
    """Whether `sample`, read as cp1252, is in a language that cp1252 can write."""
    import py3langid

    return py3langid.classify(sample.decode("cp1252"))[0] in _LANGUAGES
