"""Bytes of a text file to text: the encoding it is written in, and the repair of mojibake.

What belongs here: choosing an encoding, and saying which one was taken. What does not: what the text means.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass

from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside

# The longer mark first: that of UTF-32 begins with that of UTF-16.
_MARKS = {
    b"\xef\xbb\xbf": "utf-8-sig",
    b"\xff\xfe\x00\x00": "utf-32",
    b"\x00\x00\xfe\xff": "utf-32",
    b"\xff\xfe": "utf-16",
    b"\xfe\xff": "utf-16",
}
_SAMPLE_BYTES = 256 * 1024  # the detector tries some 90 encodings: 16 MiB would take a minute
# Languages whose letters each has. The detector takes Latin letters of one for those of another.
_CODE_PAGES = {
    "cp1252": "af ca da de en es eu fi fo fr ga gl id is it ms nb nl nn no pt sv sw",
    "cp1250": "bs cs hr hu pl ro sk sl sq",
    "cp1254": "az tr",
    "cp1257": "et lt lv",
}
# Thai has one byte a letter. Its marks stand on a consonant, and some vowels before one: bytes of other
# encodings break this rule soon.
_THAI_MARK_AT = re.compile(
    "(?<=[\u0e01-\u0e2e\u0e31\u0e34-\u0e3a\u0e47-\u0e4e])[\u0e31\u0e34-\u0e3a\u0e47-\u0e4e]"
    "|[\u0e40-\u0e44](?=[\u0e01-\u0e2e])"
)
_THAI_MARK = re.compile("[\u0e31\u0e34-\u0e3a\u0e40-\u0e44\u0e47-\u0e4e]")
_FEWEST_THAI_MARKS = 6
_AS_COHERENT = 0.1  # not measured: cp1251 and mac_cyrillic differ in two letters, and by 0.04
# Bytes of programs may be UTF-8 too. Texts have tabs, line ends, page ends, and colors of terminals.
_CONTROLS = re.compile("[\x00-\x08\x0e-\x1a\x7f]")
_MOST_CONTROLS = 0.1  # of the characters
_FEWEST_BROKEN = 2  # characters: one may be quoted, as an example of mojibake


@dataclass(frozen=True)
class DecodedText:
    """A text in NFC. `notes`: sentences about what was guessed or repaired."""

    text: str
    encoding: str
    notes: tuple[str, ...] = ()


def decoded_text(content: bytes) -> DecodedText:
    """The text in `content`: by its byte order mark, else UTF-8, else the most likely encoding.

    Raises SetAside for bytes that are no text in any known encoding.

    >>> decoded_text("café".encode("utf-16")).text
    'café'
    >>> decoded_text(b"caf\\xe9").notes
    ('It is not UTF-8 and was read as cp1252. Save it as UTF-8 if letters are wrong.',)
    """
    notes = []
    encoding = next((name for mark, name in _MARKS.items() if content.startswith(mark)), "utf-8")
    if encoding == "utf-8":
        encoding = _utf_16_without_mark(content) or encoding
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError as error:
        if encoding == "utf-8-sig":
            content = content[3:]
        encoding = _likely_encoding(content, error)
        text = content.decode(encoding, "replace")
        notes.append(
            f"It is not UTF-8 and was read as {encoding}. Save it as UTF-8 if letters are wrong."
        )
    if len(_CONTROLS.findall(text)) > _MOST_CONTROLS * len(text):
        raise SetAside("it is no text: it holds control characters", "Save the file as text.")
    repaired = without_mojibake(text)
    if repaired != text:
        notes.append("Its letters were decoded twice (Ã© for é) and are repaired. Save it anew.")
    return DecodedText(nfc(repaired), encoding, tuple(notes))


def without_mojibake(text: str) -> str:
    """`text` with UTF-8 that was read as cp1252 turned back, where this is sure; else as it is.

    It is sure where ftfy finds mojibake, all characters beyond ASCII belong to it, and there are at least
    two such sequences. A text that quotes one, or that has a letter é beside it, is not changed.

    >>> without_mojibake("CongÃ© payÃ©"), without_mojibake("Ã© is mojibake of é, Ã¨ of è")
    ('Congé payé', 'Ã© is mojibake of é, Ã¨ of è')
    """
    if text.isascii():
        return text
    import ftfy.bad_codecs
    import ftfy.badness

    ftfy.bad_codecs.ok()
    if not ftfy.badness.is_bad(text):
        return text
    try:
        meant = text.encode("sloppy-windows-1252").decode("utf-8")
    except UnicodeError:
        return text
    n_broken = sum(not character.isascii() for character in meant)
    return ftfy.fix_encoding(text) if n_broken >= _FEWEST_BROKEN else text


def _utf_16_without_mark(content: bytes) -> str | None:
    """UTF-16's name where nearly every second byte of `content` is NUL, as in a western text."""
    sample = content[: 2 * (min(len(content), _SAMPLE_BYTES) // 2)]
    for start, name in ((1, "utf-16-le"), (0, "utf-16-be")):
        half = sample[start::2]
        if half and half.count(0) > 0.9 * len(half) and not sample[1 - start :: 2].count(0):
            return name
    return None


def _likely_encoding(content: bytes, error: UnicodeDecodeError) -> str:
    """The encoding that charset-normalizer finds most likely; cp1252 where nothing speaks against it."""
    from charset_normalizer import from_bytes

    sample = content
    if len(content) > _SAMPLE_BYTES:
        # Without the one byte, the sample may be ASCII alone.
        start = max(0, error.start - _SAMPLE_BYTES // 2)
        sample = content[start : start + _SAMPLE_BYTES]
    matches = [
        match
        for match in from_bytes(sample)
        # UTF-16 of letters and digits has NULs. Without them two letters were taken for one character.
        if not match.encoding.startswith(("utf_16", "utf_32")) or b"\0" in sample
    ]
    if not matches:
        message = f"its encoding is not known (byte {error.start:,} is not UTF-8)"
        raise SetAside(message, "Save the file as UTF-8.")
    best = matches[0]
    # The detector makes Chinese of short Thai texts, and doubts it. Of Korean, which may keep the same rule,
    # it is sure.
    if best.chaos > 0 and _is_thai(content):
        return "cp874"
    equals = [match for match in matches if match.chaos == best.chaos]
    equals = [match for match in equals if match.coherence >= best.coherence - _AS_COHERENT]
    latin = _latin_code_page(sample, [name for m in equals for name in m.could_be_from_charset])
    if latin:
        return latin
    # Of equally likely ones, that of Windows: far more files are.
    return next((m.encoding for m in equals if m.encoding.startswith("cp125")), best.encoding)


def _is_thai(content: bytes) -> bool:
    """Whether `content` is Thai in Windows' encoding: every mark of it stands where Thai has it."""
    try:
        text = content.decode("cp874")
    except UnicodeDecodeError:
        return False
    n_marks = len(_THAI_MARK.findall(text))
    n_in_place = sum(1 for _ in _THAI_MARK_AT.finditer(text))
    return n_in_place == n_marks >= _FEWEST_THAI_MARKS


def _latin_code_page(sample: bytes, possible: Collection[str]) -> str | None:
    """Of the `possible` encodings, the one of Windows whose languages the text is in; else cp1252."""
    import py3langid

    for name, languages in _CODE_PAGES.items():
        language = py3langid.classify(sample.decode(name, "replace"))[0] if name in possible else ""
        if language in languages.split():
            return name
    return "cp1252" if "cp1252" in possible else None
