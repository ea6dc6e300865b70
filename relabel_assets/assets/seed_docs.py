"""The documents of a corpus folder."""

from relabel_assets.errors import CorpusError
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset


@table_asset(code_version="3", kinds={"polars"}, files=("documents",))
def seed_docs(step: Step) -> Rows:
    """The usable documents of the corpus folder. Raises CorpusError if there are none."""
    reading = step.corpus.documents(step.progress)
    if reading.frame.is_empty():
        raise CorpusError(
            f"corpus {step.corpus.name!r} has no usable document: {len(reading.problems)} set aside. "
            f"`relabel corpora check {step.corpus.name}` gives the reasons."
        )
    return Rows(reading.frame, problems=reading.problems)
