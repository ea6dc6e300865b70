"""The grades of people's reviews and of the corpus' qrels, against which every labeler is measured."""

from functools import partial
from typing import Any

import polars as pl

from relabel_assets.benchmark.agreement import agreement
from relabel_assets.corpus.grades.grades import with_known_pairs
from relabel_assets.graph.step import Rows, Step, read_as
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.review.people_grades import joined_grades, people_grades
from relabel_assets.review.store import FOLDER


@table_asset(
    code_version="2",
    kinds={"polars"},
    settings=lambda corpus: {"kind": corpus.config.reference.stated_kind, "rubric": corpus.rubric},
    files=("reference_labels", "reviews"),
)
def reference_labels(step: Step) -> Rows:
    """The reference grades of known queries and documents."""
    corpus = step.corpus
    query_ids = step.read_column("synthetic_queries", "query_id")
    doc_ids = step.read_column("seed_docs", "doc_id")
    reading, file = corpus.reference_labels(), corpus.file_of("reference_labels")
    qrels = with_known_pairs(reading, query_ids, doc_ids, file=file)
    people = people_grades(
        corpus.path / FOLDER,
        max_grade=corpus.rubric.max_grade,
        query_ids=query_ids,
        doc_ids=doc_ids,
        texts=partial(step.warehouse.texts, corpus.name),
    )
    grades = joined_grades(people, qrels, kind=corpus.config.reference.stated_kind)
    counts = grades.frame.group_by("assessor").agg(pl.len()).sort("assessor").iter_rows()
    metadata: dict[str, Any] = {f"grades of {assessor}": count for assessor, count in counts}
    metadata |= read_as(reading.notes)
    for alpha in agreement(grades.frame)[:1]:  # the first is of all assessors
        if alpha.value is not None:
            metadata |= {"alpha": alpha.value, "alpha_pairs": alpha.n_pairs}
    return Rows(grades.frame, metadata=metadata, problems=grades.problems)
