"""A BEIR folder: corpus.jsonl, queries.jsonl and qrels/SPLIT.tsv with a header.

What belongs here: these three kinds of file. What does not: a BEIR folder as a corpus (corpus/). The form
is that of BEIR's GenericDataLoader: https://github.com/beir-cellar/beir/wiki/Load-your-custom-dataset
"""

import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import polars as pl

from relabel_assets.corpus.rows import required_id
from relabel_assets.exchange.formats.format import Format, Read, read_lines, whole_grade
from relabel_assets.exchange.judgments import Judgment, Judgments, Unwritable, unwritable
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown

_HEADER = ("query-id", "corpus-id", "score")
# BEIR's name of the queries that measure. The other splits keep their names.
_TEST = {"benchmark": "test"}


def refused(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows with an id that begins with a quote: BEIR's loader reads the files as CSV with tabs.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "doc_id": '"leave"', "grade": 2, "text": "leave"}])
    >>> [one.reason for one in refused(Judgments(frame, "demo", "final", 3))]
    ['doc_id begins with a quote, or holds a tab or a line break']
    """
    for name in ("query_id", "doc_id"):
        # Outer white space: readers of our own take it off.
        fault = pl.col(name).str.contains('^"|[\t\r\n]') | (
            pl.col(name).str.strip_chars() != pl.col(name)
        )
        reason = f"{name} begins with a quote, or holds a tab or a line break"
        yield from unwritable(judgments, fault, reason)
    yield from unwritable(judgments, pl.col("text").is_null(), "the query has no text")


def write(judgments: Judgments, path: Path) -> None:
    """The folder with all documents of the corpus, the queries of the judgments, and a file a split.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "text": "leave", "split": "benchmark", "doc_id": "d1",
    ...                           "grade": 2}])
    >>> documents = pl.DataFrame({"doc_id": ["d1"], "title": [None], "body": ["Ask HR."]})
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     write(Judgments(frame, "demo", "final", 3, "", lambda: iter([documents])), Path(folder))
    ...     (Path(folder) / "qrels" / "test.tsv").read_text()
    'query-id\\tcorpus-id\\tscore\\nq1\\td1\\t2\\n'
    """
    (path / "qrels").mkdir()
    with (path / "corpus.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for documents in judgments.documents():
            for doc_id, title, body in documents.select("doc_id", "title", "body").iter_rows():
                _write_line(file, {"_id": doc_id, "title": title or "", "text": body})
    with (path / "queries.jsonl").open("w", encoding="utf-8", newline="\n") as file:
        for query_id, text, _ in judgments.by_query():
            _write_line(file, {"_id": query_id, "text": text})
    by_split = judgments.frame.with_columns(pl.col("split").fill_null("benchmark"))
    for (split,), rows in by_split.group_by("split", maintain_order=True):
        name = _TEST.get(str(split), str(split))
        with (path / "qrels" / f"{name}.tsv").open("w", encoding="utf-8", newline="\n") as file:
            file.write("\t".join(_HEADER) + "\n")
            for row in rows.select("query_id", "doc_id", "grade").iter_rows():
                file.write("\t".join(map(str, row)) + "\n")


def read(path: Path, max_grade: int) -> Read:
    """Each judgment of qrels/*.tsv in a folder, or of one such file, with its line.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "test.tsv"
    ...     _ = path.write_text("query-id\\tcorpus-id\\tscore\\nq1\\tleave policy\\t2\\n")
    ...     [(_, judgment)] = read(path, 3)
    >>> judgment.doc_id, judgment.grade
    ('leave policy', 2)
    """
    files = sorted((path / "qrels").glob("*.tsv")) if path.is_dir() else [path]
    if not files:
        raise SetAside("it has no qrels/*.tsv", "Give a BEIR folder, or one of its qrels files.")
    for name in files:
        for number, one in read_lines(name, partial(_judgment, max_grade=max_grade)):
            if isinstance(one, SetAside) and len(files) > 1:
                yield number, SetAside(f"{name.name}: {one.message}", one.remedy)
            else:
                yield number, one


def _judgment(number: int, line: str, max_grade: int) -> Judgment | None:
    """The judgment of a line; None for the header and for a blank one."""
    line = line.strip("\r\n")
    fields = [field.strip() for field in line.split("\t")]
    if not line.strip() or (number == 1 and tuple(fields) == _HEADER):
        return None
    if len(fields) != 3:
        message = f"{shown(line)} has {len(fields)} fields"
        raise SetAside(message, "A line holds query-id, corpus-id and score, separated by tabs.")
    row = {"query_id": fields[0], "doc_id": fields[1]}
    return Judgment(
        query_id=required_id(row, "query_id"),
        doc_id=required_id(row, "doc_id"),
        grade=whole_grade(fields[2], max_grade),
    )


def _write_line(file: object, row: dict[str, str]) -> None:
    file.write(json.dumps(row, ensure_ascii=False) + "\n")  # type: ignore[attr-defined]


FORMAT = Format(
    "beir",
    "a BEIR folder, with the documents' texts: beir, sentence-transformers, ir_datasets",
    "",
    refused,
    write,
    read,
    is_folder=True,
)
