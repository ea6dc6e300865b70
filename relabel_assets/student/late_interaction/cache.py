"""A cache of encoded documents and queries: each is encoded once, in bounded memory.

What belongs here: cutting documents and pairs into chunks, and the cache. What does not: encoding
itself (documents.py) and scores (scoring.py). Imported only where a model is needed: it loads torch.
"""

import hashlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from typing import TypeVar

import polars as pl
from cachetools import LRUCache

from relabel_assets.progress import Progress
from relabel_assets.student.late_interaction.documents import EncodedDocument, encode_documents
from relabel_assets.student.runtime.encoder import Encoder
from relabel_assets.tables.schemas import DOCUMENT_COLUMNS

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
) -> Iterator[tuple[str, EncodedDocument]]:
    """Yield (doc_id, document) for each document of `pairs`, once and in their order.

    Documents in `cache` are not encoded again. One chunk of documents is encoded at a time, so the
    caller decides how many stay in memory.

    >>> from relabel_assets.progress import silent
    >>> from relabel_assets.student.base import base_path
    >>> from relabel_assets.student.runtime.encoder import load_encoder
    >>> encoder = load_encoder(base_path("embedded"), max_length=192, precision="fp32")
    >>> texts = {name: ["leave"] * 3 for name in DOCUMENT_COLUMNS}
    >>> pairs = pl.DataFrame({"doc_id": ["d1", "d2", "d1"], **texts})
    >>> [doc_id for doc_id, _ in iter_encoded_documents(encoder, pairs, silent)]
    ['d1', 'd2']
    """
    documents = pairs.unique("doc_id", maintain_order=True).select("doc_id", *DOCUMENT_COLUMNS)
    text = pl.concat_str(pl.col("title", "body").fill_null(""))
    lengths = documents.select(text.str.len_chars()).to_series()
    cache = document_cache(max_bytes=0) if cache is None else cache
    done = 0
    while done < documents.height:
        size = _chunk_size(lengths.slice(done, DOCUMENTS_PER_CHUNK))
        chunk = documents.slice(done, size)
        keys = [_key(columns) for columns in chunk.select(DOCUMENT_COLUMNS).iter_rows()]
        encoded = [cache.get(key) for key in keys]
        missing = [row for row, document in enumerate(encoded) if document is None]
        report = partial(_report_rows, progress, done, len(missing), documents.height)
        computed = encode_documents(encoder, chunk[missing].to_dicts(), report) if missing else []
        for row, document in zip(missing, computed, strict=True):
            encoded[row] = document
            _store(cache, keys[row], document)
        yield from zip(chunk["doc_id"], encoded, strict=True)
        done += size
        progress("encoding documents", done, documents.height)


def _report_rows(
    progress: Progress, n_before: int, n_now: int, n_documents: int, n_rows: int, total: int
) -> None:
    """Report documents while a chunk of them is encoded: on a slow machine it takes a minute."""
    progress("encoding documents", n_before + n_now * n_rows // total, n_documents)


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


def _key(columns: Sequence[str | None]) -> bytes:
    """The cache key of a document: a hash of its columns, because a text may be larger than its vectors."""
    return hashlib.sha256(repr(columns).encode("utf-8", "surrogatepass")).digest()


def _store(cache: LRUCache, key: object, value: object) -> None:
    """Put `value` into `cache`, unless it alone is larger than the whole cache."""
    if cache.getsizeof(value) <= cache.maxsize:
        cache[key] = value
