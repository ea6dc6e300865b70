"""A program that parses one file after the other: bytes from stdin, texts to stdout as JSON lines.

What belongs here: taking a file, calling the reader of its format, writing what it finds. What does not:
starting and watching this process (process.py), its limits of memory (limited_child.py), and the
formats. Of this project it imports the readers alone, which import little, so that it starts quickly.

    arguments: the folder of this project's package.
    stdin: for each file a line {"format": ..., "name": ..., "bytes": n}, then n bytes.
    stdout: for each file lines {"page": n} while it works and {"text": {...}} for each document; then
    {"done": is_full} or {"error": message, "remedy": ..., "is_full": ...}. A full process takes no other.
"""

import importlib
import json
import logging
import os
import resource
import select
import signal
import sys
import warnings
from pathlib import PurePosixPath
from typing import Any

import psutil

# Longer than the parent keeps an idle process, which never writes to one that is about to end.
_IDLE_S = 120
# Of a process that goes on: what one file left in memory must not cost the next.
_MAX_KEPT_BYTES = 1024**3
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_TRUNC
_REFUSED = (
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.fork",
    "os.posix_spawn",
    "os.spawn",
)
_CHANGES = ("os.remove", "os.rename", "os.mkdir", "os.rmdir", "os.link", "os.symlink", "shutil.")


def main() -> None:
    package_folder = sys.argv[1]
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the parent ends this process
    out = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # a library that prints must not write among the texts
    logging.disable()
    warnings.simplefilter("ignore")
    sys.path.insert(0, package_folder)
    sys.dont_write_bytecode = True
    sys.setrecursionlimit(20_000)  # pages may have elements 2,000 deep inside each other
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    sys.addaudithook(_refuse)
    while select.select([sys.stdin.buffer], [], [], _IDLE_S)[0]:
        line = sys.stdin.buffer.readline()
        if not line:
            return
        request = json.loads(line)
        content = sys.stdin.buffer.read(request["bytes"])
        last = _parse(request["format"], request["name"], content, out)
        del content
        # Not the peak that getrusage knows: on Linux a process begins with the peak of its parent.
        is_full = psutil.Process().memory_info().rss > _MAX_KEPT_BYTES
        _write(out, {"done": is_full} if last is None else {**last, "is_full": is_full})


def _parse(format_name: str, name: str, content: bytes, out: Any) -> dict[str, str] | None:
    """Write each document of a file. The error and its remedy, where there is one."""
    from relabel_assets.intake.input_limits import MAX_BODY_CHARACTERS
    from relabel_assets.intake.set_aside import SetAside

    try:
        reader = importlib.import_module(f"relabel_assets.intake.formats.{format_name}")
        for text in reader.read(name, content, lambda page: _write(out, {"page": page})):
            if len(text.body) > MAX_BODY_CHARACTERS:
                raise SetAside(
                    f"it has {len(text.body):,} characters; at most {MAX_BODY_CHARACTERS:,} are read",
                    "Split it.",
                )
            _write(out, {"text": _within_limits(vars(text))})
    except SetAside as error:
        return {"error": error.message, "remedy": error.remedy}
    except MemoryError:
        limit, _ = resource.getrlimit(resource.RLIMIT_AS)
        message = f"reading it needs more than {limit // 2**30} GiB of memory"
        return {"error": message, "remedy": "Split it."}
    except RecursionError:
        return {"error": "its parts are too deep inside each other", "remedy": "Save it again."}
    except Exception as error:
        return {"error": _damage(error, PurePosixPath(name).suffix), "remedy": "Save it again."}
    return None


def _damage(error: Exception, suffix: str) -> str:
    """The reason for an error of a parser. Errors of Python's own say nothing about the file."""
    lines = str(error).splitlines()
    is_own = type(error).__module__ != "builtins"
    return f"it is damaged and cannot be read as {suffix}" + (
        f": {lines[0][:200]}" if is_own and lines else ""
    )


def _within_limits(text: dict[str, Any]) -> dict[str, Any]:
    """The fields of a document without the metadata, largest first, that are too large together."""
    from relabel_assets.intake.input_limits import MAX_METADATA_CHARACTERS

    metadata, notes = dict(text["metadata"]), list(text["notes"])
    sizes = {name: len(json.dumps(value)) for name, value in metadata.items()}
    while sum(sizes.values()) > MAX_METADATA_CHARACTERS:
        name = max(sizes, key=sizes.__getitem__)
        notes.append(f"{name} of its metadata is left out: it has {sizes[name]:,} characters.")
        del metadata[name], sizes[name]
    return {**text, "metadata": metadata, "notes": notes}


def _write(out: Any, value: dict[str, Any]) -> None:
    out.write(json.dumps(value) + "\n")
    out.flush()


def _refuse(event: str, arguments: tuple[Any, ...]) -> None:
    """An audit hook: a parser reads what it was given, and needs no network, program or file of its own."""
    is_writing = event == "open" and isinstance(arguments[2], int) and arguments[2] & _WRITING
    if is_writing or event.startswith((*_REFUSED, *_CHANGES)):
        raise PermissionError(f"a reader of documents may not do this: {event}")


if __name__ == "__main__":
    main()
