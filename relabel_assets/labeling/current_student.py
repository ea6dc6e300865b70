"""Labeling a file of pairs with the current student of a corpus.

What belongs here: looking up the student and texts in the warehouse. What does not: labeling
a file with any student (label_file.py).
"""

from pathlib import Path

import polars as pl

from relabel_assets.errors import StudentError
from relabel_assets.home import Home
from relabel_assets.labeling import Engine
from relabel_assets.labeling.chunk import GradeChunks, in_process
from relabel_assets.labeling.label_file import label_file
from relabel_assets.labeling.ray_engine import on_ray
from relabel_assets.progress import Progress, silent
from relabel_assets.student.vectors.store import VectorStore
from relabel_assets.warehouse.warehouse import Warehouse


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
    is_forced: bool = False,
    store: VectorStore | None = None,
    progress: Progress = silent,
) -> pl.DataFrame:
    """Grade every row of `pairs` into `out` with the current student of `corpus`; see label_file.

    The student's path in the warehouse is relative to `home`. `address` and `n_actors` are for Ray.
    Vectors of documents are kept in `store`, which counts what was read. Raises StudentError where the
    corpus has no student, and ConfigError for an unusable file.
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
    grade_chunks: GradeChunks
    if engine is Engine.RAY:
        grade_chunks = on_ray(folder, address=address, n_actors=n_actors, store=store)
    else:
        grade_chunks = in_process(Labeler.load(folder, store=store), progress)
    return label_file(
        pairs,
        out,
        engine=grade_chunks,
        texts=lambda column, ids: warehouse.texts(corpus, column, ids),
        texts_hash=_texts_hash(warehouse, corpus),
        model_id=student["model_id"],
        model_hash=weights_identity(str(folder)),
        is_forced=is_forced,
        progress=progress,
    )


def _texts_hash(warehouse: Warehouse, corpus: str) -> str:
    """A hash of the corpus' current queries and documents, to which the ids of pairs refer."""
    receipts = warehouse.receipts()
    tables = (receipts.get((corpus, table)) for table in ("synthetic_queries", "seed_docs"))
    return " ".join(receipt.content_hash for receipt in tables if receipt)
