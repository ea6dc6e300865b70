"""Hostile files among good ones: what reading a corpus of them takes, and what becomes of each.

    python -m relabel_assets_tests.benchmarks.hostile_files --files 300

Makes files from seeds (truncated, flipped, bombs, objects that hold themselves, deep nesting, empty, wrong
endings and encodings, endless page trees, entities, paths that lead out, encryption), puts them into a corpus
with two good documents, and reads it. It fails unless the good documents are read, every other file is read
or named with a reason and a remedy, nothing is written outside, and none takes longer than the limits.
"""

import argparse
import os
import random
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from relabel_assets.corpus.documents_folder.file_documents import documents_from_files
from relabel_assets.corpus.documents_folder.folder_files import document_files
from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import PARSER_FILE_S, PARSER_IDLE_S
from relabel_assets_tests.benchmarks.hostile_makers import MAKERS
from relabel_assets_tests.intake.formats import samples

GOOD_TEXT = "Hand in receipts within thirty days."
GOOD_IDS = ("aa-good", "zz-good")


class Reading(NamedTuple):
    """What reading a corpus gave: document ids, problems, seconds of each file, changes outside."""

    texts: dict[str, str]
    problems: list[Problem]
    seconds: dict[str, float]
    silent: list[str]  # files of which there is neither a document nor a problem


def write_corpus(folder: Path, n_files: int) -> dict[str, str]:
    """Write a corpus of `n_files` hostile files between two good ones. Returns the maker of each file."""
    documents = folder / "documents"
    documents.mkdir(parents=True)
    (documents / f"{GOOD_IDS[0]}.md").write_text(f"# Receipts\n{GOOD_TEXT}\n", encoding="utf-8")
    good = samples.docx_file(title="Receipts", paragraphs=[GOOD_TEXT])
    (documents / f"{GOOD_IDS[1]}.docx").write_bytes(good)
    makers = {}
    for seed in range(n_files):
        make = MAKERS[seed % len(MAKERS)]
        suffix, content = make(random.Random(seed))
        name = f"h{seed:04}-{make.__name__}{suffix}"
        (documents / name).write_bytes(content)
        makers[name] = make.__name__
    return makers


def read_corpus(folder: Path) -> Reading:
    """Read the documents of a corpus, as seed_docs does, file by file."""
    problems: list[Problem] = []
    texts: dict[str, str] = {}
    seconds: dict[str, float] = {}
    silent = []
    for name, content in document_files(folder, problems):
        own: list[Problem] = []
        started = time.monotonic()
        found = list(documents_from_files([(name, content)], folder="documents", problems=own))
        seconds[name] = time.monotonic() - started
        texts |= {str(document["doc_id"]): str(document["body"]) for document in found}
        problems += own
        if not found and not own:
            silent.append(name)
    return Reading(texts, problems, seconds, silent)


def faults_of(reading: Reading, before: set[str], outside: Path) -> list[str]:
    """What is wrong with a reading; empty where all is well."""
    faults = [f"{name}: neither read nor named" for name in reading.silent]
    faults += [
        f"{doc_id}: a good document is lost"
        for doc_id in GOOD_IDS
        if GOOD_TEXT not in reading.texts.get(doc_id, "")
    ]
    faults += [
        f"{problem}: no reason or no remedy"
        for problem in reading.problems
        if not problem.message or not problem.remedy
    ]
    faults += [f"{problem}: a Python error" for problem in reading.problems if _is_python(problem)]
    limit = PARSER_FILE_S + PARSER_IDLE_S
    faults += [f"{name}: {s:.0f} s" for name, s in reading.seconds.items() if s > limit]
    secrets = [value for value in os.environ.values() if len(value) > 20]
    faults += [
        f"{doc_id}: it holds what another file holds"
        for doc_id, text in reading.texts.items()
        if any(value in text for value in secrets)
    ]
    return faults + [f"{path}: written outside" for path in sorted(names_in(outside) - before)]


def names_in(folder: Path) -> set[str]:
    """The paths of all files below `folder`."""
    return {str(path) for path in folder.rglob("*")}


def _is_python(problem: Problem) -> bool:
    return any(
        word in problem.message
        for word in ("Traceback", "Error: ", "object has no attribute", "NoneType")
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--files", type=int, default=300)
    parser.add_argument("--show", action="store_true", help="print every problem")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        outside = Path(temporary)
        makers = write_corpus(outside / "data" / "hostile", arguments.files)
        before = names_in(outside)
        started = time.monotonic()
        reading = read_corpus(outside / "data" / "hostile")
        total = time.monotonic() - started
        faults = faults_of(reading, before, outside)
    if arguments.show:
        print(*reading.problems, sep="\n")
    slowest = sorted(reading.seconds, key=reading.seconds.__getitem__, reverse=True)[:5]
    print(f"{len(makers)} hostile files and 2 good ones: {total:.0f} s")
    print("slowest:", ", ".join(f"{name} {reading.seconds[name]:.1f} s" for name in slowest))
    named = {problem.file.split("/")[1] for problem in reading.problems if "/" in problem.file}
    kinds = Counter(makers[name] for name in named if name in makers)
    print("named with a reason:", sum(kinds.values()), dict(kinds))
    print("documents that were read:", len(reading.texts))
    print("faults:", len(faults), *faults, sep="\n")
    raise SystemExit(bool(faults))


if __name__ == "__main__":
    main()
