"""A program that runs another program of this project within limits of memory, no longer than its parent.

What belongs here: the limits, inside the process. What does not: starting it (limited_process.py), and
the work: parquet_child.py, warehouse/query_child.py. It imports nothing of this project, so that it
starts quickly.

    arguments: the parent's process, bytes of memory, the program's file, the program's own arguments.
"""

import os
import resource
import runpy
import sys
import threading
import time
from contextlib import suppress


def main() -> None:
    parent, max_memory, program, *arguments = sys.argv[1:]
    threading.Thread(target=_end_with, args=(int(parent),), daemon=True).start()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with suppress(ValueError, OSError):  # macOS has no such limit
        resource.setrlimit(resource.RLIMIT_AS, (int(max_memory), int(max_memory)))
    sys.argv = [program, *arguments]
    runpy.run_path(program, run_name="__main__")


def _end_with(parent: int) -> None:
    """End this process soon after its parent, which may be killed. Nobody reads the result then."""
    while os.getppid() == parent:
        time.sleep(1)
    os._exit(1)


if __name__ == "__main__":
    main()
