"""The grades of labelers from elsewhere, which `relabel import` wrote into the corpus folder."""

from relabel_assets.corpus.grades.grades import with_known_pairs
from relabel_assets.corpus.grades.imported_grades import LABELERS_FOLDER
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset


@table_asset(
    code_version="1",
    kinds={"polars"},
    settings=lambda corpus: {"rubric": corpus.rubric},
    files=("labelers",),
)
def imported_labels(step: Step) -> Rows:
    """The imported grades of known queries and documents."""
    query_ids = step.read_column("synthetic_queries", "query_id")
    doc_ids = step.read_column("seed_docs", "doc_id")
    imported = with_known_pairs(
        step.corpus.imported_labels(), query_ids, doc_ids, file=LABELERS_FOLDER
    )
    counts = imported.frame.group_by("labeler").len().sort("labeler").iter_rows()
    metadata = {f"grades of {labeler}": count for labeler, count in counts}
    return Rows(imported.frame, metadata=metadata, problems=imported.problems)
