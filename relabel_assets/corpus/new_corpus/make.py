"""Making the folder of a new corpus: all of it, or none.

What belongs here: copying into a scratch folder, and putting it in place. What does not: which files go where
(origin.py), and the text of corpus.yaml (settings_text.py).
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from relabel_assets.corpus.folders import NAME
from relabel_assets.corpus.new_corpus.origin import Origin
from relabel_assets.errors import ConfigError, CorpusError, Problem
from relabel_assets.intake.input_limits import MIB
from relabel_assets.intake.one_input import costs_itself, reason_of
from relabel_assets.intake.regular_files import open_regular
from relabel_assets.progress import Progress, silent


@contextmanager
def new_folder(data: Path, name: str, *, is_kept: bool = True) -> Iterator[Path]:
    """A scratch folder that becomes the corpus `name` under `data` when the block ends without an error.

    It is removed after an error, Ctrl-C included; and always unless `is_kept`. Raises CorpusError for a name
    that no corpus can have, and where the corpus exists.
    """
    if not NAME.fullmatch(name):
        raise CorpusError(
            f"corpus {name!r} cannot be made: names are lower case letters, digits and _, at most 64."
        )
    target = data / name
    if os.path.lexists(target):
        raise CorpusError(
            f"{target} already exists, and is not changed. Choose another name, or add files there."
        )
    # A name that no corpus has, so that no run sees it. The folder of the corpus inside has its name.
    scratch = data / f".new-{name}-{os.getpid()}"
    try:
        with _named(target):
            (scratch / name).mkdir(parents=True)
        yield scratch / name
        if is_kept:
            with _named(target):
                (scratch / name).rename(target)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


@contextmanager
def _named(target: Path) -> Iterator[None]:
    """A block whose errors of the system are about making `target`."""
    try:
        yield
    except OSError as error:
        raise CorpusError(
            f"the folder {target} cannot be made: {reason_of(error)}. Set RELABEL_DATA to a folder that "
            "you may write."
        ) from error


def copy_files(origin: Origin, folder: Path, progress: Progress = silent) -> list[Problem]:
    """Copy the files of `origin` into `folder`, with their times. A file that cannot be read is a problem.

    Raises ConfigError where the disk has no room for them.
    """
    sizes = [_size(origin.root / name) for name, _ in origin.files]
    free = shutil.disk_usage(folder).free
    if sum(sizes) > free:
        raise ConfigError(
            f"the files have {sum(sizes) / 1e9:.1f} GB, and the disk of {folder.parent.parent} has "
            f"{free / 1e9:.1f} GB free. Make room, or read them in place: documents: {{url: ...}} in "
            "corpus.yaml, see docs/corpus.md."
        )
    problems: list[Problem] = []
    for done, (name, place) in enumerate(origin.files, start=1):
        progress("copying, files", done, len(origin.files))
        with costs_itself(problems, name):
            target = folder / place
            target.parent.mkdir(parents=True, exist_ok=True)
            with (
                open_regular(origin.root, name, max_bytes=2**63) as opened,
                target.open("wb") as copy,
            ):
                shutil.copyfileobj(opened, copy, MIB)
                times = os.fstat(opened.fileno())
            os.utime(target, ns=(times.st_atime_ns, times.st_mtime_ns))
    return problems


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:  # copying it names the reason
        return 0
