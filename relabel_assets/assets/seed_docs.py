"""The documents of a corpus folder."""

from relabel_assets.corpus.hygiene.document_facts import DocumentFacts
from relabel_assets.errors import CorpusError, Problem
from relabel_assets.graph.step import Rows, Step, read_as
from relabel_assets.graph.table_asset import table_asset


@table_asset(
    code_version="4",
    kinds={"polars"},
    settings=lambda corpus: corpus.config.documents,
    files=("documents",),
)
def seed_docs(step: Step) -> Rows:
    """The usable documents of the corpus folder. Raises CorpusError if there are none."""
    problems, notes = list[Problem](), list[str]()
    facts = DocumentFacts(step.corpus.config.documents, step.progress)
    documents, completed = step.spool(), step.spool()
    for frame in step.corpus.document_batches(problems, step.progress, notes):
        facts.add(frame)
        documents.add(frame)
    if documents.is_empty():
        raise CorpusError(
            f"corpus {step.corpus.name!r} has no usable document: {len(problems)} set aside. "
            f"`relabel corpora check {step.corpus.name}` gives the reasons."
        )
    for frame in documents:
        completed.add(facts.completed(frame))
    metadata = read_as(notes) | facts.metadata()
    return Rows(completed, metadata=metadata, problems=problems, notices=facts.notes())
