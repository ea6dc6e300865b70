"""What a file is by its first bytes, whatever its name says.

What belongs here: the signatures, and refusing a file whose name is wrong. What does not: reading it.
"""

from relabel_assets.intake.set_aside import SetAside

_ENDING = {
    "a PDF": ".pdf",
    "a zip archive or an Office file": ".docx, .pptx, .xlsx or .zip",
}
_SIGNATURES = (
    (b"%PDF-", "a PDF"),
    (b"PK\x03\x04", "a zip archive or an Office file"),
    (b"PK\x05\x06", "a zip archive or an Office file"),
    (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an old Office file or one with a password"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"\x1f\x8b", "a gzip file"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90\x00", "a program"),
    (b"{\\rtf", "an RTF file"),
    (b"<!DOCTYPE html", "an HTML page"),
    (b"<html", "an HTML page"),
)
_REMEDIES = {
    "an old Office file or one with a password": "Save it as .docx or .pptx without a password.",
    "an RTF file": "Save it as .docx.",
    "an HTML page": "Rename it to .html.",
    "a gzip file": "Unpack it.",
    "a 7-zip archive": "Unpack it.",
    "a RAR archive": "Unpack it.",
}
_START_BYTES = 1024  # a PDF's signature may stand anywhere in it


def kind_of(content: bytes) -> str | None:
    """What `content` is by its first bytes, in words; None for text and what is not known.

    >>> kind_of(b"%PDF-1.7"), kind_of(b"Ask HR.")
    ('a PDF', None)
    """
    start = content[:_START_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    lower = start.lower()
    for signature, kind in _SIGNATURES:
        if start.startswith(signature) or (
            signature.startswith(b"<") and lower.startswith(signature.lower())
        ):
            return kind
    return None


def refuse_others(content: bytes, expected: str | None, ending: str) -> None:
    """Raise SetAside for a file that is empty, or is by its first bytes of another kind than `expected`.

    >>> refuse_others(b"%PDF-1.7", "a PDF", ".pdf")
    """
    if not content.strip(b"\0 \t\r\n"):
        raise SetAside("it is empty", "Copy it again, or take it out.")
    kind = kind_of(content)
    if kind is None or kind == expected:
        return
    remedy = _REMEDIES.get(kind)
    if remedy is None:
        remedy = f"Rename it to {_ENDING[kind]}." if kind in _ENDING else "Take it out."
    raise SetAside(f"it is {kind}, not {ending}", remedy)
