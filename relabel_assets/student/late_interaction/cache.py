"""Documents and queries that were read: each is encoded once, in bounded memory.

What belongs here: the one way to an encoded document, through memory, the store on disk and the
encoder; cutting documents and pairs into chunks; and the caches in memory. What does not: encoding
itself (documents.py), the store (student/vectors/) and scores (scoring.py). Imported only where a model
is needed: it loads torch.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

import polars as pl
from cachetools import LRUCache

from relabel_assets.progress import Progress
from relabel_assets.student.late_interaction.documents import EncodedDocument, encode_documents
from relabel_assets.student.runtime.encoder import Encoder
from relabel_assets.student.vectors.encoder_identity import encoder_identity
from relabel_assets.student.vectors.packed_document import document_key, packed, unpacked
from relabel_assets.student.vectors.store import VectorStore
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

# A file of pairs is graded in chunks, and one chunk often repeats the documents of the one before.
_MAX_DOCUMENT_BYTES = 256_000_000
# An encoded query takes about 20 kB, so all of them take 160 MB.
MAX_QUERIES = 8192
# Not measured: enough short documents to fill batches with texts of like length.
DOCUMENTS_PER_CHUNK = 256
# About 35,000 tokens, whose vectors take 50 MB: this bounds a chunk of long documents.
_CHARACTERS_PER_CHUNK = 150_000
# Not measured: enough pairs to make numpy's cost per call small.
PAIRS_PER_CHUNK = 1024

Value = TypeVar("Value")
DocumentCache = LRUCache[bytes, EncodedDocument]


def document_cache(max_bytes: int = _MAX_DOCUMENT_BYTES) -> DocumentCache:
    """A cache of the documents used last, with at most `max_bytes` of token vectors.

    >>> document_cache(max_bytes=1000).maxsize
    1000
    """
    return LRUCache(max_bytes, getsizeof=_vector_bytes)


def iter_encoded_documents(
    encoder: Encoder,
    pairs: pl.DataFrame,
    progress: Progress,
    cache: DocumentCache | None = None,
    store: VectorStore | None = None,
    noun: str = "documents",
) -> Iterator[tuple[str, EncodedDocument]]:
    """Yield (doc_id, document) for each document of `pairs`, once and in their order.

    A document comes from `cache` in memory, else from `store` on disk, else it is encoded and kept in
    both. All three give the same vectors, rounded to 8 bits. One chunk of documents is read at a time,
    so the caller decides how many stay in memory.

    `store.counts` counts distinct texts: those that were encoded as `NOUN_read`, and those that the
    store had as `NOUN_from_store`.

    >>> from relabel_assets.progress import silent
    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> texts = {name: ["leave"] * 3 for name in DOCUMENT_COLUMNS}
    >>> pairs, store = pl.DataFrame({"doc_id": ["d1", "d2", "d1"], **texts}), VectorStore()
    >>> [doc_id for doc_id, _ in iter_encoded_documents(encoder, pairs, silent, store=store)]
    ['d1', 'd2']
    >>> store.counts["documents_read"]
    1
    """
    documents = pairs.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
    text = pl.concat_str(pl.col("title", "body").fill_null(""))
    lengths = documents.select(text.str.len_chars()).to_series()
    cache = document_cache(max_bytes=0) if cache is None else cache
    reader = _Reader(encoder, cache, store or VectorStore(), noun)
    done = 0
    try:
        while done < documents.height:
            size = _chunk_size(lengths.slice(done, DOCUMENTS_PER_CHUNK))
            chunk = documents.slice(done, size)
            report = partial(reader.report_rows, progress, done, documents.height)
            yield from zip(chunk["doc_id"], reader.read(chunk.to_dicts(), report), strict=True)
            done += size
            reader.report(progress, done, documents.height)
    finally:
        reader.store.flush()


class _Reader:
    """Reads the documents of one frame of pairs, through `cache`, `store` and `encoder`."""

    def __init__(
        self, encoder: Encoder, cache: DocumentCache, store: VectorStore, noun: str
    ) -> None:
        self.encoder, self.cache, self.store, self.noun = encoder, cache, store, noun
        # Hashing the weights takes a moment, so not for a store that keeps nothing.
        self.base = encoder_identity(encoder) if store.is_on else None
        self.n_from_store = 0

    def read(
        self, documents: Sequence[Mapping[str, Any]], report: Callable[[int, int, int], None]
    ) -> list[EncodedDocument]:
        """Each of `documents`, in their order."""
        keys = [document_key(document) for document in documents]
        by_key = {key: self.cache.get(key) for key in keys}
        missing = [key for key, document in by_key.items() if document is None]
        contents = self.store.get(self.base, missing) if self.base else {}
        unread = {
            key: document
            for key, document in zip(keys, documents, strict=True)
            if by_key[key] is None and key not in contents
        }
        computed = self._encode(unread, partial(report, len(unread)))
        self._count(len(computed), len(contents))
        for key, content in {**contents, **computed}.items():
            document = by_key[key] = unpacked(content)
            _store(self.cache, key, document)
        return [by_key[key] for key in keys]  # type: ignore[misc]

    def _encode(
        self, documents: Mapping[bytes, Mapping[str, Any]], report: Callable[[int, int], None]
    ) -> dict[bytes, bytes]:
        """The bytes of each of `documents` by key, which the store gets too."""
        if not documents:
            return {}
        encoded = encode_documents(self.encoder, list(documents.values()), report)
        contents = dict(zip(documents, map(packed, encoded), strict=True))
        if self.base:
            self.store.put(self.base, contents)
        return contents

    def _count(self, n_read: int, n_from_store: int) -> None:
        name = self.noun.replace(" ", "_")
        self.store.counts[f"{name}_read"] += n_read
        self.store.counts[f"{name}_from_store"] += n_from_store
        self.n_from_store += n_from_store

    def report(self, progress: Progress, done: int, total: int) -> None:
        note = f"{self.n_from_store:,} from the store" if self.n_from_store else ""
        progress(f"reading {self.noun}", done, total, note)

    def report_rows(
        self, progress: Progress, done: int, total: int, n_now: int, n_rows: int, of_rows: int
    ) -> None:
        """Report documents while a chunk of them is encoded: on a slow machine it takes a minute."""
        self.report(progress, done + n_now * n_rows // of_rows, total)


def iter_pair_chunks(
    documents: Iterable[tuple[str, EncodedDocument]], pairs: pl.DataFrame
) -> Iterator[list[tuple[int, str, EncodedDocument]]]:
    """Yield all `pairs` as (row, query text, document), in chunks of at most PAIRS_PER_CHUNK.

    Pairs of one document are neighbours. A chunk also ends after DOCUMENTS_PER_CHUNK documents, so
    that no more of them are in memory.

    >>> pairs = pl.DataFrame({"doc_id": ["d1", "d2", "d1"], "text": ["leave", "leave", "travel"]})
    >>> list(iter_pair_chunks([("d1", "document 1"), ("d2", "document 2")], pairs))
    [[(0, 'leave', 'document 1'), (2, 'travel', 'document 1'), (1, 'leave', 'document 2')]]
    """
    by_document = pairs.select("doc_id", "text").with_row_index("row").group_by("doc_id")
    rows_and_texts = {
        doc_id: (rows, texts) for doc_id, rows, texts in by_document.agg("row", "text").iter_rows()
    }
    chunk: list[tuple[int, str, EncodedDocument]] = []
    for number, (doc_id, document) in enumerate(documents, start=1):
        for row, text in zip(*rows_and_texts.get(doc_id, ((), ())), strict=True):
            chunk.append((row, text, document))
            if len(chunk) == PAIRS_PER_CHUNK:
                yield chunk
                chunk = []
        if number % DOCUMENTS_PER_CHUNK == 0 and chunk:
            yield chunk
            chunk = []
    if chunk:
        yield chunk


def get_or_compute(
    texts: Sequence[str],
    cache: LRUCache[str, Value],
    compute: Callable[[list[str]], Sequence[Value]],
) -> list[Value]:
    """The value of each text, from `cache` or from one call of `compute` for all missing texts.

    >>> cache = LRUCache(10)
    >>> get_or_compute(["b", "a", "b"], cache, lambda texts: [text.upper() for text in texts])
    ['B', 'A', 'B']
    >>> sorted(cache)
    ['a', 'b']
    """
    values = {text: cache.get(text) for text in dict.fromkeys(texts)}
    missing = [text for text, value in values.items() if value is None]
    if missing:
        for text, value in zip(missing, compute(missing), strict=True):
            values[text] = value
            _store(cache, text, value)
    return [values[text] for text in texts]  # type: ignore[misc]


def _vector_bytes(document: EncodedDocument) -> int:
    return document.token_vectors.nbytes


def _chunk_size(lengths: pl.Series) -> int:
    """The number of documents in the next chunk, at least one, from their lengths in characters."""
    return max(1, int((lengths.cum_sum() <= _CHARACTERS_PER_CHUNK).sum()))


def _store(cache: LRUCache, key: object, value: object) -> None:
    """Put `value` into `cache`, unless it alone is larger than the whole cache."""
    if cache.getsizeof(value) <= cache.maxsize:
        cache[key] = value
