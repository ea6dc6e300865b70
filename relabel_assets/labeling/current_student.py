"""Labeling a file of pairs with the current student of a corpus.

What belongs here: looking up the student and texts in the warehouse. What does not: labeling
a file with any student (label_file.py).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import polars as pl

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import ConfigError, StudentError
from relabel_assets.home import Home
from relabel_assets.labeling import Engine
from relabel_assets.labeling.asked_teacher import asked_teacher
from relabel_assets.labeling.bucket_questions import AskingPlan
from relabel_assets.labeling.cascade_engine import asking
from relabel_assets.labeling.chunk import GradeChunks, Texts, in_process
from relabel_assets.labeling.final.precedence import people_grades
from relabel_assets.labeling.label_file import label_file
from relabel_assets.labeling.people_known import PeoplesGrades
from relabel_assets.labeling.ray_engine import on_ray
from relabel_assets.progress import Progress, silent
from relabel_assets.student.vectors.store import VectorStore
from relabel_assets.teacher.teacher import Teacher
from relabel_assets.warehouse.warehouse import Warehouse


@dataclass(frozen=True)
class Asking:
    """A cascade: `share` of the pairs of each query is asked of the teacher of `folder`.

    `budget_usd` is the most that this call may spend. `announce` gets the plan before anything is sent.
    `is_with_people` says whether grades that people gave are known from the start. After each of
    `n_rounds`, the answers decide what the next one asks about.
    """

    share: float
    teacher: Teacher
    folder: CorpusFolder
    budget_usd: float | None
    announce: Callable[[AskingPlan], None]
    is_with_people: bool = True
    n_rounds: int = 1


def label_with_current_student(
    pairs: Path,
    out: Path,
    *,
    corpus: str,
    warehouse: Warehouse,
    home: Path,
    engine: Engine = Engine.LOCAL,
    address: str = "auto",
    n_actors: int = 1,
    cascade: Asking | None = None,
    is_forced: bool = False,
    store: VectorStore | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Grade every row of `pairs` into `out` with the current student of `corpus`; see label_file.

    The student's path in the warehouse is relative to `home`. `address` and `n_actors` are for Ray.
    Vectors of documents are kept in `store`, which counts what was read. With `cascade`, the teacher
    grades some pairs, and the student the rest knowing these. Raises StudentError where the
    corpus has no student or none for a cascade, ConfigError for an unusable file, and TeacherError where
    the teacher cannot be asked.
    """
    from relabel_assets.student import Labeler
    from relabel_assets.student.base import weights_identity

    students = warehouse.read("student_model", corpus).filter("is_current")
    if students.is_empty():
        raise StudentError(
            f"corpus {corpus!r} has no student yet. Train one: relabel run -c {corpus} "
            "-s +student_model"
        )
    student = students.row(0, named=True)
    folder = Home(home).inside(student["path"])
    texts: Texts = partial(warehouse.texts, corpus)
    grade_chunks: GradeChunks
    settings: dict[str, object] | None = None
    if engine is Engine.RAY and cascade:
        raise ConfigError(
            "--ask with --engine ray: only one process may ask a corpus' teacher. Use --engine local."
        )
    if engine is Engine.RAY:
        grade_chunks = on_ray(folder, address=address, n_actors=n_actors, store=store)
    elif cascade:
        labeler = Labeler.load(folder, store=store)
        labeler.stages()  # raises before anything is read
        _require_grades(len(labeler.points) + 1, cascade.folder)
        teacher = asked_teacher(cascade.teacher, cascade.folder, cascade.budget_usd)
        people = PeoplesGrades(_of_people(warehouse, corpus, cascade), texts)
        share, n_rounds = cascade.share, cascade.n_rounds
        if n_rounds > 1 and not teacher.is_prompt:
            raise ConfigError(
                f"--rounds {n_rounds}: each round waits for the answers of the last, and teacher.mode is "
                "not live. Leave --rounds out, or set teacher.mode to live."
            )
        grade_chunks = asking(labeler, teacher, share, cascade.announce, people, n_rounds, progress)
        settings = {"share": share, "rounds": n_rounds, "teacher": dict(teacher.identity)}
        settings |= {"people": people.identity}
    else:
        grade_chunks = in_process(Labeler.load(folder, store=store), progress)
    return label_file(
        pairs,
        out,
        engine=grade_chunks,
        texts=texts,
        texts_hash=_texts_hash(warehouse, corpus),
        model_id=student["model_id"],
        model_hash=weights_identity(str(folder)),
        asking=settings,
        is_forced=is_forced,
        progress=progress,
    )


def _of_people(warehouse: Warehouse, corpus: str, cascade: Asking) -> pl.DataFrame:
    """The grade that people gave each pair: query_id, doc_id and grade. None, if they are left out."""
    reference = warehouse.read("reference_labels", corpus)
    return people_grades(reference if cascade.is_with_people else reference.clear())


def _require_grades(n_grades: int, folder: CorpusFolder) -> None:
    """Raise StudentError unless the corpus' rubric still has the grades of the student."""
    if folder.rubric.n_grades != n_grades:
        raise StudentError(
            f"the student of corpus {folder.name!r} gives {n_grades} grades, and the rubric of its "
            f"teacher has {folder.rubric.n_grades}. Train it anew: relabel run -c {folder.name} "
            "-s +student_model"
        )


def _texts_hash(warehouse: Warehouse, corpus: str) -> str:
    """A hash of the corpus' current queries and documents, to which the ids of pairs refer."""
    receipts = warehouse.receipts()
    tables = (receipts.get((corpus, table)) for table in ("synthetic_queries", "seed_docs"))
    return " ".join(receipt.content_hash for receipt in tables if receipt)
