"""Which reader reads a file, by the ending of its name.

What belongs here: that choice, and how large a file of each format may be. What does not: reading (one
file a format), opening files (intake/regular_files.py).
"""

from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.mail import read_mailbox, read_message
from relabel_assets.intake.formats.markdown_file import read_markdown
from relabel_assets.intake.input_limits import MAX_DOCUMENT_FILE_BYTES
from relabel_assets.intake.set_aside import SetAside

# A reader gets the file's path under documents/ and its bytes.
Reader = Callable[[str, bytes], Iterator[FileText | Unread]]

# Formats that this process reads itself: text, which no parser can hang on.
TEXT_READERS: dict[str, Reader] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".mdx": read_markdown,
    ".txt": read_markdown,
    ".eml": read_message,
    ".mbox": read_mailbox,
}


def suffixes() -> tuple[str, ...]:
    """The endings of the files that are read, in lower case."""
    return tuple(TEXT_READERS)


def max_bytes(name: str) -> int:
    """The size up to which the file `name` is read."""
    return MAX_DOCUMENT_FILE_BYTES


def read_file(name: str, content: bytes) -> Iterator[FileText | Unread]:
    """Every document of the file `name` with these bytes; Unread for a part that cannot be used.

    Raises SetAside for a file that cannot be used, at the latest with the first value.
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in TEXT_READERS:
        raise SetAside(f"{suffix or 'no suffix'} is not read", f"Formats: {', '.join(suffixes())}.")
    yield from TEXT_READERS[suffix](name, content)
