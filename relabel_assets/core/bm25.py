"""Candidates: the documents that BM25 finds for each query, and the ones that are graded for another reason.

What belongs here: the search index and the choice of pairs. What does not: grading them. Ties in BM25 scores are broken
by document id, ascending.
"""

import hashlib
import random
import shutil
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import polars as pl
import tantivy

from relabel_assets.core.corpus_config import CandidatesConfig
from relabel_assets.core.progress import Progress, silent

FIELDS = ("title", "body", "metadata")
METADATA = ("author", "path", "updated_at", "doc_type")
_ANALYZER = "english"
_WRITER_BYTES = 64 * 1024 * 1024
_SCHEMA = {"query_id": pl.String, "doc_id": pl.String, "rank": pl.Int32, "bm25_score": pl.Float64, "source": pl.String}


@dataclass(frozen=True)
class Bm25:
    """A search index over documents: title, body and metadata, stemmed as English, BM25 summed over the fields."""

    index: tantivy.Index
    analyzer: tantivy.TextAnalyzer
    doc_ids: Sequence[str]  # in order, for drawing at random

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
        return sorted(found, key=lambda hit: (-hit[1], hit[0]))

    def _query(self, text: str) -> tantivy.Query | None:
        """Any of the text's words in any field. Built from analysed words: nothing a person types is query syntax."""
        terms = [
            (tantivy.Occur.Should, tantivy.Query.boost_query(self._term(field, word), float(count)))
            for word, count in sorted(Counter(self.analyzer.analyze(text)).items())
            for field in FIELDS
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
        index, doc_ids = tantivy.Index(_schema(), path=str(folder)), []
        analyzer = _analyzer()
        index.register_tokenizer(_ANALYZER, analyzer)
        writer = index.writer(heap_size=_WRITER_BYTES, num_threads=1)
        for batch in documents:
            for row in batch.iter_rows(named=True):
                metadata = " ".join(row[name] for name in METADATA if row[name])
                fields = {
                    "doc_id": row["doc_id"],
                    "title": row["title"] or "",
                    "body": row["body"],
                    "metadata": metadata,
                }
                writer.add_document(tantivy.Document(**{name: [value] for name, value in fields.items()}))
            doc_ids += batch["doc_id"].to_list()
            progress("indexing documents", len(doc_ids), 0)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        yield Bm25(index, analyzer, sorted(doc_ids))
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
    1), its seed document, its judged ones, and `random` others, drawn by a seed that follows from the query's id.
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
    for doc_id in _drawn(bm25.doc_ids, set(sources), config.random, f"{config.seed}:{query_id}"):
        sources[doc_id] = "random"
    ranks = {doc_id: rank for rank, (doc_id, _) in enumerate(best, start=1)}
    scores = bm25.scores(text, set(sources) - set(ranks)) | dict(best)
    return [(query_id, doc_id, ranks.get(doc_id), scores[doc_id], source) for doc_id, source in sources.items()]


def _drawn(doc_ids: Sequence[str], taken: set[str], count: int, salt: str) -> list[str]:
    """`count` documents that are not `taken`, or all there are; the same for the same salt and documents."""
    draw = random.Random(hashlib.sha256(salt.encode()).digest())
    wanted = min(count + len(taken), len(doc_ids))
    return [doc_ids[place] for place in draw.sample(range(len(doc_ids)), wanted) if doc_ids[place] not in taken][:count]


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
