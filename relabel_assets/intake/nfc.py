"""The one form of text that is compared and indexed: Unicode's NFC.

What belongs here: that form. What does not: other mending of texts.
"""

import unicodedata


def nfc(text: str) -> str:
    """`text` in NFC: "é" is one character, however a keyboard or a file system wrote it.

    >>> nfc("cafe\\u0301") == "caf\\u00e9"
    True
    """
    return text if unicodedata.is_normalized("NFC", text) else unicodedata.normalize("NFC", text)
