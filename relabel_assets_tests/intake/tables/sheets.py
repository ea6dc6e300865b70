"""Spreadsheets for tests.

What belongs here: writing them. What does not: assertions.
"""

from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import xlsxwriter


def write_xlsx(path: Path, sheets: Mapping[str, Sequence[Sequence[object]]]) -> Path:
    """Write each sheet's rows. Texts stay texts; None leaves a cell empty."""
    with xlsxwriter.Workbook(path, {"strings_to_numbers": False}) as book:
        day = book.add_format({"num_format": "yyyy-mm-dd"})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for number, row in enumerate(rows):
                for place, cell in enumerate(row):
                    if isinstance(cell, str):
                        sheet.write_string(number, place, cell)
                    elif isinstance(cell, date):
                        sheet.write_datetime(number, place, cell, day)
                    elif cell is not None:
                        sheet.write(number, place, cell)
    return path
