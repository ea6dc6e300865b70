"""The search index: BM25 over title, body and metadata of a corpus.

What belongs here: building the index and searching it. What does not: words (analyzer.py), and which pairs
are graded (choose.py). Equal scores are ordered by document id, ascending.

The words of scripts without spaces have fields of their own, so that they change no score of other words.
A document with the text of an earlier one (`duplicate_of`) is not indexed: its first one is found.
"""

import shutil
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import polars as pl
import tantivy

from relabel_assets.candidates.analyzer import ENGLISH, Analyzer
from relabel_assets.files import make_private
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.words import separated
from relabel_assets.progress import Progress, silent
from relabel_assets.tables.vocabulary import DOCUMENT_METADATA

FIELDS = ("title", "body", "metadata")
_UNSPACED = "_unspaced"  # the suffix of the fields with words of scripts without spaces
_ANALYZED, _WORDS = (
    "analyzed",
    "words",
)  # the index's tokenizers: of texts, and of words between spaces
# Memory of the index writer. Not measured: tantivy refuses less than 15 MB.
_WRITER_BYTES = 64 * 1024 * 1024
# More results than asked for, to order equal scores ourselves. Not measured: short queries tie often.
_SPARE_RESULTS = 20


@dataclass(frozen=True)
class Bm25:
    """A search index over documents: BM25 summed over the fields.

    `doc_ids` are the documents that can be found. `first_of` has the others, each with its first document.
    """

    index: tantivy.Index
    analyzer: Analyzer
    doc_ids: Sequence[str]
    first_of: Mapping[str, str] = field(default_factory=dict)

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
        wanted = {doc_id: self.first_of.get(doc_id, doc_id) for doc_id in doc_ids}
        query = self._query(text)
        if query is None or not wanted:
            return dict.fromkeys(wanted, 0.0)
        indexed = sorted(set(wanted.values()))
        among = tantivy.Query.term_set_query(self.index.schema, "doc_id", indexed)
        unscored = tantivy.Query.const_score_query(among, 0.0)
        both = tantivy.Query.boolean_query(
            [(tantivy.Occur.Must, unscored), (tantivy.Occur.Must, query)]
        )
        found = dict(self._search(both, len(indexed)))
        return {doc_id: found.get(first, 0.0) for doc_id, first in wanted.items()}

    def _search(self, query: tantivy.Query, limit: int) -> list[tuple[str, float]]:
        """The `limit` best documents with their scores, in our order of ties."""
        searcher = self.index.searcher()
        hits = [
            (searcher.doc(address)["doc_id"][0], float(score))
            for score, address in searcher.search(query, limit).hits
        ]
        return sorted(hits, key=lambda hit: (-hit[1], hit[0]))

    def _query(self, text: str) -> tantivy.Query | None:
        """A search for any word of `text` in any field; None if it has no words.

        It is built from analyzed words, so no text is taken as query syntax.
        """
        spaced, unspaced = self.analyzer.words(text)
        terms = [
            (
                tantivy.Occur.Should,
                tantivy.Query.boost_query(self._term(f"{name}{suffix}", word), float(count)),
            )
            for suffix, words in (("", spaced), (_UNSPACED, unspaced))
            for word, count in sorted(Counter(words).items())
            for name in FIELDS
        ]
        return tantivy.Query.boolean_query(terms) if terms else None

    def _term(self, field: str, word: str) -> tantivy.Query:
        return tantivy.Query.term_query(self.index.schema, field, word, index_option="freq")


@contextmanager
def bm25_index(
    documents: Iterable[pl.DataFrame],
    *,
    scratch: Path,
    language: str = ENGLISH,
    progress: Progress = silent,
) -> Iterator[Bm25]:
    """An index of `documents` (frames of seed_docs rows), in a folder under `scratch`.

    `language` is that of the stemmer (analyzer.py). The folder is removed when the block ends.
    """
    make_private(scratch)
    folder = Path(tempfile.mkdtemp(prefix="bm25-", dir=scratch))
    try:
        analyzer = Analyzer.of(language)
        index = tantivy.Index(_schema(), path=str(folder))
        index.register_tokenizer(_ANALYZED, analyzer.spaced)
        index.register_tokenizer(
            _WORDS, tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.whitespace()).build()
        )
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        doc_ids, first_of = _add_documents(writer, documents, progress)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        yield Bm25(index, analyzer, doc_ids, first_of)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _add_documents(
    writer: tantivy.IndexWriter, documents: Iterable[pl.DataFrame], progress: Progress
) -> tuple[list[str], dict[str, str]]:
    """Add the documents. Returns their ids, and the first document of each that repeats one."""
    doc_ids, first_of = list[str](), dict[str, str]()
    for batch in documents:
        for row in batch.iter_rows(named=True):
            if first := row.get("duplicate_of"):
                first_of[row["doc_id"]] = first
                continue
            writer.add_document(tantivy.Document(doc_id=[row["doc_id"]], **_fields(row)))
            doc_ids.append(row["doc_id"])
        progress("indexing documents", len(doc_ids) + len(first_of), 0)
    return doc_ids, first_of


def _fields(row: Mapping[str, Any]) -> dict[str, list[str]]:
    """The text of each field of the index that a row of seed_docs has."""
    metadata = " ".join(row[name] for name in DOCUMENT_METADATA if row[name])
    texts = {"title": row["title"] or "", "body": row["body"], "metadata": metadata}
    fields: dict[str, list[str]] = {}
    for name, text in texts.items():
        spaced, unspaced = separated(nfc(text))
        fields[name] = [spaced]
        if unspaced:
            fields[f"{name}{_UNSPACED}"] = [" ".join(unspaced)]
    return fields


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder()
    builder = builder.add_text_field(
        "doc_id", stored=True, tokenizer_name="raw", index_option="basic"
    )
    for suffix, tokenizer in (("", _ANALYZED), (_UNSPACED, _WORDS)):
        for name in FIELDS:
            builder = builder.add_text_field(
                f"{name}{suffix}", tokenizer_name=tokenizer, index_option="freq"
            )
    return builder.build()
