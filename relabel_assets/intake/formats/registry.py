"""Which reader reads a file, by the ending of its name.

What belongs here: that choice, and how large a file of each format may be. What does not: reading (one
file a format), opening files (intake/regular_files.py).
"""

from collections.abc import Callable, Iterable, Iterator
from pathlib import PurePosixPath

from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.mail import read_mailbox, read_message
from relabel_assets.intake.formats.markdown_file import read_markdown
from relabel_assets.intake.formats.parsing.process import parse
from relabel_assets.intake.formats.text_markup import MARKUPS, read_markup
from relabel_assets.intake.formats.zip_archive import read_archive
from relabel_assets.intake.input_limits import (
    MAX_ARCHIVE_BYTES,
    MAX_DOCUMENT_FILE_BYTES,
    MAX_PARSED_FILE_BYTES,
)
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.reader import SUFFIXES as TABLE_SUFFIXES
from relabel_assets.intake.tables.table_documents import table_documents

# A reader gets the file's path under documents/ and its bytes.
Reader = Callable[[str, bytes], Iterator[FileText | Unread]]

# Formats that this process reads itself: text, which no parser can hang on.
TEXT_READERS: dict[str, Reader] = {
    ".md": read_markdown,
    ".markdown": read_markdown,
    ".mdx": read_markdown,
    ".txt": read_markdown,
    **dict.fromkeys(MARKUPS, read_markup),
    ".eml": read_message,
    ".mbox": read_mailbox,
    **dict.fromkeys(TABLE_SUFFIXES, table_documents),
}


# Formats that need a parser, which runs in a process of its own: the module that reads them.
PARSED = {
    ".html": "html",
    ".htm": "html",
    ".xhtml": "html",
    ".pdf": "pdf",
    ".docx": "docx",
    ".docm": "docx",  # with macros, which are never run
    ".pptx": "pptx",
    ".pptm": "pptx",
}
ARCHIVE = ".zip"
# Formats that are not read, and what to do.
_SAVE_AS = {
    ".doc": ".docx", ".dot": ".docx", ".rtf": ".docx", ".odt": ".docx", ".pages": ".docx", ".wpd": ".docx",
    ".ppt": ".pptx", ".pps": ".pptx", ".odp": ".pptx", ".key": ".pptx",
    ".msg": ".eml", ".mht": ".html", ".mhtml": ".html", ".xps": ".pdf", ".epub": ".html",
}  # fmt: skip
_UNPACK = (".7z", ".rar", ".tar", ".gz", ".tgz", ".bz2", ".xz", ".zst")
_FORMATS = (
    "Markdown, text, HTML, PDF, Word, PowerPoint, mail, tables and zip; see docs/documents.md"
)
# Pictures, styles, scripts and fonts of web pages: they are passed over without a problem.
_QUIET = """
    .png .jpg .jpeg .gif .svg .webp .ico .bmp .tif .tiff .avif .heic .css .scss .sass .less .js .mjs .map
    .woff .woff2 .ttf .otf .eot
"""
_QUIET_SUFFIXES = frozenset(_QUIET.split())
# Of systems and of site generators. JSON of another name is read as a table.
_QUIET_NAMES = frozenset(
    {
        "thumbs.db",
        "desktop.ini",
        "package.json",
        "package-lock.json",
        "tsconfig.json",
        "_category_.json",
    }
)
_QUIET_FOLDER = "node_modules"  # the documentation of packages
_HIDDEN = (".", "~$", "__MACOSX")  # how names begin, the last in archives that macOS made


def suffixes() -> tuple[str, ...]:
    """The endings of the files that are read, in lower case.

    >>> ".pdf" in suffixes()
    True
    """
    return (*TEXT_READERS, *PARSED, ARCHIVE)


def max_bytes(name: str) -> int:
    """The size up to which the file `name` is read.

    >>> max_bytes("leave.md") < max_bytes("leave.PDF")
    True
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix == ARCHIVE:
        return MAX_ARCHIVE_BYTES
    # A mailbox holds the mails of years, and a table the documents of a wiki.
    is_large = suffix in PARSED or suffix == ".mbox" or suffix in TABLE_SUFFIXES
    return MAX_PARSED_FILE_BYTES if is_large else MAX_DOCUMENT_FILE_BYTES


def is_passed_over(name: str) -> bool:
    """Whether a file is left out without a word: a hidden one, and what sites have beside their pages.

    >>> is_passed_over(".git/config"), is_passed_over("logo.png"), is_passed_over("leave.md")
    (True, True, False)
    """
    file = PurePosixPath(name)
    is_hidden = any(part.startswith(_HIDDEN) and part != ".." for part in file.parts)
    is_hidden = is_hidden or _QUIET_FOLDER in file.parts[:-1]
    return is_hidden or file.suffix.lower() in _QUIET_SUFFIXES or file.name.lower() in _QUIET_NAMES


def remedy_of(suffix: str) -> str:
    """What to do with files of an ending that is not read.

    >>> remedy_of(".doc"), remedy_of(".tar")
    ('Save it as .docx.', 'Unpack it.')
    """
    if suffix in _SAVE_AS:
        return f"Save it as {_SAVE_AS[suffix]}."
    return "Unpack it." if suffix in _UNPACK else f"Formats: {_FORMATS}."


def read_file(name: str, content: bytes) -> Iterator[FileText | Unread]:
    """Every document of the file `name` with these bytes; Unread for a part that cannot be used.

    Raises SetAside for a file that cannot be used, at the latest with the first value.

    >>> [text.body for text in read_file("leave.md", b"Ask HR.")]
    ['Ask HR.']
    """
    suffix = PurePosixPath(name).suffix.lower()
    if suffix not in suffixes():
        raise SetAside(f"{suffix or 'a file without an ending'} is not read", remedy_of(suffix))
    is_empty = True
    try:
        for part in _parts(name, content, suffix):
            is_empty = False
            yield part
    except RecursionError as error:
        message = "its parts are too deep inside each other"
        raise SetAside(message, "Save it again, or take it out.") from error
    if is_empty:
        raise SetAside("there is no document in it", "Put one in, or take it out.")


def _parts(name: str, content: bytes, suffix: str) -> Iterable[FileText | Unread]:
    if suffix in TEXT_READERS:
        return TEXT_READERS[suffix](name, content)
    if suffix in PARSED:
        return parse(PARSED[suffix], name, content)
    return read_archive(
        name, content, read_inner=read_file, max_bytes=max_bytes, is_passed_over=is_passed_over
    )
