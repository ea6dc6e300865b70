"""Judgments for learning to rank, as RankLib and the Elasticsearch LTR plugin read them, without features.

What belongs here: `GRADE qid:N # DOC_ID QUERY`, a line a judgment, after a header with the queries. What
does not: features, which the search engine logs: the tool that does puts them before the `#`. The form:
https://sourceforge.net/p/lemur/wiki/RankLib%20File%20Format/ and
https://elasticsearch-learning-to-rank.readthedocs.io/en/latest/training-models.html
"""

import re
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

import polars as pl

from relabel_assets.corpus.rows import required_id
from relabel_assets.exchange.formats.format import Format, Read, query_text, read_lines, whole_grade
from relabel_assets.exchange.judgments import (
    Judgment,
    Judgments,
    Unwritable,
    of_repeated_texts,
    unwritable,
)
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown

_HEADER = re.compile(r"#\s*qid:([0-9]{1,9}):\s*(.*)")
_LINE = re.compile(r"(\S+)\s+qid:([0-9]{1,9})\s([^#]*)#(.*)")
# What ends a line or a field for some reader: of Python, of Java, or of this file.
_BREAK = "[\t\n\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029]"


def refused(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows with a tab or a line break in the id or the query, and of queries with a text twice.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "a\\nb", "doc_id": "d1", "grade": 2}])
    >>> [one.reason for one in refused(Judgments(frame, "demo", "final", 3))]
    ['the query holds a tab or a line break, which ends it in this format']
    """
    ends = "holds a tab or a line break, which ends it in this format"
    return chain(
        unwritable(judgments, pl.col("doc_id").str.contains(_BREAK), f"doc_id {ends}"),
        unwritable(judgments, pl.col("text").str.contains(_BREAK), f"the query {ends}"),
        of_repeated_texts(judgments),
    )


def write(judgments: Judgments, path: Path) -> None:
    """The header with a number for each query, then the judgments.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "leave", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "judgments.txt"
    ...     write(Judgments(frame, "demo", "final", 3), path)
    ...     path.read_text().splitlines()[1:]
    ['# qid:1: leave', '2\\tqid:1\\t# d1\\tleave']
    """
    queries = list(judgments.by_query())
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.write(f"# {judgments.origin}\n")
        for number, (_, text, _) in enumerate(queries, start=1):
            file.write(f"# qid:{number}: {text}\n")
        for number, (_, text, documents) in enumerate(queries, start=1):
            for doc_id, grade in documents:
                file.write(f"{grade}\tqid:{number}\t# {doc_id}\t{text}\n")


def read(path: Path, max_grade: int) -> Read:
    """Each judgment with its line. The query is that of the line, else that of the header.

    In the plugin's own files the document's id ends at a tab, or at the first white space.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "judgments.txt"
    ...     _ = path.write_text("# qid:1: rambo\\n3 qid:1 1:9.5 # 7555 rambo\\n")
    ...     [(line, judgment)] = read(path, 3)
    >>> line, judgment.text, judgment.doc_id, judgment.grade
    (2, 'rambo', '7555', 3)
    """
    queries: dict[str, str] = {}
    return read_lines(path, lambda _, line: _judgment(line.strip(), queries, max_grade))


def _judgment(line: str, queries: dict[str, str], max_grade: int) -> Judgment | None:
    """The judgment of a line; None for a comment, whose query is added to `queries`."""
    if header := _HEADER.fullmatch(line):
        queries[header[1]] = header[2]
    if not line or line.startswith("#"):
        return None
    parts = _LINE.fullmatch(line)
    if not parts:
        form = "A line holds: GRADE qid:N # DOC_ID QUERY."
        raise SetAside(f"{shown(line)} is no judgment with a document", form)
    comment = parts[4].strip()
    doc_id, _, text = comment.partition("\t") if "\t" in comment else (*comment.partition(" "),)
    return Judgment(
        doc_id=required_id({"document": doc_id}, "document"),
        grade=whole_grade(parts[1], max_grade),
        text=query_text(queries.get(parts[2]) or text),
    )


FORMAT = Format(
    "ltr",
    "RankLib and the Elasticsearch LTR plugin, without features",
    ".txt",
    refused,
    write,
    read,
)
