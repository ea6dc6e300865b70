"""The values that a parser writes from a process of its own, with limits of memory and time.

What belongs here: that stream of JSON lines, and its end in any way. What does not: the parsers
(parquet_child.py, sheet_child.py), and what their values mean (parquet_rows.py, sheet_rows.py).
"""

import json
import os
import select
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

from relabel_assets.intake.input_limits import GIB, PARSER_IDLE_S, PARSER_MEMORY_BYTES
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.limited_process import limited_process
from relabel_assets.intake.set_aside import SetAside


@contextmanager
def parsed_by(
    child: Path,
    file: BinaryIO,
    *,
    kind: str,
    when_slow: str,
    remedy: str,
    arguments: Sequence[str] = (),
) -> Iterator["Parser"]:
    """The program `child`, which reads `file` as its stdin from the start.

    Its first argument is the number of the pipe that has the answers. Messages call the format `kind`.
    """
    file.seek(0)
    answers, answering = os.pipe()
    try:
        with limited_process(
            child,
            (str(answers), *arguments),
            max_memory=PARSER_MEMORY_BYTES,
            stdin=file.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(answers,),
        ) as process:
            yield Parser(process, answering, kind, when_slow, remedy)
    finally:
        os.close(answers)
        os.close(answering)


@dataclass
class Parser:
    """The values that the process writes, one a line, and the answers that it waits for."""

    process: "subprocess.Popen[bytes]"
    answering: int
    kind: str
    when_slow: str
    remedy: str
    _unread: bytes = b""

    def answer(self, value: Any) -> None:
        """Write what the process waits for."""
        os.write(self.answering, (json.dumps(value) + "\n").encode())

    def rows(self) -> Iterator[list[Any]]:
        """The lists up to the next value of another kind. Raises SetAside unless the process ends well."""
        while isinstance(value := self.next(), list):
            yield value

    def next(self) -> Any:
        """The next value. Raises SetAside for an error, and if the process ends or is idle."""
        value = parse_json(self._line())
        if isinstance(value, dict) and "error" in value:
            raise SetAside(f"it cannot be read as {self.kind}: {value['error']}", self.remedy)
        return value

    def _line(self) -> bytes:
        assert self.process.stdout is not None
        pieces = [self._unread]
        while b"\n" not in pieces[-1]:
            ready, _, _ = select.select([self.process.stdout], [], [], PARSER_IDLE_S)
            piece = self.process.stdout.read1(1 << 20) if ready else b""  # type: ignore[attr-defined]
            if not ready:
                message = f"reading it as {self.kind} took more than {PARSER_IDLE_S} s"
                raise SetAside(message, self.when_slow)
            if not piece:
                gib = PARSER_MEMORY_BYTES // GIB
                message = f"its {self.kind} parser crashed, or needed more than {gib} GiB"
                raise SetAside(message, self.remedy)
            pieces.append(piece)
        line, _, self._unread = b"".join(pieces).partition(b"\n")
        return line
