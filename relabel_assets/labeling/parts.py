"""OUT.parts: the folder of finished chunks, from which a stopped command continues.

What belongs here: making this folder, knowing it again, and removing it. What does not: the content of
a part (chunk.py), and merging parts (labels_writer.py).
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import polars as pl
from filelock import FileLock, Timeout

from relabel_assets.errors import ConfigError
from relabel_assets.files import whole
from relabel_assets.intake.input_limits import MAX_SETTINGS_BYTES
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.one_input import INPUT_ERRORS, SetAside, reason_of
from relabel_assets.intake.regular_files import read_regular
from relabel_assets.labeling.buckets import is_bucket_file

_JOB, _LOCK = "job.json", "lock"
# The names of files that this command writes: a part, a chunk's rows for Ray, and scratch files of both.
_PART = re.compile(r"\d{8}\.(parquet|in)|\.\d{8}\.(parquet\.[0-9a-f]{32}|in)\.half")
_BEGINNING = {_JOB, f".{_JOB}.half", _LOCK}


@contextmanager
def locked_parts(parts: Path, pairs: Path, identity: Mapping[str, object]) -> Iterator[None]:
    """Create `parts`, or check that it belongs to these pairs and this identity, and lock it.

    Removed when the block ends without an error, except for files of others. Raises ConfigError for
    what another process uses, for other pairs, and for a folder that this command did not make.
    """
    with pairs.open("rb") as content:
        job = {**identity, "pairs": hashlib.file_digest(content, "sha256").hexdigest()}
    try:
        _require_own(parts, job)
        parts.mkdir(parents=True, exist_ok=True)
        lock = FileLock(parts / _LOCK, blocking=False)
        lock.acquire()
    except Timeout as error:
        raise ConfigError(
            f"another process is labeling into {parts}. Wait for it, or choose another --out."
        ) from error
    except OSError as error:
        reason = reason_of(error)
        raise ConfigError(f"{parts} cannot be used: {reason}. Choose another --out.") from error
    with lock:
        if (begun := _job(parts)) is None:
            _write_job(parts, job)
        elif begun != job:
            raise ConfigError(
                f"{parts} was begun with other pairs, another student, other documents, another --ask "
                "or teacher, or other grades of people. "
                "To begin anew, remove it; to keep it, choose another --out."
            )
        yield
    _remove(parts)


def is_finished(part: Path, n_rows: int) -> bool:
    """Whether `part` has the labels of a chunk of `n_rows`. A damaged file is graded again."""
    if not part.exists():
        return False
    try:
        return pl.read_parquet(part, columns=["row", "status", "grade_probs"]).height == n_rows
    except INPUT_ERRORS:
        return False


def _require_own(parts: Path, job: Mapping[str, object]) -> None:
    """Raise ConfigError unless `parts` is free, or a folder that this command made."""
    remedy = "Move it away, or choose another --out."
    if parts.is_symlink() or (parts.exists() and not parts.is_dir()):
        raise ConfigError(f"{parts} is no folder of this command. {remedy}")
    if not parts.exists():
        return
    for path in parts.iterdir():
        if path.is_symlink() or not path.is_file():
            raise ConfigError(
                f"{parts} has {path.name!r}, which is no file of this command. {remedy}"
            )
    names = {path.name for path in parts.iterdir()}
    if names <= _BEGINNING:
        # The first call was killed: its job.json is missing, or the beginning of ours.
        written = _read_job(parts) if _JOB in names else b""
        if written is not None and json.dumps(job).encode().startswith(written):
            (parts / _JOB).unlink(missing_ok=True)
            return
    if _JOB not in names:
        raise ConfigError(f"{parts} was not made by this command: it has no {_JOB}. {remedy}")
    if _job(parts) is None:
        raise ConfigError(f"{parts}: {_JOB} is damaged, or of another program. {remedy}")


def _job(parts: Path) -> dict[str, object] | None:
    """What job.json says; None where it is missing, or not what this command writes."""
    try:
        job = parse_json(_read_job(parts) or b"")
    except INPUT_ERRORS:
        return None
    return job if isinstance(job, dict) and {"model_id", "pairs"} <= job.keys() else None


def _read_job(parts: Path) -> bytes | None:
    """The bytes of job.json; None where there is none that could be ours."""
    try:
        return read_regular(parts, _JOB, max_bytes=MAX_SETTINGS_BYTES)
    except SetAside:
        return None


def _write_job(parts: Path, job: Mapping[str, object]) -> None:
    try:
        with whole(parts / _JOB) as scratch:
            scratch.write_text(json.dumps(job), encoding="utf-8")
    except OSError as error:
        reason = reason_of(error)
        raise ConfigError(f"{parts} cannot be used: {reason}. Choose another --out.") from error


def _remove(parts: Path) -> None:
    """Remove the files of this command, and the folder if nothing else is in it."""
    with suppress(OSError):
        for path in parts.iterdir():
            is_own = path.name in _BEGINNING or _PART.fullmatch(path.name)
            if is_own or is_bucket_file(path.name):
                path.unlink(missing_ok=True)
        parts.rmdir()
