"""The pairs that were drawn for people, with the chance of each."""

from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.review.samples import read_samples
from relabel_assets.review.store import FOLDER

_PAIR = ["query_id", "doc_id"]


@table_asset(code_version="1", kinds={"polars"}, files=("samples",))
def review_samples(step: Step) -> Rows:
    """The drawn pairs that are candidates still. `relabel review sample` draws them."""
    samples = read_samples(step.corpus.path / FOLDER)
    present = samples.join(
        step.read("bm25_candidates"), on=_PAIR, how="semi", maintain_order="left"
    )
    return Rows(present, metadata={"drawn_and_gone": samples.height - present.height})
