"""The search index: BM25 over title, body and metadata of a corpus.

What belongs here: making the index and asking it. What does not: which pairs are graded
(choose.py). Equal scores are ordered by document id, ascending.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl
import tantivy

from relabel_assets.candidates.steps import FILLER, fillers
from relabel_assets.progress import Progress, silent
from relabel_assets.tables.schemas import DOCUMENT_METADATA

FIELDS = ("title", "body", "metadata")
_WORDS = "words"  # the index's tokenizer: texts reach it analyzed, as words between spaces
_WRITER_BYTES = 64 * 1024 * 1024
_LONGEST_WORD_BYTES = 64  # a longer one is rather an encoded file or an address


@dataclass(frozen=True)
class Bm25:
    """A search index over documents: words stemmed as English, BM25 summed over the fields."""

    index: tantivy.Index
    analyzer: tantivy.TextAnalyzer
    doc_ids: Sequence[str]

    def top(self, text: str, depth: int) -> list[tuple[str, float]]:
        """The `depth` best documents of a query with their scores, best first.

        Fewer, where fewer share a word with the query.
        """
        query = self._query(text)
        if query is None or depth == 0:
            return []
        # The index cuts equal scores by its own order of documents. So ask for more than `depth`,
        # order equal scores by document id, and cut then. Beyond depth + 20 documents that tie at
        # the cut, the index's own order decides which are seen.
        return self._search(query, min(2 * depth + 20, len(self.doc_ids)))[:depth]

    def scores(self, text: str, doc_ids: Iterable[str]) -> dict[str, float]:
        """The score of each of `doc_ids` for a query; 0 where they share no word."""
        wanted = sorted(set(doc_ids))
        zeros = dict.fromkeys(wanted, 0.0)
        query = self._query(text)
        if query is None or not wanted:
            return zeros
        among = tantivy.Query.term_set_query(self.index.schema, "doc_id", wanted)
        unscored = tantivy.Query.const_score_query(among, 0.0)
        both = tantivy.Query.boolean_query(
            [(tantivy.Occur.Must, unscored), (tantivy.Occur.Must, query)]
        )
        return zeros | dict(self._search(both, len(wanted)))

    def _search(self, query: tantivy.Query, limit: int) -> list[tuple[str, float]]:
        searcher = self.index.searcher()
        hits = [
            (searcher.doc(address)["doc_id"][0], float(score))
            for score, address in searcher.search(query, limit).hits
        ]
        return sorted((hit for hit in hits if hit[0] != FILLER), key=lambda hit: (-hit[1], hit[0]))

    def _query(self, text: str) -> tantivy.Query | None:
        """Any of the text's words in any field. Built from analyzed words: nothing a person types
        is query syntax."""
        terms = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(self._term(field, word), float(count)))
            for word, count in sorted(Counter(self.analyzer.analyze(text)).items())
            for field in FIELDS
            if word != FILLER
        ]
        return tantivy.Query.boolean_query(terms) if terms else None

    def _term(self, field: str, word: str) -> tantivy.Query:
        return tantivy.Query.term_query(self.index.schema, field, word, index_option="freq")


@contextmanager
def bm25_index(
    documents: Iterable[pl.DataFrame], *, scratch: Path, progress: Progress = silent
) -> Iterator[Bm25]:
    """An index of `documents` (frames of seed_docs rows) in a folder of its own under `scratch`.

    The folder is removed at the end.
    """
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bm25-", dir=scratch))
    try:
        index = tantivy.Index(_schema(), path=str(folder))
        index.register_tokenizer(
            _WORDS, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        )
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        analyzer = _analyzer()
        doc_ids = _add_documents(writer, analyzer, documents, progress)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        yield Bm25(index, analyzer, doc_ids)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _add_documents(
    writer: tantivy.IndexWriter,
    analyzer: tantivy.TextAnalyzer,
    documents: Iterable[pl.DataFrame],
    progress: Progress,
) -> list[str]:
    """Add the documents and the fillers. Each text is analyzed once, here: its words are indexed
    and counted."""
    doc_ids: list[str] = []
    n_words = Counter(dict.fromkeys(FIELDS, 0))
    for batch in documents:
        for row in batch.iter_rows(named=True):
            words = {name: analyzer.analyze(text) for name, text in _fields(row).items()}
            n_words.update({name: len(of_field) for name, of_field in words.items()})
            _add(
                writer,
                row["doc_id"],
                {name: " ".join(of_field) for name, of_field in words.items()},
            )
        doc_ids += batch["doc_id"].to_list()
        progress("indexing documents", len(doc_ids), 0)
    add_fillers(writer, len(doc_ids), n_words)
    return doc_ids


def _fields(row: Mapping[str, Any]) -> dict[str, str]:
    metadata = " ".join(row[name] for name in DOCUMENT_METADATA if row[name])
    return {"title": row["title"] or "", "body": row["body"], "metadata": metadata}


def add_fillers(writer: tantivy.IndexWriter, n_documents: int, n_words: Mapping[str, int]) -> None:
    for fields in fillers(n_documents, n_words):
        _add(writer, FILLER, fields)


def _add(writer: tantivy.IndexWriter, doc_id: str, fields: Mapping[str, str]) -> None:
    texts = {name: [text] for name, text in fields.items()}
    writer.add_document(tantivy.Document(doc_id=[doc_id], **texts))


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder = builder.add_text_field(
        "doc_id", stored=True, tokenizer_name="raw", index_option="basic"
    )
    for field in FIELDS:
        builder = builder.add_text_field(field, tokenizer_name=_WORDS, index_option="freq")
    return builder.build()


def _analyzer() -> tantivy.TextAnalyzer:
    steps = (
        tantivy.Filter.remove_long(_LONGEST_WORD_BYTES),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    )
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in steps:
        builder = builder.filter(step)
    return builder.build()
