"""The rule of every `--out`: what exists is replaced by --force only.

What belongs here: that rule and its message. What does not: writing the file (files.py).
"""

from pathlib import Path

from relabel_assets.errors import ConfigError
from relabel_assets.intake.text import shown


def require_free(out: Path, *, is_forced: bool = False) -> None:
    """Raise ConfigError where something is at `out`, a link to nothing included.

    If `is_forced`, a file may be there, and nothing else.

    >>> import tempfile
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     require_free(Path(file.name), is_forced=True)
    >>> require_free(Path(file.name))
    """
    try:
        is_taken = out.exists() or out.is_symlink()
        is_file = out.is_file() and not out.is_symlink()
    except OSError as error:  # its name is too long
        raise ConfigError(
            f"--out {shown(str(out))} cannot be used: {error.strerror}. Choose another --out."
        ) from error
    if not is_taken or (is_forced and is_file):
        return
    remedy = "Choose another --out" + (", or replace it with --force." if is_file else ".")
    raise ConfigError(f"{out} already exists. {remedy}")
