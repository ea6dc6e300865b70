"""Long documents: how many grades an edit keeps, beside other rules of what a teacher sees.

    python -m relabel_assets_tests.benchmarks.long_documents FOLDER
        [--max-bytes 12000] [--queries 8] [--edits 6] [--csv carried.csv]

FOLDER has documents (.md, .txt, .rst). In a git repository their versions are those of its history. Else
`--edits` are made of each: a paragraph added, removed or moved, a sentence added or changed. An edit
counts if the document is over --max-bytes (the default of teacher.max_document_tokens) before and after.

The queries of a document are words of its headings, words of sentences in it, and headings of other
documents, a third each. A pair is stale if the text that is shown changed, else kept (the same offsets) or
moved. "found" is the share of queries from a sentence whose sentence is shown, so that no rule wins by
showing nothing of use.

The rivals are the rule of version 0.1 (passages by a running count of bytes, weights that any edit moves),
the first --max-bytes of the body, and the whole body, of which any edit asks again. The interval is a
bootstrap over documents. The CSV has 200 pairs that were carried, at random, to be read by hand.
"""

import argparse
import csv
import difflib
import itertools
import random
import re
import subprocess
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from relabel_assets.corpus.excerpts.excerpt import excerpt
from relabel_assets.corpus.excerpts.passages import passages
from relabel_assets_tests.benchmarks.long_documents_rival import excerpt_by_running_bytes

ENDINGS = (".md", ".txt", ".rst")
SAMPLE = 200
Spans = tuple[tuple[int, int], ...]


@dataclass(frozen=True)
class Query:
    text: str
    sentence: str | None = None  # the one that it was taken from


@dataclass(frozen=True)
class Carried:
    document: str
    query: str
    state: str
    before: str
    after: str
    edit: str


def by_passages(body: str, query: str, max_bytes: int) -> tuple[str, Spans]:
    found = excerpt(body, query, max_bytes)
    return found.text, found.spans or ()


def by_start(body: str, query: str, max_bytes: int) -> tuple[str, Spans]:
    return body.encode()[:max_bytes].decode("utf-8", "ignore"), ()


RULES: dict[str, Callable[[str, str, int], tuple[str, Spans]]] = {
    "passages": by_passages,
    "running bytes (0.1)": lambda *pair: (excerpt_by_running_bytes(*pair), ()),
    "start": by_start,
    "whole body": lambda body, query, max_bytes: (body, ()),
}


def git(folder: Path, *command: str) -> str:
    done = subprocess.run(
        ["git", "-C", str(folder), *command], capture_output=True, check=True, timeout=600
    )
    return done.stdout.decode("utf-8", "replace")


def versions_in_git(folder: Path) -> dict[str, list[str]]:
    """The versions of each document in the history of `folder`, oldest first."""
    versions: dict[str, list[str]] = defaultdict(list)
    listed = git(
        folder, "log", "--reverse", "--format=%x00%H", "--name-only", "--relative", "--", "."
    )
    for commit in listed.split("\0")[1:]:
        number, *names = commit.split()
        for name in names:
            if name.endswith(ENDINGS):
                try:
                    versions[name].append(git(folder, "show", f"{number}:./{name}"))
                except subprocess.CalledProcessError:  # the commit removed it
                    continue
    return versions


def made_versions(body: str, n_edits: int, draw: random.Random) -> list[str]:
    """`body` and its versions after each of `n_edits` edits, one upon the other."""
    versions = [body]
    for _ in range(n_edits):
        parts = versions[-1].split("\n\n")
        place, other = draw.randrange(1, len(parts)), draw.randrange(1, len(parts))
        kind = draw.choice(["add", "remove", "move", "append", "change"])
        if kind == "add":
            parts.insert(place, "This paragraph is new. It says something of " + parts[other][:200])
        elif kind == "remove":
            del parts[place]
        elif kind == "move":
            parts.insert(other, parts.pop(place))
        elif kind == "append":
            parts[place] += " One more sentence was added here."
        else:
            parts[place] = re.sub(r"\b(the|and|is|a)\b", "that", parts[place], count=2)
        versions.append("\n\n".join(parts))
    return versions


