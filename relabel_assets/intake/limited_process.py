"""A process of its own for a parser or a query: it may crash, fill the memory or never end.

What belongs here: starting it and ending it. What does not: the limits inside it (limited_child.py), and
what it writes.
"""

import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from relabel_assets import stopping

_CHILD = Path(__file__).with_name("limited_child.py")


@contextmanager
def limited_process(
    program: Path, arguments: Sequence[str], *, max_memory: int, **pipes: Any
) -> Iterator["subprocess.Popen[bytes]"]:
    """`program`, a Python file that imports nothing of this project, run with at most `max_memory` bytes.

    `pipes`: stdin, stdout and stderr, as subprocess.Popen takes them. The process is killed when the
    block ends, and within a second if this one is killed.
    """
    # -I: nothing from the environment or the working directory is imported.
    command = [sys.executable, "-I", str(_CHILD), str(os.getpid()), str(max_memory), str(program)]
    process = subprocess.Popen([*command, *arguments], **pipes)
    try:
        # Native code that reads its pipe would read on after Ctrl-C.
        with stopping.before_interrupt(process.kill):
            yield process
    finally:  # Ctrl-C too
        process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()
