"""What a user's file or folder is, and where its files go in a corpus folder.

What belongs here: that decision. What does not: copying (make.py), and reading documents.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from relabel_assets.corpus.documents_folder.folder_files import may_be_mail, problems_of_unread
from relabel_assets.corpus.part_files import SETTINGS
from relabel_assets.corpus.unread import FOLDERS, READ
from relabel_assets.errors import ConfigError, Problem
from relabel_assets.intake.formats.registry import is_passed_over, remedy_of, suffixes
from relabel_assets.intake.one_input import reason_of
from relabel_assets.intake.regular_files import open_regular, walk
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.kinds import DOCUMENTS
from relabel_assets.intake.tables.reader import SUFFIXES as TABLE_SUFFIXES
from relabel_assets.intake.tables.reader import read_table
from relabel_assets.intake.text import one_line


@dataclass(frozen=True)
class Origin:
    """The files of a new corpus: (path under `root`, path in the corpus folder).

    `is_kept_as_it_is`: the folder is in the form of a corpus already. `left_out`: files that nobody reads.
    """

    root: Path
    description: str
    files: list[tuple[str, str]]
    is_kept_as_it_is: bool = False
    left_out: list[Problem] = field(default_factory=list)


def origin_of(path: Path) -> Origin:
    """What `path` is. Raises ConfigError for what no documents can be read from.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = (Path(folder) / "leave.md").write_text("Ask HR.")
    ...     origin_of(Path(folder)).files
    [('leave.md', 'documents/leave.md')]
    """
    try:
        real = path.resolve(strict=True)
    except (OSError, RuntimeError) as error:  # RuntimeError: links in a circle
        raise ConfigError(f"--from {path} cannot be read: {reason_of(error)}.") from error
    if real.is_dir():
        return _of_folder(path, real)
    return _of_file(path, real)


def _of_file(path: Path, real: Path) -> Origin:
    suffix = real.suffix.lower()
    if suffix not in suffixes():
        ending = suffix or "a file without an ending"
        raise ConfigError(f"--from {path}: {ending} is not read. {remedy_of(suffix)}")
    if suffix in TABLE_SUFFIXES and _is_table_of_documents(real):
        return Origin(real.parent, "a table of documents", [(real.name, f"documents{suffix}")])
    return Origin(real.parent, f"a {suffix} file", [(real.name, f"documents/{real.name}")])


def _is_table_of_documents(file: Path) -> bool:
    """Whether a table has a row for each document: columns for an id and a text."""
    try:
        with open_regular(file.parent, file.name, max_bytes=2**63) as opened:
            rows = read_table(opened, file.suffix.lower(), DOCUMENTS).rows
            first = next((row for _, row in rows if not isinstance(row, SetAside)), None)
            if first is not None:
                DOCUMENTS.check(first, list(first))
            return first is not None
    except SetAside:
        return False


def _of_folder(path: Path, root: Path) -> Origin:
    found = list(walk(root))
    tops = {PurePosixPath(name).parts[0] for name, _ in found}
    is_corpus = bool(tops & set(SETTINGS))
    has_parts = bool(tops & READ) or ("documents" in tops and (root / "documents").is_dir())
    left_out = [
        Problem(one_line(name), None, fault.message, fault.remedy) for name, fault in found if fault
    ]
    names = [name for name, fault in found if not fault]
    if is_corpus or has_parts:
        kept = [name for name in names if is_corpus or _is_part(name)]
        left_out += _unread(names, kept, root)
        described = "a corpus folder" if is_corpus else "a folder of queries, grades and documents"
        return Origin(root, described, [(n, n) for n in kept], is_corpus, left_out)
    to_nothing = [
        name for name in names if not is_passed_over(name) and _is_link_to_nothing(root / name)
    ]
    left_out += [
        Problem(one_line(name), None, "it is a link to nothing", "Correct it, or take it out.")
        for name in to_nothing
    ]
    names = sorted(set(names) - set(to_nothing))
    read = [name for name in names if not is_passed_over(name) and _is_read(name)]
    left_out += _unread(names, read, root)
    if not read:
        raise ConfigError(
            f"--from {path}: it has no document. Endings that are read: {', '.join(suffixes())}."
        )
    return Origin(
        root, "a folder of documents", [(n, f"documents/{n}") for n in read], False, left_out
    )


def _is_link_to_nothing(file: Path) -> bool:
    return file.is_symlink() and not file.exists()


def _is_part(name: str) -> bool:
    """Whether a file of a folder is one that a corpus folder has by that name."""
    parts = PurePosixPath(name).parts
    return parts[0] in (READ if len(parts) == 1 else FOLDERS)


def _is_read(name: str) -> bool:
    return PurePosixPath(name).suffix.lower() in suffixes() or may_be_mail(name)


def _unread(names: Iterable[str], read: Iterable[str], root: Path) -> list[Problem]:
    """A problem for each of `names` that is neither read nor passed over, or one where they are many."""
    unread = sorted(set(names) - set(read))
    return [
        *problems_of_unread(
            (name for name in unread if not is_passed_over(name)), folder=one_line(root.name)
        )
    ]
