"""Hostile files: encodings, sizes, kinds of files, links and names.

What belongs here: what a folder holds beside or in place of good files. What does not: a file's rows.
"""

import gzip
import os
import socket
from pathlib import Path
from random import Random

from relabel_assets_tests.fuzz.good_corpus import KINDS, write_good
from relabel_assets_tests.fuzz.nasty_values import BLANKS, ESCAPES, UNITS, plain_text, size

_TARGETS = (
    "/etc/passwd",
    "/proc/self/environ",
    "/dev/zero",
    "/dev/null",
    "/dev/stdin",
    "/proc/self/mem",
    "/",
)
_FILES = (
    "documents", "documents/d1.md", "documents/x.md", "documents.jsonl", "documents.csv",
    "documents.parquet",
    "corpus.jsonl", "queries.jsonl", "teacher_labels.jsonl", "reference_labels.qrels", "qrels",
    "qrels/test.tsv",
    "qrels/x.tsv", "corpus.yaml", "rubric.yaml", "grading.yaml", "notes.bin", "documents/sub/x.md",
)  # fmt: skip


def encoding(rng: Random, folder: Path) -> str:
    """One file of the corpus in another encoding, or with bytes that are not UTF-8."""
    write_good(folder, rng.choice(KINDS))
    path = _some_file(rng, folder)
    content = path.read_bytes()
    word = content.decode("utf-8", "replace")
    place = rng.randrange(len(content) + 1)
    bad = rng.choice(
        (
            b"\xff",
            b"\xfe\xff",
            b"\x00",
            b"\xc0\x80",
            b"\xed\xa0\x80",
            b"\xf5\x80\x80\x80",
            b"\xe9",
            b"\xef\xbb\xbf",
            b"\x1a",
        )
    )
    changes = (
        word.encode("utf-16"), word.encode("utf-16-le"), word.encode("utf-32"),
        word.encode("cp1252", "replace") + b"\xe9\x80\n",
        word.encode("utf-7"), content[:place] + bad * size(rng, 100) + content[place:],
        b"\xef\xbb\xbf" + content,
        b"\xef\xbb\xbf" * 3 + content, gzip.compress(content, mtime=0), content.replace(b"\n", b"\r"),
        content.replace(b"\n", b"\x00"),
        b"", rng.choice(BLANKS).encode(), b"\n" * size(rng), b"\x00" * size(rng),
        b"PK\x03\x04" + content, b"SQLite format 3\x00",
        b"%PDF-1.7\n" + bytes(range(256)), rng.randbytes(size(rng)), content[: place // 2], content * 2,
    )  # fmt: skip
    path.write_bytes(rng.choice(changes))
    return path.relative_to(folder).as_posix()


def kind_of_file(rng: Random, folder: Path) -> str:
    """A FIFO, socket, link, folder or unreadable file where a file or folder is expected."""
    write_good(folder, rng.choice(KINDS))
    path = folder / rng.choice(_FILES)
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove(path)
    maker = rng.choice((_fifo, _socket, _link, _link, _link, _folder, _unreadable))
    maker(rng, path)
    return f"{path.relative_to(folder)}: {maker.__name__.strip('_')}"


def name(rng: Random, folder: Path) -> str:
    """A file whose name is hostile: bytes, controls, length, depth, or like another one's."""
    root = write_good(folder, "markdown")
    # With the suffix, 255 bytes: the longest name that file systems allow.
    stems = (
        b"\xff\xfe", b"caf\xe9", "café".encode(), "cafe\u0301".encode(), b"a\nb", b"\x1b[31m", b"\x07",
        "\u202egnp".encode(),
        b"x" * 255, ("語" * 83).encode(), b"-", b"--help", b" ", b"d1 ", b"D1", b"..x", b"a\\b", b"*",
        b"[red]", b"C:", b"~",
        b"'; drop table x", b"%s", b"$(touch pwned)", b"d1.md",
        "\ud800".encode("utf-8", "surrogatepass"), b"\xed\xb3\xbf", b"con",
        plain_text(rng, 100).replace("/", "").replace("\x00", "").encode()[:240] or b"x",
        rng.choice(ESCAPES).encode("utf-8", "replace"),
    )  # fmt: skip
    stem = rng.choice(stems).replace(b"/", b"").replace(b"\x00", b"") or b"x"
    parent = os.fsencode(rng.choice((root, root, folder)))
    if rng.random() < 0.3:  # in a folder with that name
        parent = os.path.join(parent, stem[:253] + b".d")  # noqa: PTH118  pathlib takes no bytes
        os.makedirs(parent, exist_ok=True)  # noqa: PTH103
    suffix = rng.choice((b".md", b".md", b".txt", b".png", b".docx", b"", b".MD", b".jsonl"))
    file = stem[: 255 - len(suffix)] + suffix
    with open(os.path.join(parent, b"x" if file in {b".", b".."} else file), "wb") as out:  # noqa: PTH118, PTH123
        out.write(b"# A title\n\nA body about leave.\n")
    return repr(stem)[:60]


def deep_folders(rng: Random, folder: Path) -> str:
    """Folders inside each other, or many in one."""
    root = write_good(folder, "markdown")
    if rng.random() < 0.3:
        n = size(rng, 300)
        for number in range(n):
            (root / f"f{number}").mkdir()
            (root / f"f{number}" / "index.md").write_text("A body.\n")
        return f"{n} folders"
    here, depth = os.open(root, os.O_RDONLY), size(rng, 600)
    for _ in range(depth):  # a path may be longer than the system takes: so one step at a time
        os.mkdir("a", dir_fd=here)
        inner = os.open("a", os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    file = os.open("deep.md", os.O_WRONLY | os.O_CREAT, 0o600, dir_fd=here)
    os.write(file, b"A body.\n")
    os.close(file)
    os.close(here)
    return f"{depth} deep"


def missing(rng: Random, folder: Path) -> str:
    """Files that are not there, or sources that are there twice."""
    root = write_good(folder, rng.choice(KINDS))
    kind = rng.randrange(4)
    if kind == 0:
        _remove(_some_file(rng, folder))
        return "a file is missing"
    if kind == 1:
        _remove(root)
        return "no documents"
    if kind == 2:
        for path in sorted(folder.iterdir()):
            _remove(path)
        return "nothing"
    (folder / rng.choice(("documents.csv", "documents.jsonl", "corpus.jsonl"))).write_text(
        "doc_id,body\nd1,x\n"
    )
    return "perhaps two sources"


def long_line(rng: Random, folder: Path, largest: int = 100_000) -> str:
    """One line, cell, key or word that is very long, at any place of a file."""
    write_good(folder, rng.choice(("jsonl", "csv", "markdown", "beir")))
    path = _some_file(rng, folder)
    content = path.read_text()
    place = rng.randrange(len(content) + 1)
    path.write_text(
        content[:place] + rng.choice(UNITS) * size(rng, largest) + content[place:], newline=""
    )
    return path.relative_to(folder).as_posix()


def _some_file(rng: Random, folder: Path) -> Path:
    return rng.choice(sorted(path for path in folder.rglob("*") if path.is_file()))


def _remove(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        for inner in sorted(path.rglob("*"), reverse=True):
            inner.rmdir() if inner.is_dir() and not inner.is_symlink() else inner.unlink()
        path.rmdir()
    else:
        path.unlink(missing_ok=True)


def _fifo(rng: Random, path: Path) -> None:
    os.mkfifo(path)


def _socket(rng: Random, path: Path) -> None:
    here = os.open(path.parent, os.O_RDONLY)  # the address of a socket has at most 107 bytes
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(f"/proc/self/fd/{here}/{path.name}")
    os.close(here)


def _link(rng: Random, path: Path) -> None:
    inside = (
        "loop",
        path.name,
        "missing",
        "..",
        ".",
        "../..",
        "queries.jsonl",
        "../queries.jsonl",
        "b\udcff",
        "x" * 255,
    )
    target = rng.choice((*_TARGETS, *inside))
    path.symlink_to(target)
    if target == "loop":
        (path.parent / "loop").symlink_to(path.name)


def _folder(rng: Random, path: Path) -> None:
    (path / "inner.md").mkdir(parents=True)


def _unreadable(rng: Random, path: Path) -> None:
    path.write_text("x")
    path.chmod(0)
