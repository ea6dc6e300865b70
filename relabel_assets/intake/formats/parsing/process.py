"""Parsing in a process of its own: one that hangs or dies costs one file.

What belongs here: starting that process, keeping it for the next files, and ending it. What does not: the
parsing (child.py and the formats).

A process is kept, because a start takes as long as some hundred files. Several threads that read files at
the same time have one each.
"""

import atexit
import json
import os
import select
import subprocess
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from relabel_assets import stopping
from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.input_limits import (
    GIB,
    PARSER_FILE_S,
    PARSER_IDLE_S,
    PARSER_MEMORY_BYTES,
)
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.limited_process import limited_process
from relabel_assets.intake.set_aside import SetAside

_CHILD = Path(__file__).with_name("child.py")
_PACKAGE_FOLDER = Path(__file__).parents[4]
_KEPT_IDLE_S = 30  # a process that is idle for longer is not used again: it ends itself after 120 s
_PIECE_BYTES = 1 << 20

_idle: list["_Parser"] = []


def parse(format_name: str, name: str, content: bytes) -> list[FileText]:
    """The documents of the file `name`, which the module `format_name` of this folder reads.

    Raises SetAside for a file that cannot be used, and for one whose parser dies, is silent for
    60 seconds, or works for ten minutes.
    """
    parser = _taken() or _Parser()
    is_fit = False
    try:
        texts = parser.texts(format_name, name, content)
        is_fit = not parser.is_full
        return texts
    except SetAside:
        is_fit = parser.is_between_files and not parser.is_full
        raise
    finally:
        if is_fit:
            parser.used_at = time.monotonic()
            _idle.append(parser)
        else:
            parser.close()


def close_all() -> None:
    """End the processes that wait for files."""
    while _idle:
        _idle.pop().close()


def _taken() -> "_Parser | None":
    while _idle:
        parser = _idle.pop()
        if parser.is_alive and time.monotonic() - parser.used_at < _KEPT_IDLE_S:
            return parser
        parser.close()
    return None


atexit.register(close_all)
os.register_at_fork(after_in_child=_idle.clear)


class _Parser:
    """One process, and what it writes."""

    def __init__(self) -> None:
        self._stack = ExitStack()
        self._process = self._stack.enter_context(
            limited_process(
                _CHILD,
                (str(_PACKAGE_FOLDER),),
                max_memory=PARSER_MEMORY_BYTES,
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
            )
        )
        assert self._process.stdin and self._process.stdout
        self._stdin, self._stdout = self._process.stdin.fileno(), self._process.stdout.fileno()
        os.set_blocking(self._stdin, False)
        self._unread = b""
        self.is_full, self.is_between_files, self.used_at = False, True, 0.0

    @property
    def is_alive(self) -> bool:
        return self._process.poll() is None

    def close(self) -> None:
        # What was not written is of no use, and closing the pipe would try to write it.
        self._stack.close()

    def texts(self, format_name: str, name: str, content: bytes) -> list[FileText]:
        """The documents of one file. Raises SetAside."""
        self.is_between_files = False
        ends_at = time.monotonic() + PARSER_FILE_S
        request = {"format": format_name, "name": name, "bytes": len(content)}
        self._send(json.dumps(request).encode() + b"\n", ends_at)
        self._send(content, ends_at)
        texts = []
        while True:
            value = self._next(ends_at)
            if "text" in value:
                text = value["text"]
                texts.append(FileText(**{**text, "notes": tuple(text["notes"])}))
            elif "page" not in value:
                break
        self.is_between_files = True
        self.is_full = bool(value.get("done") or value.get("is_full"))
        if "error" in value:
            raise SetAside(value["error"], value["remedy"])
        return texts

    def _send(self, content: bytes, ends_at: float) -> None:
        rest = memoryview(content)
        while rest:
            self._wait([], [self._stdin], ends_at)
            try:
                rest = rest[os.write(self._stdin, rest[:_PIECE_BYTES]) :]
            except BlockingIOError:
                continue
            except BrokenPipeError:
                raise _crash() from None

    def _next(self, ends_at: float) -> dict[str, Any]:
        pieces = [self._unread]
        while b"\n" not in pieces[-1]:
            self._wait([self._stdout], [], ends_at)
            piece = os.read(self._stdout, _PIECE_BYTES)
            if not piece:
                stopping.check()  # a stop ended the process
                raise _crash()
            pieces.append(piece)
        line, _, self._unread = b"".join(pieces).partition(b"\n")
        value = parse_json(line)
        return value if isinstance(value, dict) else {}

    def _wait(self, readable: list[int], writable: list[int], ends_at: float) -> None:
        seconds = min(PARSER_IDLE_S, ends_at - time.monotonic())
        if seconds <= 0 or not any(select.select(readable, writable, [], seconds)):
            limit = PARSER_IDLE_S if seconds == PARSER_IDLE_S else PARSER_FILE_S
            raise SetAside(f"reading it took more than {limit} s", "Split it, or save it again.")


def _crash() -> SetAside:
    gib = PARSER_MEMORY_BYTES // GIB
    return SetAside(f"its parser crashed, or needed more than {gib} GiB", "Save it again.")
