"""Candidates: the documents that BM25 finds for each query, and the ones that are graded for another reason.

What belongs here: the search index and the choice of pairs. What does not: grading them. Ties in BM25 scores are broken
by document id, ascending.

One document that changes must not move the candidates of every query, because each new pair is asked of a teacher. So
BM25's collection statistics (how many documents, how long on average) move in steps of a fifth: the index is filled up to
the next step with documents that no query finds. A score then changes only where a word of the query came into a
document or went out of it, or, seldom, where a step is crossed.
"""

import hashlib
import math
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl
import tantivy

from relabel_assets.corpus.config import CandidatesConfig
from relabel_assets.progress import Progress, silent

FIELDS = ("title", "body", "metadata")
METADATA = ("author", "path", "updated_at", "doc_type")
_ANALYZER = "english"
_WRITER_BYTES = 64 * 1024 * 1024
_STEPS = 4  # of the collection statistics, for every doubling: 2 ** (1/4) is a fifth more
_FILLER = "\U00010900"  # a Phoenician letter: the only word of a document that fills up
_SCHEMA = {"query_id": pl.String, "doc_id": pl.String, "rank": pl.Int32, "bm25_score": pl.Float64, "source": pl.String}


@dataclass(frozen=True)
class Bm25:
    """A search index over documents: title, body and metadata, stemmed as English, BM25 summed over the fields."""

    index: tantivy.Index
    analyzer: tantivy.TextAnalyzer
    doc_ids: Sequence[str]
    doc_hashes: np.ndarray  # (documents,) uint64, for drawing at random

    def top(self, text: str, depth: int) -> list[tuple[str, float]]:
        """The `depth` best documents of a query with their scores, best first; fewer where fewer share a word with it."""
        query = self._query(text)
        if query is None or depth == 0:
            return []
        # A tie at the border is cut by document id, so a few more than are asked for are looked at.
        return self._search(query, min(2 * depth + 20, len(self.doc_ids)))[:depth]

    def scores(self, text: str, doc_ids: Iterable[str]) -> dict[str, float]:
        """The score of each of `doc_ids` for a query; 0 where they share no word."""
        wanted = sorted(set(doc_ids))
        query, found = self._query(text), dict.fromkeys(wanted, 0.0)
        if query is None or not wanted:
            return found
        only = tantivy.Query.const_score_query(tantivy.Query.term_set_query(self.index.schema, "doc_id", wanted), 0.0)
        both = tantivy.Query.boolean_query([(tantivy.Occur.Must, only), (tantivy.Occur.Must, query)])
        return found | dict(self._search(both, len(wanted)))

    def _search(self, query: tantivy.Query, limit: int) -> list[tuple[str, float]]:
        searcher = self.index.searcher()
        hits = searcher.search(query, limit).hits
        found = [(searcher.doc(address)["doc_id"][0], float(score)) for score, address in hits]
        return sorted((hit for hit in found if hit[0] != _FILLER), key=lambda hit: (-hit[1], hit[0]))

    def _query(self, text: str) -> tantivy.Query | None:
        """Any of the text's words in any field. Built from analysed words: nothing a person types is query syntax."""
        terms = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(self._term(field, word), float(count)))
            for word, count in sorted(Counter(self.analyzer.analyze(text)).items())
            for field in FIELDS
            if word != _FILLER
        ]
        return tantivy.Query.boolean_query(terms) if terms else None

    def _term(self, field: str, word: str) -> tantivy.Query:
        return tantivy.Query.term_query(self.index.schema, field, word, index_option="freq")


@contextmanager
def bm25_index(documents: Iterable[pl.DataFrame], *, scratch: Path, progress: Progress = silent) -> Iterator[Bm25]:
    """An index of `documents` (frames of seed_docs rows) in a folder of its own under `scratch`, removed at the end."""
    scratch.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="bm25-", dir=scratch))
    try:
        index, doc_ids, n_words = tantivy.Index(_schema(), path=str(folder)), list[str](), Counter[str]()
        analyzer = _analyzer()
        index.register_tokenizer(_ANALYZER, analyzer)
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        for batch in documents:
            for row in batch.iter_rows(named=True):
                metadata = " ".join(row[name] for name in METADATA if row[name])
                fields = {"title": row["title"] or "", "body": row["body"], "metadata": metadata}
                _add(writer, row["doc_id"], fields)
                n_words.update({name: len(analyzer.analyze(text)) for name, text in fields.items()})
            doc_ids += batch["doc_id"].to_list()
            progress("indexing documents", len(doc_ids), 0)
        _fill_up(writer, len(doc_ids), n_words)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        yield Bm25(index, analyzer, doc_ids, np.array([_hash(doc_id) for doc_id in doc_ids], dtype=np.uint64))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def find_candidates(
    documents: Iterable[pl.DataFrame],
    queries: pl.DataFrame,
    judged: pl.DataFrame,
    *,
    config: CandidatesConfig,
    scratch: Path,
    progress: Progress = silent,
) -> pl.DataFrame:
    """The pairs to grade: query_id, doc_id, rank, bm25_score, source.

    `documents` are frames of seed_docs rows, `queries` has query_id, text and seed_doc_id, `judged` the pairs
    (query_id, doc_id) that carry a grade already. A query gets the `bm25_top_k` best documents (with their rank, from
    1), its seed document, its judged ones, and `random` others.
    """
    by_query: dict[str, list[str]] = defaultdict(list)
    for query_id, doc_id in judged.select("query_id", "doc_id").sort("query_id", "doc_id").iter_rows():
        by_query[query_id].append(doc_id)
    rows: list[tuple[str, str, int | None, float, str]] = []
    with bm25_index(documents, scratch=scratch, progress=progress) as bm25:
        for done, query in enumerate(queries.sort("query_id").iter_rows(named=True), start=1):
            rows += _candidates_of(query, by_query[query["query_id"]], bm25, config)
            progress("searching candidates, queries", done, queries.height)
    return pl.DataFrame(rows, schema=_SCHEMA, orient="row")


