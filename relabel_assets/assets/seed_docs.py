"""The documents of a corpus, as its folder holds them."""

from relabel_assets.errors import CorpusError
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset


@table_asset(code_version="1", group="corpus", kinds={"polars"}, files=("documents",))
def seed_docs(step: Step) -> Rows:
    reading = step.corpus.documents()
    if reading.frame.is_empty():
        raise CorpusError(
            f"corpus {step.corpus.name!r} has no document that can be used: "
            f"{len(reading.problems)} were set aside. "
            f"`relabel corpora check {step.corpus.name}` says why."
        )
    return Rows(reading.frame, problems=reading.problems)
