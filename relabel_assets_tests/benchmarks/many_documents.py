"""Seconds and memory of commands on a corpus of many documents, in a folder or in one file.

    python -m relabel_assets_tests.benchmarks.many_documents --documents 100000
    python -m relabel_assets_tests.benchmarks.many_documents --documents 100000 --rival /tmp/before

Each command runs in a process of its own. Its memory is the largest sum of resident bytes of the process
and its children, looked at 20 times a second. The rival is another checkout of this project, such as the
commit before: both run each command on the same files, one after the other, and the ratio is printed. CPU
seconds tell more than seconds where other work runs on the machine.

    git archive COMMIT | tar x -C /tmp/before
"""

import argparse
import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import polars as pl
import psutil

_RELABEL = "import sys; from relabel_assets.cli.main import main; sys.argv[0] = 'relabel'; main()"
_HERE = Path(__file__).resolve().parents[2]
_QUERIES = 300
FORMS = ("folder", "jsonl", "parquet", "csv", "sql")


def documents(count: int, words: int) -> Iterator[dict[str, str]]:
    """`count` documents of about `words` words each, of a vocabulary as skewed as that of real texts."""
    draw = random.Random(13)
    vocabulary = [f"{chr(97 + n % 26)}{n:x}" for n in range(20_000)]
    weights = [1 / (n + 10) for n in range(len(vocabulary))]
    pool = draw.choices(vocabulary, weights, k=1_000_000)
    for number in range(count):
        start, length = draw.randrange(len(pool) - 2 * words), draw.randint(words // 2, 2 * words)
        body = " ".join(pool[start : start + length])
        yield {
            "doc_id": f"{number // 1000:04}/{number:07}",
            "title": f"Page {number}",
            "body": body,
        }


def write_corpus(folder: Path, form: str, count: int, words: int) -> None:
    """A corpus of `count` documents in `form`, with queries, in the new folder `folder`."""
    folder.mkdir(parents=True)
    rows = documents(count, words)
    if form == "folder":
        for row in rows:
            file = folder / "documents" / f"{row['doc_id']}.md"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(f"# {row['title']}\n\n{row['body']}\n")
    elif form == "jsonl":
        with (folder / "documents.jsonl").open("w") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    elif form == "sql":
        (folder / "corpus.yaml").write_text(
            "documents: {sql: \"select doc_id, title, body from 'pages.parquet'\"}\n"
        )
        pl.DataFrame(rows).write_parquet(folder / "pages.parquet")
    else:
        frame = pl.DataFrame(rows)
        write = frame.write_parquet if form == "parquet" else frame.write_csv
        write(folder / f"documents.{form}")
    with (folder / "queries.jsonl").open("w") as file:
        for number, row in enumerate(documents(_QUERIES, words)):
            query = {"query_id": f"q{number}", "text": " ".join(row["body"].split()[:6])}
            file.write(json.dumps(query) + "\n")


def run(
    code: Path, home: Path, data: Path, command: Sequence[str]
) -> tuple[float, float, float, str]:
    """Seconds, CPU seconds and MB of one command, and the last line that it printed."""
    environment = os.environ | {
        "RELABEL_HOME": str(home),
        "RELABEL_DATA": str(data),
        "PYTHONPATH": str(code),
    }
    with tempfile.TemporaryFile("w+") as output:
        started, peak, before = time.perf_counter(), 0, os.times()
        process = subprocess.Popen(
            [sys.executable, "-c", _RELABEL, *command], env=environment, cwd=code,
            stdout=output, stderr=output,
        )  # fmt: skip
        while process.poll() is None:
            peak = max(peak, _resident_bytes(process.pid))
            time.sleep(0.05)
        seconds, after = time.perf_counter() - started, os.times()
        output.seek(0)
        lines = output.read().strip().splitlines()
    cpu = after.children_user + after.children_system
    cpu -= before.children_user + before.children_system
    return seconds, cpu, peak / 1e6, lines[-1] if lines else ""


def _resident_bytes(pid: int) -> int:
    """The resident bytes of a process and all its children."""
    total = 0
    try:
        process = psutil.Process(pid)
        for each in (process, *process.children(recursive=True)):
            total += each.memory_info().rss
    except psutil.Error:
        pass
    return total


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--documents", type=int, default=100_000)
    parser.add_argument("--words", type=int, default=300)
    parser.add_argument("--forms", nargs="*", choices=FORMS, default=["folder", "jsonl", "parquet"])
    parser.add_argument("--rival", type=Path, help="Another checkout of this project.")
    parser.add_argument("--all", action="store_true", help="Plan, list, check and candidates too.")
    parser.add_argument("--keep", type=Path, help="A folder to write to, which stays.")
    arguments = parser.parse_args()
    folder = arguments.keep or Path(tempfile.mkdtemp(prefix="many-documents-"))
    codes = {"now": _HERE} | ({"rival": arguments.rival.resolve()} if arguments.rival else {})
    try:
        for form in arguments.forms:
            data = folder / form
            if not data.exists():
                write_corpus(data / "many", form, arguments.documents, arguments.words)
            _measure(form, data, folder, codes, is_all=arguments.all)
    finally:
        if not arguments.keep:
            shutil.rmtree(folder)


def _measure(form: str, data: Path, folder: Path, codes: dict[str, Path], *, is_all: bool) -> None:
    seed_docs = ("run", "-s", "seed_docs")
    steps = [
        ("first run", seed_docs, None),
        ("unchanged", seed_docs, None),
        ("one changed", seed_docs, _change_one),
    ]
    if is_all:
        upstream = "seed_docs or synthetic_queries or reference_labels or bm25_candidates"
        steps += [
            ("list", ("corpora", "list"), None),
            ("check", ("corpora", "check"), None),
            ("plan", ("plan",), None),
            ("candidates", ("run", "-s", upstream), None),
            ("doctor", ("doctor",), None),
        ]
    homes = {code: folder / f"{form}-{code}" for code in codes}
    for home in homes.values():
        shutil.rmtree(home, ignore_errors=True)
    for name, command, prepare in steps:
        if prepare:
            prepare(data / "many")
        measured = {code: run(path, homes[code], data, command) for code, path in codes.items()}
        line = f"{form:8} {name:12}"
        for code, (seconds, cpu, megabytes, _) in measured.items():
            line += f"  {code}: {seconds:.1f} s, {cpu:.1f} CPU s, {megabytes:.0f} MB"
        if "rival" in measured:
            now, rival = measured["now"], measured["rival"]
            cpu, memory = rival[1] / now[1], rival[2] / now[2]
            line += f"  rival/now: {cpu:.2f} in CPU seconds, {memory:.2f} in memory"
        print(f"{line}  ({measured['now'][3][:60]})", flush=True)


def _change_one(corpus: Path) -> None:
    """Add a word to one document of a folder; a file of rows is only touched."""
    file = corpus / "documents" / "0000" / "0000000.md"
    if file.exists():
        file.write_text(file.read_text() + "changed ")
    else:
        for rows in (*corpus.glob("documents.*"), *corpus.glob("pages.*")):
            os.utime(rows)


if __name__ == "__main__":
    main()
