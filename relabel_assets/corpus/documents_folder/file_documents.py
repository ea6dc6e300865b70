"""The documents in the files of documents/.

What belongs here: which text of a file is which column of a document, and what a reader's notes become.
What does not: reading a format (intake/formats/), finding files (folder_files.py), rows (documents.py).
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from pathlib import PurePosixPath
from types import MappingProxyType

from relabel_assets.corpus.documents import Document, document_from_row
from relabel_assets.corpus.documents_folder.doc_ids import DocIds
from relabel_assets.corpus.documents_folder.git_dates import LastChange
from relabel_assets.errors import Problem
from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.headings import first_heading
from relabel_assets.intake.formats.registry import Reader, read_file
from relabel_assets.intake.input_limits import MAX_FIELD_CHARACTERS
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import cut, one_line, storable

_MOST_NAMED = 5  # files with the same note: thousands of slides have pictures without text


def documents_from_files(
    files: Iterable[tuple[str, bytes]],
    *,
    folder: str,
    problems: list[Problem],
    changes: Mapping[str, LastChange] = MappingProxyType({}),
    read: Reader = read_file,
) -> Iterator[Document]:
    """The documents of `files` (path under `folder`, content), which are sorted by order_of_file.

    `read`: the reader of a file, such as one that knows what was found in it before.

    `changes`: the last change of files, for a file of one document that states no date or author itself.

    An unusable file, or an unusable part of one, is a problem. So is a reader's note, and the document is
    read all the same.
    """
    ids, notes = DocIds(), dict[str, list[str]]()
    for name, content in files:
        with costs_itself(problems, f"{folder}/{name}"):
            own_id = ids.of_file(name)
            for text in read(name, content):
                inner = text.inner_name
                place = f"{folder}/{name}" if inner is None else f"{folder}/{name}/{inner}"
                with costs_itself(problems, place):
                    if isinstance(text, Unread):
                        raise SetAside(text.message, text.remedy)
                    if inner is None:
                        document = document_of(
                            _dated(text, changes.get(name)), name=name, doc_id=own_id
                        )
                    else:
                        document = document_of(text, name=name, doc_id=ids.of_part(name, inner))
                    for note in text.notes:
                        notes.setdefault(note, []).append(place)
                    yield document
    problems += _problems_of(notes, folder)


def document_of(text: FileText, *, name: str, doc_id: str) -> Document:
    """The document of a text in the file `name` (its path under documents/).

    Where the file states none, the title is the first heading, else the file's name; the path is `name`, and
    the type is the name of the innermost folder. Too long a field is cut: it must not cost the document.
    Raises SetAside for a text without a word that a reader sees.

    >>> text = FileText("# Leave\\nAsk HR.", metadata={"product": "x"})
    >>> document = document_of(text, name="hr/leave.md", doc_id="hr/leave")
    >>> document["title"], document["path"], document["doc_type"], document["metadata"]
    ('Leave', 'hr/leave.md', 'hr', '{"product": "x"}')
    """
    inner = text.inner_name
    place = PurePosixPath(name if inner is None else f"{name}/{inner}")
    stem = place.stem if inner is None else PurePosixPath(doc_id).name
    fields = {
        "title": text.title or first_heading(text.body) or stem,
        "author": text.author,
        "path": text.path or str(place),
        "updated_at": text.updated_at,
        "doc_type": text.doc_type or _folder_of(name, inner),
    }
    row = {
        column: cut(storable(value).strip(), MAX_FIELD_CHARACTERS)
        for column, value in fields.items()
        if value
    }
    body = storable(text.body)
    return document_from_row(
        {"doc_id": doc_id, "body": body, **row, "metadata": dict(text.metadata)}
    )


def _dated(text: FileText, change: LastChange | None) -> FileText:
    """`text` with the date and author of its last change, where it has none of its own."""
    if change is None:
        return text
    updated_at, author = text.updated_at or change.date, text.author or change.author
    return replace(text, updated_at=updated_at, author=author)


def _folder_of(name: str, inner: str | None) -> str | None:
    """The innermost folder's name: in an archive its own, else that of the file."""
    folders = [nfc(PurePosixPath(path).parent.name) for path in (inner or "", name)]
    return next((folder for folder in folders if folder), None)


def _problems_of(notes: dict[str, list[str]], folder: str) -> Iterator[Problem]:
    """A problem for each document with a note; one for all of them, where more than 5 have the same."""
    for note, places in notes.items():
        message, _, remedy = note.partition(". ")
        message, remedy = one_line(message[:1].lower() + message[1:]), one_line(remedy)
        if len(places) <= _MOST_NAMED:
            yield from (Problem(one_line(place), None, message, remedy) for place in places)
        else:
            several = f"{len(places):,} files, the first is {one_line(places[0])}: {message}"
            yield Problem(folder, None, several, remedy)
