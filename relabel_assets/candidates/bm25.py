"""The search index: BM25 over title, body and metadata of a corpus.

What belongs here: building the index and searching it. What does not: which pairs are graded
(choose.py), and the filler documents (steps.py). Equal scores are ordered by document id, ascending.
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
from relabel_assets.files import make_private
from relabel_assets.progress import Progress, silent
from relabel_assets.tables.vocabulary import DOCUMENT_METADATA

FIELDS = ("title", "body", "metadata")
_WORDS = "words"  # the index's tokenizer: texts reach it analyzed, as words between spaces
# Memory of the index writer. Not measured: tantivy refuses less than 15 MB.
_WRITER_BYTES = 64 * 1024 * 1024
_LONGEST_WORD_BYTES = 64  # longer ones are encoded files or addresses, not words
# More results than asked for, to order equal scores ourselves. Not measured: short queries tie often.
_SPARE_RESULTS = 20


@dataclass(frozen=True)
class Bm25:
    """A search index over documents: words stemmed as English, BM25 summed over the fields."""

    index: tantivy.Index
    analyzer: tantivy.TextAnalyzer
    doc_ids: Sequence[str]

    def top(self, text: str, depth: int) -> list[tuple[str, float]]:
        """The `depth` best documents for a query with their scores, best first.

        A document without a word of the query is not among them.
        """
        query = self._query(text)
        if query is None or depth == 0:
            return []
        # The index orders equal scores in its own way. So search for more than `depth`, order equal
        # scores by document id, then cut. If more than depth + 20 documents tie at the cut, the
        # index's order still decides which of them are results.
        n_results = min(2 * depth + _SPARE_RESULTS, len(self.doc_ids))
        return self._search(query, n_results)[:depth]

    def scores(self, text: str, doc_ids: Iterable[str]) -> dict[str, float]:
        """The score of each of `doc_ids` for a query; 0 for one without a word of the query."""
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
        """The `limit` best documents with their scores, without fillers, in our order of ties."""
        searcher = self.index.searcher()
        hits = [
            (searcher.doc(address)["doc_id"][0], float(score))
            for score, address in searcher.search(query, limit).hits
        ]
        return sorted((hit for hit in hits if hit[0] != FILLER), key=lambda hit: (-hit[1], hit[0]))

    def _query(self, text: str) -> tantivy.Query | None:
        """A search for any word of `text` in any field; None if it has no words.

        It is built from analyzed words, so no text is taken as query syntax.
        """
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
    """An index of `documents` (frames of seed_docs rows), in a folder under `scratch`.

    The folder is removed when the block ends.
    """
    make_private(scratch)
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
    """Add the documents, then the fillers, and return the documents' ids."""
    doc_ids: list[str] = []
    n_words = Counter(dict.fromkeys(FIELDS, 0))
    for batch in documents:
        for row in batch.iter_rows(named=True):
            words_of = {field: analyzer.analyze(text) for field, text in _fields(row).items()}
            n_words.update({field: len(words) for field, words in words_of.items()})
            texts = {field: " ".join(words) for field, words in words_of.items()}
            _add(writer, row["doc_id"], texts)
        doc_ids += batch["doc_id"].to_list()
        progress("indexing documents", len(doc_ids), 0)
    add_fillers(writer, len(doc_ids), n_words)
    return doc_ids


def _fields(row: Mapping[str, Any]) -> dict[str, str]:
    """The text of each of FIELDS in a row of seed_docs."""
    metadata = " ".join(row[name] for name in DOCUMENT_METADATA if row[name])
    return {"title": row["title"] or "", "body": row["body"], "metadata": metadata}


def add_fillers(writer: tantivy.IndexWriter, n_documents: int, n_words: Mapping[str, int]) -> None:
    """Add the fillers of an index with `n_documents` documents of `n_words` words in each field."""
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
    """Text to words: lower case, without accents, stemmed as English."""
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
