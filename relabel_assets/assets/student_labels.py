"""The current student's grade of every candidate."""

import polars as pl

from relabel_assets.benchmark.plots import grade_distribution
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.graph.table_asset import Rows, Step, table_asset


@table_asset(pool="student", code_version="1", group="student", kinds={"pytorch", "polars"})
def student_labels(step: Step) -> Rows:
    from relabel_assets.student import Labeler

    student = step.read("student_model").filter("is_current").row(0, named=True)
    candidates = step.read("bm25_candidates").select("query_id", "doc_id")
    pairs = with_texts(candidates, step.read("synthetic_queries"), step.read("seed_docs"))
    labels = Labeler.load(step.project.home.path / student["path"]).grade(pairs, progress=step.progress)
    counts = labels.group_by("grade").len().sort("grade").iter_rows()
    return Rows(
        labels.with_columns(model_id=pl.lit(student["model_id"])),
        metadata={"grades": step.markdown(grade_distribution({str(grade): count for grade, count in counts}))},
    )