def queries_of(body: str, others: Sequence[str], n: int, draw: random.Random) -> list[Query]:
    """`n` queries about a document: of its headings, of its sentences, and of other documents."""
    headings = list(dict.fromkeys(passage.heading.strip("# ") for passage in passages(body)))
    headings = [heading for heading in headings if heading]
    sentences = [text.strip() for text in re.split(r"(?<=[.!?])\s+|\n\n", body)]
    sentences = [text for text in sentences if 60 < len(text) < 300]
    found = [Query(heading) for heading in draw.sample(headings, min(len(headings), n // 3))]
    for sentence in draw.sample(sentences, min(len(sentences), n // 3)):
        words = re.findall(r"[^\W_]{4,}", sentence)
        if len(words) >= 4:
            found.append(Query(" ".join(draw.sample(words, 4)), sentence))
    found += [Query(text) for text in draw.sample(others, min(len(others), n - 2 * (n // 3)))]
    return found


def edit_between(before: str, after: str) -> str:
    """The lines that an edit removed and added, cut to 600 characters."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), n=0, lineterm="")
    changed = [line for line in lines if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return "\n".join(changed)[:600]


def edits(
    documents: dict[str, list[str]], max_bytes: int, n_queries: int, draw: random.Random
) -> Iterator[tuple[str, Query, str, str]]:
    """(document, query, body before, body after) of each edit of a long document."""
    headings = [
        passage.heading.strip("# ")
        for versions in documents.values()
        for passage in passages(versions[0])[:3]
        if passage.heading
    ]
    for name, versions in sorted(documents.items()):
        long = [body for body in versions if len(body.strip().encode()) > max_bytes]
        long = [body for body, last in zip(long, ["", *long], strict=False) if body != last]
        if len(long) < 2:
            continue
        queries = queries_of(long[0], headings, n_queries, draw)
        for before, after in itertools.pairwise(long):
            for query in queries:
                yield name, query, before, after


def interval(by_document: dict[str, Counter[str]], draw: random.Random) -> tuple[float, float]:
    """95 % of the share that is not stale, by a bootstrap over documents."""
    counts = [(counts["kept"] + counts["moved"], counts.total()) for counts in by_document.values()]
    shares = []
    for _ in range(1000):
        drawn = draw.choices(counts, k=len(counts))
        shares.append(sum(kept for kept, _ in drawn) / sum(total for _, total in drawn))
    shares.sort()
    return shares[25], shares[974]


def main() -> None:
    parser = argparse.ArgumentParser(description=str(__doc__).split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--max-bytes", type=int, default=12_000)
    parser.add_argument("--queries", type=int, default=9)
    parser.add_argument("--edits", type=int, default=6)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args()
    draw = random.Random(13)
    documents = versions_of(options.folder, options.edits, draw)
    pairs = list(edits(documents, options.max_bytes, options.queries, draw))
    if not pairs:
        raise SystemExit(f"{options.folder}: no document over {options.max_bytes} bytes was edited")
    names = {name for name, *_ in pairs}
    n_edits = len({(name, before, after) for name, _, before, after in pairs})
    print(f"{len(names)} documents, {n_edits} edits, {len(pairs)} pairs of a query and an edit")
    print(f"{'rule':<20} {'kept':>7} {'moved':>7} {'stale':>7}  not stale (95 %)   found")
    for rule, show in RULES.items():
        carried, by_document, n_found = measured(pairs, show, options.max_bytes)
        total = Counter[str]()
        for counts in by_document.values():
            total += counts
        low, high = interval(by_document, random.Random(7))
        shares = " ".join(f"{total[name] / len(pairs):7.1%}" for name in ("kept", "moved", "stale"))
        not_stale = f"{1 - total['stale'] / len(pairs):5.1%} [{low:.1%}, {high:.1%}]"
        print(f"{rule:<20} {shares}  {not_stale:<18} {n_found:6.1%}")
        if rule == "passages" and options.csv:
            write_sample(carried, options.csv, draw)


def versions_of(folder: Path, n_edits: int, draw: random.Random) -> dict[str, list[str]]:
    try:
        git(folder, "rev-parse", "--git-dir")
    except subprocess.CalledProcessError:
        files = sorted(file for file in folder.rglob("*") if file.suffix in ENDINGS)
        bodies = {
            str(file.relative_to(folder)): file.read_text("utf-8", "replace") for file in files
        }
        return {
            name: made_versions(body, n_edits, draw)
            for name, body in bodies.items()
            if body.count("\n\n") > n_edits  # each may remove a paragraph
        }
    return versions_in_git(folder)


def measured(
    pairs: Sequence[tuple[str, Query, str, str]],
    show: Callable[[str, str, int], tuple[str, Spans]],
    max_bytes: int,
) -> tuple[list[Carried], dict[str, Counter[str]], float]:
    """The pairs that are carried, the states by document, and the share of sentences that are shown."""
    carried, by_document, found = [], defaultdict[str, Counter[str]](Counter), []
    for name, query, before, after in pairs:
        old, old_spans = show(before, query.text, max_bytes)
        new, new_spans = show(after, query.text, max_bytes)
        state = "stale" if old != new else "kept" if old_spans == new_spans else "moved"
        by_document[name][state] += 1
        if query.sentence is not None and query.sentence in before:
            found.append(query.sentence in old)
        if state != "stale":
            carried.append(Carried(name, query.text, state, old, new, edit_between(before, after)))
    return carried, by_document, sum(found) / max(1, len(found))


def write_sample(carried: Sequence[Carried], file: Path, draw: random.Random) -> None:
    sample = draw.sample(carried, min(SAMPLE, len(carried)))
    assert all(pair.before == pair.after for pair in sample)
    with file.open("w", encoding="utf-8", newline="") as out:
        rows = csv.writer(out)
        rows.writerow(Carried.__dataclass_fields__)
        rows.writerows(vars(pair).values() for pair in sample)


if __name__ == "__main__":
    main()
