"""The imported grades of a corpus folder, of all their files. A bad file costs itself.

What belongs here: opening these files in turn. What does not: their rows (imported_grades.py).
"""

from collections.abc import Iterator
from contextlib import contextmanager

import polars as pl

from relabel_assets.corpus.corpus_files import CorpusFiles
from relabel_assets.corpus.grades.grades import REFERENCE
from relabel_assets.corpus.grades.imported_grades import (
    IMPORTED,
    LABELERS_FOLDER,
    REFERENCE_FOLDER,
    JsonRows,
    files_of,
    imported_from_rows,
    reference_from_rows,
)
from relabel_assets.corpus.rows import ReadRows, json_objects
from relabel_assets.errors import Problem
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.intake.regular_files import numbered_lines


def imported_labels(files: CorpusFiles, *, max_grade: int) -> ReadRows:
    """The grades of imported labelers, with the columns of IMPORTED.

    >>> from pathlib import Path
    >>> imported_labels(CorpusFiles("demo", Path("/nowhere")), max_grade=3).frame.height
    0
    """
    problems: list[Problem] = []
    frames = [pl.DataFrame(schema=IMPORTED)]
    for file in files_of(files.path, LABELERS_FOLDER):
        with costs_itself(problems, file), _rows(files, file, problems) as rows:
            imported = imported_from_rows(rows, file=file, max_grade=max_grade, problems=problems)
            frames.append(imported.frame)
    return ReadRows(pl.concat(frames), problems)


def imported_reference(files: CorpusFiles, *, max_grade: int) -> ReadRows:
    """The imported reference labels, with the columns of REFERENCE.

    >>> from pathlib import Path
    >>> imported_reference(CorpusFiles("demo", Path("/nowhere")), max_grade=3).frame.height
    0
    """
    problems: list[Problem] = []
    frames = [pl.DataFrame(schema=REFERENCE)]
    for file in files_of(files.path, REFERENCE_FOLDER):
        with costs_itself(problems, file), _rows(files, file, problems) as rows:
            labels = reference_from_rows(rows, file=file, max_grade=max_grade, problems=problems)
            frames.append(pl.DataFrame(labels, schema=REFERENCE, orient="row"))
    return ReadRows(pl.concat(frames), problems)


@contextmanager
def _rows(files: CorpusFiles, file: str, problems: list[Problem]) -> Iterator[JsonRows]:
    with files.opened(file) as opened:
        yield json_objects(numbered_lines(opened), file=file, problems=problems)
