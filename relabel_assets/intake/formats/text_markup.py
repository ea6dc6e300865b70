"""Files of reStructuredText and AsciiDoc: text with marks that people read as they are.

What belongs here: which lines are the title, author and date, and which no reader of the rendered page sees.
What does not: Markdown (markdown_file.py). The marks themselves stay in the text, as those of Markdown do.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import PurePosixPath

from relabel_assets.intake.decoded_text import decoded_text
from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.parsing.properties import date_of
from relabel_assets.intake.formats.stated_fields import with_stated
from relabel_assets.intake.visible_text import visible_text

Page = tuple[list[str], dict[str, str]]  # the lines that a reader sees, and what the page states
_STATED = ("title", "author", "authors", "date", "revdate", "description", "keywords")

# A title's line, and the line above or below it: one mark, again and again.
_ADORNMENT = re.compile(r"([!-/:-@\[-`{-~])\1{2,}\s*")
_FIELD = re.compile(r":([\w][\w .-]*):(?:\s+(.*))?")
_EXPLICIT = re.compile(r" *\.\.(?: +(\S.*))?")
# What begins so is seen; so are its indented lines. All else after two full stops is a comment.
_SEEN = re.compile(r"(?:[\w:.+-]+::(?:\s|$)|\|[^|]+\||_[^:]+:|__|\[[^\]]+\])")
_CODE = re.compile(r"(?:code|code-block|sourcecode|parsed-literal|prompt)::")
_UNSEEN_DIRECTIVE = re.compile(r"(?:toctree|meta|index|highlight|contents|sectnum)::")

_ADOC_TITLE = re.compile(r"[=#] +(\S.*)")
_ADOC_ATTRIBUTE = re.compile(r":!?([\w-]+)!?:(?: +(.*))?")
_ADOC_AUTHOR = re.compile(r"[^\W\d_][\w.'-]*(?: [\w.'-]+){0,3}(?: <[^>]*>)?(?:; .+)?")
_ADOC_REVISION = re.compile(r"v?\d[\w.-]*(?:, *([^:]+))?(?::.*)?")


def read_markup(name: str, content: bytes) -> Iterator[FileText]:
    """The one document in a file of reStructuredText or AsciiDoc.

    Comments and instructions to programs are left out. Raises SetAside for bytes that are no text.

    >>> [page] = read_markup("leave.adoc", b"= Leave\\nAna Ek\\n2024-03-01\\n\\n// draft\\nAsk HR.")
    >>> page.title, page.author, page.updated_at, page.body.splitlines()[-1]
    ('Leave', 'Ana Ek', '2024-03-01', 'Ask HR.')
    """
    decoded = decoded_text(content)
    lines, stated = MARKUPS[PurePosixPath(name).suffix.lower()](decoded.text.splitlines())
    values = {key: value for key, value in stated.items() if key in _STATED and value}
    date = date_of(values.pop("revdate", None) or values.pop("date", None))
    if date:
        values["date"] = date
    body = visible_text("\n".join(lines)).strip()
    yield with_stated(body, values, notes=decoded.notes)


def _restructured(lines: list[str]) -> Page:
    """A page of reStructuredText. Its title is the first, its fields are those around it."""
    kept, stated, title_at = list[str](), dict[str, str](), -1
    # The indent of a comment or of code: what is further in belongs to it.
    hidden: int | None = None
    code: int | None = None
    for line in lines:
        indent = len(line) - len(line.lstrip())
        is_blank = not line.strip()
        if hidden is not None and (is_blank or indent > hidden):
            continue
        if code is not None and (is_blank or indent > code):
            kept.append(line.rstrip())
            continue
        hidden = code = None
        explicit = _EXPLICIT.fullmatch(line.rstrip())
        if explicit and _is_unseen(explicit[1]):
            hidden = indent
            continue
        begins_code = _CODE.match(explicit[1]) if explicit else line.rstrip().endswith("::")
        if begins_code:
            code = indent
        above = kept[-1] if kept else ""
        if (
            title_at < 0
            and _ADORNMENT.fullmatch(line)
            and above.strip()
            and not _ADORNMENT.fullmatch(above)
            and len(line.rstrip()) >= len(above.strip())
        ):
            title_at = len(kept)
            stated["title"] = above.strip()
        kept.append(line.rstrip())
    for start in (0, title_at + 1):
        stated = _fields(kept[start:]) | stated
    return kept, stated


def _is_unseen(text: str | None) -> bool:
    """Whether what follows two full stops is a comment, or a list of other pages."""
    return not text or not _SEEN.match(text) or _UNSEEN_DIRECTIVE.match(text) is not None


def _fields(lines: list[str]) -> dict[str, str]:
    """The fields `:Name: value` before anything else, by their names in lower case."""
    stated = dict[str, str]()
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field:
            stated.setdefault(field[1].lower(), (field[2] or "").strip())
        elif line.strip():
            break
    return stated


def _asciidoc(lines: list[str]) -> Page:
    """A page of AsciiDoc: its header is the title and the lines below it, up to an empty one."""
    kept, stated = list[str](), dict[str, str]()
    fence, is_header = "", True
    for raw in lines:
        line = raw.rstrip()
        if fence or (line.startswith("////") and not line.strip("/")):
            fence = "" if line == fence else fence or line
            continue
        if line.startswith("//") and not line.startswith("///"):
            continue
        if is_header and (attribute := _ADOC_ATTRIBUTE.fullmatch(line)):
            stated.setdefault(attribute[1].lower(), (attribute[2] or "").strip())
            continue
        if is_header and "title" not in stated and (title := _ADOC_TITLE.fullmatch(line)):
            stated["title"] = title[1]
        elif is_header and "title" in stated and line:
            _state_line_of_header(line, stated)
        elif line or "title" in stated:
            is_header = False
        kept.append(line)
    return kept, stated


def _state_line_of_header(line: str, stated: dict[str, str]) -> None:
    """The author's line is the first below the title, that of the revision follows it."""
    if (revision := _ADOC_REVISION.fullmatch(line)) and "date" not in stated:
        stated["date"] = (revision[1] or line).strip()
    elif "author" not in stated and _ADOC_AUTHOR.fullmatch(line):
        stated["author"] = re.sub(r" *<[^>]*>", "", line).replace(";", ",")


MARKUPS: dict[str, Callable[[list[str]], Page]] = {
    ".rst": _restructured,
    ".adoc": _asciidoc,
    ".asciidoc": _asciidoc,
}
