"""Ids and numbers as the tools of people write them into tables.

What belongs here: the id that a cell stands for. What does not: which columns hold ids (column_names.py).
"""

import math
import re
from typing import Any

from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside

# pandas writes whole numbers so, where one of their column is missing.
_WHOLE = re.compile(r"(-?[0-9]+)\.0")
# Excel writes a number of more than 11 digits so; people and pandas write 1e5 without the sign.
_SCIENTIFIC = re.compile(r"-?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]{2,3}")
_NUMBER = re.compile(r"-?[0-9]{1,15}(?:\.[0-9]{1,15})?")
_EXACT_BELOW = 10**15  # spreadsheets keep 15 digits


def id_of(value: Any, name: str) -> Any:
    """The id in a cell of the column `name`, in NFC; a value that is no id, such as a list, as it is.

    Raises SetAside for a number whose digits are lost.

    >>> [id_of(cell, "doc_id") for cell in (" 0012 ", 12.0, 12, 1.5)]
    ['0012', '12', '12', '1.5']
    """
    if isinstance(value, str):
        return nfc(value).strip()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    if isinstance(value, int):
        return str(value)
    if not math.isfinite(value):
        return None if math.isnan(value) else value
    if abs(value) >= _EXACT_BELOW:
        message = f"{name} is the number {value:.15g}, whose last digits may be lost"
        raise SetAside(message, "Format the column as text where its digits are whole, then save.")
    return str(int(value)) if value.is_integer() else str(value)


def id_of_text(text: str, name: str) -> str:
    """The same for a cell of a format that has only text, as which numbers were written too.

    >>> [id_of_text(cell, "doc_id") for cell in (" 0012 ", "12.0", "1.10", "v2.0")]
    ['0012', '12', '1.10', 'v2.0']
    """
    if not text.isascii():
        text = nfc(text)
    text = text.strip()
    if "." in text and (whole := _WHOLE.fullmatch(text)):
        return whole[1]
    if "+" in text and _SCIENTIFIC.fullmatch(text):
        raise SetAside(
            f"{name} is {text}: a spreadsheet wrote a long number so, and its last digits are lost",
            "Format the column as text where its digits are whole, then save.",
        )
    return text


def number_of_text(text: str) -> str | int | float:
    """The number that `text` is; other text as it is.

    >>> [number_of_text(text) for text in ("2", " 2.0", "2,5", "good")]
    [2, 2.0, '2,5', 'good']
    """
    stripped = text.strip()
    if not _NUMBER.fullmatch(stripped):
        return text
    return float(stripped) if "." in stripped else int(stripped)
