"""A program that reads a spreadsheet from stdin and writes the rows of one sheet to stdout as JSON lines.

What belongs here: reading, in a process of its own: a damaged or packed file may crash its parser or fill
the memory. What does not: starting and watching this process (limited_rows.py), and its limits
(limited_child.py). It imports nothing of this project, so that it starts quickly.

    stdin: the file. arguments: the number of the pipe with answers, characters of a cell.
    stdout: for each sheet {"sheet": name, "row": number of its first row, "header": [cell, ...]}; the answer
    is true for a sheet that is read. Then a line [number, cell, ...] for each of its rows, and
    {"rows": n}. {"sheets": n} after the last sheet. Or {"error": message}.
"""

import json
import resource
import sys
from datetime import date, datetime, time, timedelta


def main() -> None:
    answers, max_characters = map(int, sys.argv[1:])
    try:
        _write_rows(answers, max_characters)
    except BrokenPipeError:
        return  # the reader has seen enough
    except MemoryError:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        _write({"error": f"it needs more than {limit // 2**30} GiB of memory"})
    except BaseException as error:
        lines = str(error).splitlines()
        _write({"error": lines[0] if lines else type(error).__name__})
    sys.stdout.flush()


def _write_rows(answers: int, max_characters: int) -> None:
    from python_calamine import CalamineWorkbook, SheetTypeEnum

    book = CalamineWorkbook.from_filelike(sys.stdin.buffer)
    with open(answers) as chosen:
        for about in book.sheets_metadata:
            if about.typ != SheetTypeEnum.WorkSheet:
                continue  # charts and macros
            sheet = book.get_sheet_by_name(about.name)
            number = sheet.start[0] if sheet.start else 0
            rows = enumerate(sheet.to_python(skip_empty_area=True), start=number + 1)
            filled = ((number, row) for number, row in rows if any(cell != "" for cell in row))
            number, header = next(filled, (1, []))
            names = [str(_cell(name, max_characters) or "") for name in header]
            _write({"sheet": about.name, "row": number, "header": names})
            sys.stdout.flush()
            if json.loads(chosen.readline()):
                n_rows = 0
                for number, row in filled:
                    _write([number, *(_cell(cell, max_characters) for cell in row)])
                    n_rows += 1
                _write({"rows": n_rows})
    _write({"sheets": len(book.sheet_names)})


def _write(value: object) -> None:
    sys.stdout.write(json.dumps(value) + "\n")


def _cell(cell: object, max_characters: int) -> object:
    """A cell as JSON: text, number, None where it is empty; true as TRUE, dates in ISO 8601."""
    if isinstance(cell, str):
        return cell[: max_characters + 1] or None
    if isinstance(cell, bool):
        return str(cell).upper()
    if isinstance(cell, datetime) and cell.time() == time.min:
        return cell.date().isoformat()
    if isinstance(cell, date | time):
        return cell.isoformat()
    if isinstance(cell, timedelta):
        return str(cell)
    return cell


if __name__ == "__main__":
    main()
