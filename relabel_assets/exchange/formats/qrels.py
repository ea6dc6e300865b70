"""TREC qrels: `query_id 0 doc_id grade`, a line a judgment, as trec_eval and ir_measures read it.

What belongs here: its lines. What does not: the corpus' own qrels file (corpus/grades/). Four fields,
separated by white space; the second is not used: https://trec.nist.gov/data/qrels_eng/
"""

from collections.abc import Iterator
from pathlib import Path

import polars as pl

from relabel_assets.corpus.rows import required_id
from relabel_assets.exchange.formats.format import Format, Read, read_lines, whole_grade
from relabel_assets.exchange.judgments import Judgment, Judgments, Unwritable, unwritable
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import shown

# Its second field where nobody is named. Files of TREC have a number of the iteration, or Q0.
_NOBODY = ("0", "Q0")


def refused(judgments: Judgments) -> Iterator[Unwritable]:
    """The rows whose ids hold white space: it separates the fields.

    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "doc_id": "leave policy", "grade": 2}])
    >>> [one.reason for one in refused(Judgments(frame, "demo", "final", 3))]
    ['doc_id holds white space, which separates the fields of qrels']
    """
    for name in ("query_id", "doc_id"):
        # Python's white space, because readers split by it: a no-break space counts too.
        has_space = pl.col(name).map_elements(
            lambda text: text.split() != [text], return_dtype=pl.Boolean
        )
        reason = f"{name} holds white space, which separates the fields of qrels"
        yield from unwritable(judgments, has_space, reason)


def write(judgments: Judgments, path: Path) -> None:
    """The judgments as lines.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> frame = judgments_frame([{"query_id": "q1", "doc_id": "d1", "grade": 2}])
    >>> with tempfile.NamedTemporaryFile() as file:
    ...     write(Judgments(frame, "demo", "final", 3), Path(file.name))
    ...     file.read()
    b'q1 0 d1 2\\n'
    """
    with path.open("w", encoding="utf-8", newline="\n") as file:
        for query_id, doc_id, grade in judgments.frame.select(
            "query_id", "doc_id", "grade"
        ).iter_rows():
            file.write(f"{query_id} 0 {doc_id} {grade}\n")


def read(path: Path, max_grade: int) -> Read:
    """Each judgment with its line. The second field, if it is not 0 or Q0, is who graded.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "labels.qrels"
    ...     _ = path.write_text("q1 0 d1 2\\n")
    ...     [(_, judgment)] = read(path, 3)
    >>> judgment.query_id, judgment.doc_id, judgment.grade, judgment.assessor
    ('q1', 'd1', 2, None)
    """
    return read_lines(path, lambda _, line: _judgment(line, max_grade))


def _judgment(line: str, max_grade: int) -> Judgment | None:
    """The judgment of a line; None for a blank one."""
    fields = line.split()
    if not fields:
        return None
    if len(fields) != 4:
        message = f"{shown(' '.join(fields))} has {len(fields)} fields"
        raise SetAside(message, "A line holds query_id, iteration, doc_id and grade.")
    row = dict(zip(("query_id", "assessor", "doc_id"), fields, strict=False))
    return Judgment(
        query_id=required_id(row, "query_id"),
        doc_id=required_id(row, "doc_id"),
        grade=whole_grade(fields[3], max_grade),
        assessor=None if fields[1] in _NOBODY else required_id(row, "assessor"),
    )


FORMAT = Format(
    "qrels",
    "TREC qrels: trec_eval, ir_measures, pytrec_eval, ranx",
    ".qrels",
    refused,
    write,
    read,
    instead=("beir", "csv", "parquet"),
)
