"""The raw lines of a ledger file, read in bounded memory.

What belongs here: opening a file of the ledger for reading, and lines that are too long. What does
not: parsing a line (lines.py) and writing one (ledger.py).
"""

import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from relabel_assets.intake.input_limits import MAX_LEDGER_LINE_BYTES
from relabel_assets.intake.one_input import SetAside, reason_of
from relabel_assets.intake.regular_files import open_regular

TOO_LONG = f"the line is longer than {MAX_LEDGER_LINE_BYTES:,} bytes"
_SKIPPED_AT_A_TIME = 1024 * 1024


class RawLine(NamedTuple):
    """One line from `offset` to `end`. `raw` ends in a newline unless it is torn; None: too long."""

    offset: int
    end: int
    raw: bytes | None


def raw_lines(file: Path, start: int = 0) -> Iterator[RawLine]:
    """The lines of `file` from byte `start`.

    Raises SetAside for a file that cannot be read: a folder, a pipe, a link to nothing.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "2026-01-01.jsonl"
    ...     _ = file.write_bytes(b"{}\\n{")
    ...     list(raw_lines(file))
    [RawLine(offset=0, end=3, raw=b'{}\\n'), RawLine(offset=3, end=4, raw=b'{')]
    """
    try:
        real = file.resolve()  # the ledger's owner may have put a link there
        with open_regular(real.parent, real.name, max_bytes=sys.maxsize) as opened:
            opened.seek(start)
            end = start
            while raw := opened.readline(MAX_LEDGER_LINE_BYTES + 1):
                offset, end = end, end + len(raw)
                if len(raw) <= MAX_LEDGER_LINE_BYTES:
                    yield RawLine(offset, end, raw)
                    continue
                while raw and not raw.endswith(b"\n"):
                    raw = opened.readline(_SKIPPED_AT_A_TIME)
                    end += len(raw)
                yield RawLine(offset, end, None)
    except RuntimeError as error:  # of Path.resolve
        raise SetAside("its links lead in a circle", "Take it out.") from error
    except OSError as error:
        remedy = "Repair it or take it out."
        raise SetAside(f"it cannot be read: {reason_of(error)}", remedy) from error


def line_at(file: Path, offset: int) -> bytes | None:
    """The line of `file` at `offset`; None if it is no longer there.

    >>> line_at(Path("missing.jsonl"), 0) is None
    True
    """
    try:
        descriptor = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0))
        with os.fdopen(descriptor, "rb") as opened:
            opened.seek(offset)
            return opened.readline(MAX_LEDGER_LINE_BYTES + 1) or None
    except OSError:
        return None
