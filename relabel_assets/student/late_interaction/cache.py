"""Which documents and queries are read, and when: each document once, as few at a time as are quick, the last ones kept.

What belongs here: runs of pairs in bounded memory. What does not: reading itself (read_document.py) and scores
(interaction.py). Imported only where a model is needed.
"""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from typing import Generic, TypeVar

import polars as pl

from relabel_assets.corpus.pairs import DOCUMENT_COLUMNS
from relabel_assets.progress import Progress
from relabel_assets.student.late_interaction.documents import ReadDocument, read_documents
from relabel_assets.student.runtime.encoder import Encoder

DOCUMENTS_A_RUN = 256
_CHARACTERS_A_RUN = 150_000  # about 35,000 tokens, whose vectors are 50 MB
PAIRS_A_RUN = 1024
Value = TypeVar("Value")


class Kept(Generic[Value]):
    """The values that were asked for last, of at most `room` in all."""

    def __init__(self, room: int) -> None:
        self.room = room
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._size = 0

    def get(self, key: Hashable) -> Value | None:
        if key not in self._values:
            return None
        self._values.move_to_end(key)
        return self._values[key][0]

    def put(self, key: Hashable, value: Value, size: int) -> None:
        self._values[key] = (value, size)
        self._size += size
        while self._size > self.room:
            _, (_, dropped) = self._values.popitem(last=False)
            self._size -= dropped


def documents_in_runs(
    encoder: Encoder, pairs: pl.DataFrame, progress: Progress, kept: Kept[ReadDocument] | None = None
) -> Iterator[tuple[str, ReadDocument]]:
    """Each document of `pairs` once, some hundred at a time, so that no more are in memory; `kept` ones are not read again."""
    documents = pairs.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
    lengths = documents.select(pl.concat_str(pl.col("title", "body").fill_null("")).str.len_chars()).to_series()
    kept, done = kept or Kept(0), 0
    while done < documents.height:
        end = done + max(1, _fitting(lengths.slice(done, DOCUMENTS_A_RUN)))
        run = documents.slice(done, end - done)
        keys = list(run.select(DOCUMENT_COLUMNS).iter_rows())
        found = [kept.get(key) for key in keys]
        absent = [place for place, document in enumerate(found) if document is None]
        read = read_documents(encoder, run[absent].to_dicts()) if absent else []
        for place, document in zip(absent, read, strict=True):
            found[place] = document
            kept.put(keys[place], document, document.vectors.nbytes)
        yield from zip(run["doc_id"], found, strict=True)
        done = end
        progress("reading documents", done, documents.height)


def _fitting(lengths: pl.Series) -> int:
    """How many of the first documents fit into a run."""
    return int((lengths.cum_sum() <= _CHARACTERS_A_RUN).sum())


def pairs_in_runs(
    documents: Iterable[tuple[str, ReadDocument]], pairs: pl.DataFrame
) -> Iterator[list[tuple[int, str, ReadDocument]]]:
    """(row, text of the query, document) of all `pairs`, at most PAIRS_A_RUN at a time and those of a document together."""
    rows = pairs.select("doc_id", "text").with_row_index("row").group_by("doc_id").agg("row", "text")
    asked = {doc_id: (places, texts) for doc_id, places, texts in rows.iter_rows()}
    run: list[tuple[int, str, ReadDocument]] = []
    for number, (doc_id, document) in enumerate(documents, start=1):
        for row, text in zip(*asked.get(doc_id, ((), ())), strict=True):
            run.append((row, text, document))
            if len(run) == PAIRS_A_RUN:
                yield run
                run = []
        if number % DOCUMENTS_A_RUN == 0 and run:
            yield run
            run = []
    if run:
        yield run


def looked_up(texts: Sequence[str], kept: Kept[Value], read: Callable[[list[str]], Sequence[Value]]) -> list[Value]:
    """What `read` makes of each text: all that are not `kept` at once."""
    found = {text: kept.get(text) for text in dict.fromkeys(texts)}
    absent = [text for text, value in found.items() if value is None]
    if absent:
        for text, value in zip(absent, read(absent), strict=True):
            found[text] = value
            kept.put(text, value, 1)
    return [found[text] for text in texts]  # type: ignore[misc]
