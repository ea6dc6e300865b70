"""The files of grades of a corpus folder: the recorded teacher's, and those of reference labels.

What belongs here: opening them, each in the form it has. What does not: their rows (grades.py), and what
`relabel import` wrote (imported_files.py).
"""

from pathlib import PurePosixPath

import polars as pl

from relabel_assets.corpus.corpus_files import CorpusFiles, is_beir
from relabel_assets.corpus.grades.grades import (
    REFERENCE,
    is_trec,
    recorded_from_rows,
    reference_from_qrels,
    reference_from_rows,
)
from relabel_assets.corpus.grades.imported_files import imported_reference
from relabel_assets.corpus.part_files import PLAIN_QRELS
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.errors import Problem
from relabel_assets.intake.input_limits import MAX_FIELD_CHARACTERS
from relabel_assets.intake.regular_files import numbered_lines
from relabel_assets.intake.tables.kinds import REFERENCE_LABELS, TEACHER_LABELS
from relabel_assets.intake.text import printable


def recorded_labels(files: CorpusFiles, *, max_grade: int) -> ReadRows:
    """Recorded grades: query_id, doc_id, grade, rationale and model. Empty without a file.

    Raises CorpusError for two files.

    >>> from pathlib import Path
    >>> recorded_labels(CorpusFiles("demo", Path("/nowhere")), max_grade=3).frame.height
    0
    """
    problems, notes = list[Problem](), list[str]()
    file = files.holding("teacher_labels")
    with files.table(file, TEACHER_LABELS, problems, notes) as rows:
        recorded = recorded_from_rows(rows, file=file or "", max_grade=max_grade, problems=problems)
    recorded.notes = notes
    return recorded


def reference_labels(files: CorpusFiles, *, max_grade: int) -> ReadRows:
    """Reference grades: query_id, doc_id, assessor and grade. Empty without a file.

    Of the corpus' own file, and of what `relabel import` wrote into reference_labels/. Raises CorpusError
    for two files of its own.

    >>> from pathlib import Path
    >>> reference_labels(CorpusFiles("demo", Path("/nowhere")), max_grade=3).frame.height
    0
    """
    file = files.holding("reference_labels")
    names = [file] if file else files.beir_qrels
    problems, notes = list[Problem](), list[str]()
    frames = [pl.DataFrame(schema=REFERENCE)]
    frames += [_qrels(files, name, max_grade, problems, notes) for name in names]
    imported = imported_reference(files, max_grade=max_grade)
    frames.append(imported.frame)
    problems += imported.problems
    key = ["query_id", "doc_id", "assessor"]
    labels_once = pl.concat(frames).unique(key, keep="first", maintain_order=True)
    return ReadRows(labels_once, problems, notes)


def beir_benchmark_queries(files: CorpusFiles, *, max_grade: int) -> list[str]:
    """The queries with a grade in BEIR's test split, or in its first split without that.

    >>> import tempfile
    >>> from pathlib import Path
    >>> folder = tempfile.TemporaryDirectory()
    >>> (Path(folder.name) / "qrels").mkdir()
    >>> _ = (Path(folder.name) / "qrels" / "dev.tsv").write_text("q1\\td1\\t2\\n")
    >>> beir_benchmark_queries(CorpusFiles("demo", Path(folder.name)), max_grade=3)
    ['q1']
    """
    names = files.beir_qrels
    name = "qrels/test.tsv" if "qrels/test.tsv" in names else names[0]
    return _qrels(files, name, max_grade, [], [])["query_id"].unique().to_list()


def _qrels(
    files: CorpusFiles, file: str, max_grade: int, problems: list[Problem], notes: list[str]
) -> pl.DataFrame:
    """The reference grades of one file: a table, or lines of TREC or BEIR."""
    shown_name = printable(file)
    if not is_beir(file) and not _is_plain_qrels(files, file):
        with files.table(file, REFERENCE_LABELS, problems, notes) as rows:
            return reference_from_rows(
                rows, file=shown_name, max_grade=max_grade, problems=problems
            ).frame
    with files.opened(file) as opened:
        return reference_from_qrels(
            numbered_lines(opened),
            file=shown_name,
            max_grade=max_grade,
            problems=problems,
            is_beir=is_beir(file),
        ).frame


def _is_plain_qrels(files: CorpusFiles, file: str) -> bool:
    """Whether a file is TREC's, by its ending; of qrels.tsv, by its first line."""
    if not file.endswith(".tsv"):
        return PurePosixPath(file).suffix in PLAIN_QRELS
    with files.opened(file) as opened:
        return is_trec(opened.readline(MAX_FIELD_CHARACTERS))
