"""The imported grades of a corpus folder, of all their files. A bad file costs itself.

What belongs here: opening these files in turn. What does not: their rows (imported_grades.py).
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import polars as pl

from relabel_assets.corpus.corpus_files import CorpusFiles
from relabel_assets.corpus.grades.grades import REFERENCE, reference_from_rows
from relabel_assets.corpus.grades.imported_grades import (
    IMPORTED,
    LABELERS_FOLDER,
    REFERENCE_FOLDER,
    files_of,
    imported_from_rows,
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
    return _of_all(
        files, LABELERS_FOLDER, partial(imported_from_rows, max_grade=max_grade), IMPORTED
    )


def imported_reference(files: CorpusFiles, *, max_grade: int) -> ReadRows:
    """The imported reference labels, with the columns of REFERENCE.

    >>> from pathlib import Path
    >>> imported_reference(CorpusFiles("demo", Path("/nowhere")), max_grade=3).frame.height
    0
    """
    read = partial(reference_from_rows, max_grade=max_grade, default_assessor=None)
    return _of_all(files, REFERENCE_FOLDER, read, REFERENCE)


def _of_all(
    files: CorpusFiles, folder: str, read: Callable[..., ReadRows], schema: Mapping[str, Any]
) -> ReadRows:
    """The rows that `read` makes of the JSON lines of each file in `folder`."""
    problems: list[Problem] = []
    frames = [pl.DataFrame(schema=schema)]
    for file in files_of(files.path, folder):
        with costs_itself(problems, file), files.opened(file) as opened:
            rows = json_objects(numbered_lines(opened), file=file, problems=problems)
            frames.append(read(rows, file=file, problems=problems).frame)
    return ReadRows(pl.concat(frames), problems)