def retrievable(documents: Iterable[pl.DataFrame], queries: pl.DataFrame, *, depth: int, scratch: Path) -> pl.Series:
    """Whether each query's seed document is among BM25's `depth` best: the round trip of a written query."""
    with bm25_index(documents, scratch=scratch) as bm25:
        found = [
            seed in {doc_id for doc_id, _ in bm25.top(text, depth)}
            for text, seed in queries.select("text", "seed_doc_id").iter_rows()
        ]
    return pl.Series("is_round_trip", found, dtype=pl.Boolean)


def _candidates_of(
    query: Mapping[str, str | None], judged: Sequence[str], bm25: Bm25, config: CandidatesConfig
) -> list[tuple[str, str, int | None, float, str]]:
    query_id, text, seed = str(query["query_id"]), str(query["text"]), query["seed_doc_id"]
    best = bm25.top(text, config.bm25_top_k)
    sources = {doc_id: "bm25" for doc_id, _ in best}
    if seed is not None and config.include_seed:
        sources.setdefault(seed, "seed")
    for doc_id in judged:
        sources.setdefault(doc_id, "judged")
    for doc_id in _drawn(bm25, set(sources), config.random, f"{config.seed}:{query_id}"):
        sources[doc_id] = "random"
    ranks = {doc_id: rank for rank, (doc_id, _) in enumerate(best, start=1)}
    scores = bm25.scores(text, set(sources) - set(ranks)) | dict(best)
    return [(query_id, doc_id, ranks.get(doc_id), scores[doc_id], source) for doc_id, source in sources.items()]


def _drawn(bm25: Bm25, taken: set[str], count: int, salt: str) -> list[str]:
    """`count` documents that are not `taken`, or all there are: those with the lowest hashes of salt and document
    (rendezvous hashing, Thaler and Ravishankar 1998), so that a document that comes or goes moves few draws."""
    n_looked_at = min(count + len(taken), len(bm25.doc_ids)) if count else 0
    if not n_looked_at:
        return []
    order = _mixed(bm25.doc_hashes ^ np.uint64(_hash(salt)))
    lowest = np.argpartition(order, n_looked_at - 1)[:n_looked_at]
    drawn = (bm25.doc_ids[place] for place in lowest[np.argsort(order[lowest])])
    return [doc_id for doc_id in drawn if doc_id not in taken][:count]


def _hash(text: str) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "little")


def _mixed(values: np.ndarray) -> np.ndarray:
    """Each 64-bit value as another that looks drawn at random: the finalizer of SplitMix64 (Steele et al. 2014)."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))


def _add(writer: tantivy.IndexWriter, doc_id: str, fields: Mapping[str, str]) -> None:
    writer.add_document(tantivy.Document(doc_id=[doc_id], **{name: [text] for name, text in fields.items()}))


def _fill_up(writer: tantivy.IndexWriter, n_docs: int, n_words: Mapping[str, int]) -> None:
    """Add documents of _FILLER alone until documents, and words of each field, are as many as the next step says."""
    n_fillers = next_step(n_docs) - n_docs
    missing = {name: next_step(n_words[name]) - n_words[name] if n_words[name] else 0 for name in FIELDS}
    for number in range(n_fillers):
        shares = {
            name: (count * (number + 1)) // n_fillers - (count * number) // n_fillers for name, count in missing.items()
        }
        _add(writer, _FILLER, {name: " ".join([_FILLER] * share) for name, share in shares.items()})


def next_step(count: int) -> int:
    """The least number above `count` that a collection statistic may have."""
    step = math.floor(_STEPS * math.log2(max(count, 1)))
    while (found := math.ceil(2 ** (step / _STEPS))) <= count:
        step += 1
    return found


def _schema() -> tantivy.Schema:
    builder = tantivy.SchemaBuilder().add_text_field("doc_id", stored=True, tokenizer_name="raw", index_option="basic")
    for field in FIELDS:
        builder = builder.add_text_field(field, tokenizer_name=_ANALYZER, index_option="freq")
    return builder.build()


def _analyzer() -> tantivy.TextAnalyzer:
    steps = (
        tantivy.Filter.remove_long(64),
        tantivy.Filter.lowercase(),
        tantivy.Filter.ascii_fold(),
        tantivy.Filter.stemmer("english"),
    )
    builder = tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
    for step in steps:
        builder = builder.filter(step)
    return builder.build()
