"""Everything in a corpus folder that a run would set aside, and what only a person can state.

What belongs here: reading all parts once, with the functions of the tables. What does not: the reading
(folder.py), and the corpora together (folders.py).
"""

from collections.abc import Callable
from dataclasses import dataclass, field

import polars as pl

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.grades import grades
from relabel_assets.corpus.queries import queries
from relabel_assets.corpus.queries.splits import assign_splits
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.corpus.runs.run_files import FOLDER, with_known_queries
from relabel_assets.corpus.runs.system_files import systems_of_corpus
from relabel_assets.corpus.unread import unread_files
from relabel_assets.errors import Problem
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.progress import Progress, silent

# Queries. Comparing so many with each other takes seconds, and of 100,000 minutes.
_MOST_COMPARED = 5_000


@dataclass
class Checked:
    """What was found: the problems, and sentences on how files were read where that was not plain."""

    problems: list[Problem] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def check_folder(folder: CorpusFolder, progress: Progress = silent) -> Checked:
    """A problem for every row and file that cannot be used or that nobody reads.

    Rows of one table that another one sets aside are among them: queries that leak, grades without a query.
    """
    checked = Checked()
    problems = checked.problems

    def read(kind: str, rows: Callable[[], ReadRows]) -> ReadRows | None:
        with costs_itself(problems, kind):
            found = rows()
            checked.notes.extend(found.notes)
            return found
        return None

    documents = read("documents", lambda: folder.document_ids(progress))
    provided = read("queries", folder.queries)
    recorded = read("teacher_labels", folder.recorded_labels)
    reference = read("reference_labels", folder.reference_labels)
    if documents is not None and documents.frame.is_empty():
        message = "no document can be used."
        problems.append(Problem("documents", None, message, "Correct or add some."))
    ids: tuple[pl.Series, pl.Series] | None = None
    if documents is not None and provided is not None:
        provided = _divided(folder, provided, documents, checked.notes)
        ids = (provided.frame["query_id"], documents.frame["doc_id"])
        recorded = _known(folder, "teacher_labels", recorded, ids)
        reference = _known(folder, "reference_labels", reference, ids)
    with costs_itself(problems, FOLDER):
        runs = systems_of_corpus(folder, progress).runs
        if ids is not None and folder.has_queries:
            runs = with_known_queries(runs, *ids)
        problems += runs.problems
    for rows in (documents, provided, recorded, reference):
        problems += [] if rows is None else rows.problems
    _check_settings(folder, reference, problems)
    problems += unread_files(folder)
    checked.problems = list(
        dict.fromkeys(problems)
    )  # queries and grades may both read BEIR's qrels
    return checked


def _divided(
    folder: CorpusFolder, provided: ReadRows, documents: ReadRows, notes: list[str]
) -> ReadRows:
    """The queries that a run keeps. Those that leak between its splits are problems."""
    file, n_queries = folder.file_of("queries"), provided.frame.height
    if n_queries > _MOST_COMPARED:
        notes.append(
            f"{file}: {n_queries:,} queries. Near duplicates between the splits are looked for by a run, "
            "and here equal ones alone"
        )
    known = queries.with_known_seeds(provided, documents.frame["doc_id"], file=file)
    divided, leaking = assign_splits(
        known.frame,
        config=folder.config.queries,
        file=file,
        are_compared=n_queries <= _MOST_COMPARED,
    )
    return ReadRows(divided, known.problems + leaking)


def _known(
    folder: CorpusFolder, part: str, rows: ReadRows | None, ids: tuple[pl.Series, pl.Series]
) -> ReadRows | None:
    """The grades of queries and documents that a run keeps."""
    if rows is None:
        return None
    return grades.with_known_pairs(rows, *ids, file=folder.file_of(part))


def _check_settings(
    folder: CorpusFolder, reference: ReadRows | None, problems: list[Problem]
) -> None:
    """Add what the settings lack, and prompts that cannot be used, to `problems`."""
    file = folder.files.settings or "corpus.yaml"
    if reference is not None and reference.frame.height and folder.config.reference.kind is None:
        message = "it does not state who gave the reference grades"
        remedy = f"State reference.kind in {file}: human or adjudicated."
        problems.append(Problem(file, None, message, remedy))
    for prompt in ("grading_prompt", "queries_prompt"):
        with costs_itself(problems, file):
            getattr(folder, prompt)
    if not folder.has_queries and folder.teacher_kind == "openai":
        with costs_itself(problems, file):
            _ = folder.config.query_writer
