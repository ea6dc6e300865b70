"""The files of documents/ that are read, and what becomes of the others.

What belongs here: which files are documents, which are passed over, and which are named. What does not: the
documents in them (file_documents.py), and opening files (intake/regular_files.py).
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from relabel_assets.corpus.documents_folder.doc_ids import order_of_file
from relabel_assets.errors import Problem
from relabel_assets.intake.formats.mail import is_message
from relabel_assets.intake.formats.registry import (
    is_passed_over,
    max_bytes,
    remedy_of,
    suffixes,
)
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.intake.regular_files import read_regular, walk
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import is_storable, one_line
from relabel_assets.progress import Progress, silent

FOLDER = "documents"
_MAILDIR = ("cur", "new")
_MOST_NAMED = 3  # files of an ending that is not read; more are counted


def document_files(
    corpus: Path, problems: list[Problem], progress: Progress = silent
) -> Iterator[tuple[str, bytes]]:
    """Each usable file of documents/ in the folder of a corpus: (path under it, content), by order_of_file.

    Others are added to `problems`, without hidden files, pictures and the like.
    """
    files = sorted(walk(corpus / FOLDER, inside=corpus), key=lambda file: order_of_file(file[0]))
    unread = list[str]()
    for done, (name, fault) in enumerate(files, start=1):
        progress("reading, files", done, len(files))
        if is_passed_over(name):
            continue
        path, read_as, content = f"{FOLDER}/{name}", name, None
        with costs_itself(problems, path):
            if fault:
                raise fault
            if not is_storable(name):
                raise SetAside("its name is not UTF-8", "Rename it.")
            suffix = PurePosixPath(name).suffix.lower()
            if suffix in suffixes():
                content = read_regular(corpus, path, max_bytes=max_bytes(name))
            elif (content := _mail_without_ending(corpus, path)) is not None:
                # A Maildir writes into the name whether a mail was read: that changes no id.
                read_as = f"{name.partition(':2,')[0]}.eml"
            else:
                unread.append(path)
        if content is not None:
            yield read_as, content
    problems += problems_of_unread(unread, folder=FOLDER)


def may_be_mail(path: str) -> bool:
    """Whether a file without an ending that is read is named as mail archives name their messages.

    >>> may_be_mail("inbox/17."), may_be_mail("mail/cur/1700.M1.host:2,S"), may_be_mail("notes.xyz")
    (True, True, False)
    """
    file = PurePosixPath(path)
    is_numbered = file.name[:1].isdigit() and file.suffix in ("", ".")
    return is_numbered or file.parent.name in _MAILDIR


def _mail_without_ending(corpus: Path, path: str) -> bytes | None:
    """A mail of an archive that names its messages by number (`inbox/17.`, a Maildir); None for no mail."""
    if not may_be_mail(path):
        return None
    content = read_regular(corpus, path, max_bytes=max_bytes("a.eml"))
    return content if is_message(content) else None


def problems_of_unread(unread: Iterable[str], *, folder: str) -> Iterator[Problem]:
    """A problem for each file with an ending that is not read, or one for all of them where they are many.

    >>> [str(problem) for problem in problems_of_unread(["a.doc"], folder="documents")]
    ['a.doc: .doc is not read. Save it as .docx.']
    """
    by_suffix: dict[str, list[str]] = {}
    for path in unread:
        by_suffix.setdefault(PurePosixPath(path).suffix.lower(), []).append(path)
    for suffix, paths in by_suffix.items():
        ending, remedy = suffix or "no ending", remedy_of(suffix)
        if len(paths) <= _MOST_NAMED:
            message = f"a file with {ending} is not read" if not suffix else f"{ending} is not read"
            yield from (Problem(one_line(path), None, one_line(message), remedy) for path in paths)
        else:
            first = one_line(paths[0])
            message = (
                f"{len(paths):,} files with {one_line(ending)} are not read; the first is {first}"
            )
            yield Problem(folder, None, message, remedy)
