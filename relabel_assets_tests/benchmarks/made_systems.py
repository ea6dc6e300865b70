"""Retrieval systems that are made here, for benchmarks of rankings where no TREC runs are at hand.

Variants of BM25, bags of words, latent semantic analysis, the untrained base's cosines and late interaction,
two of them fused, and some of these with noise added, which are worse on purpose. Those on the base are
relatives of a student on the same base. Runs of other systems say more.
"""

import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
import torch
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.metrics.pairwise import cosine_similarity
from torch import nn

from relabel_assets.candidates.bm25 import Bm25, bm25_index
from relabel_assets.progress import silent
from relabel_assets.student.base import base_path
from relabel_assets.student.late_interaction.cache import iter_encoded_documents
from relabel_assets.student.late_interaction.documents import EncodedDocument
from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets.student.late_interaction.scoring import late_interaction_scores
from relabel_assets.student.runtime.encoder import load_encoder
from relabel_assets.student.vectors.store import VectorStore

SEED = 13
FUSED_AT = 60  # of reciprocal rank fusion (Cormack et al. 2009)
NOISE = (0.5, 1.0, 2.0)  # standard deviations of the system's scores
VECTORIZERS: dict[str, dict[str, Any]] = {
    "tf-idf": {},
    "tf": {"use_idf": False},
    "sublinear tf-idf": {"sublinear_tf": True, "stop_words": "english"},
    "two words": {"ngram_range": (1, 2), "sublinear_tf": True},
    "characters": {"analyzer": "char_wb", "ngram_range": (3, 5), "sublinear_tf": True},
}


def first_words(n: int, column: str) -> pl.Expr:
    return pl.col(column).fill_null("").str.split(" ").list.head(n).list.join(" ")


def by_bm25(
    pairs: pl.DataFrame, documents: pl.DataFrame, rewrite: Callable[[Bm25, str], str] | None = None
) -> pl.Series:
    scores: dict[tuple[str, str], float] = {}
    with (
        tempfile.TemporaryDirectory() as scratch,
        bm25_index([documents], scratch=Path(scratch)) as bm25,
    ):
        for (query_id, text), group in pairs.group_by("query_id", "text"):
            words = rewrite(bm25, str(text)) if rewrite else str(text)
            scores |= {
                (str(query_id), doc_id): score
                for doc_id, score in bm25.scores(words, group["doc_id"]).items()
            }
    return pl.Series([scores[key] for key in pairs.select("query_id", "doc_id").iter_rows()])


def expanded(documents: pl.DataFrame) -> Callable[[Bm25, str], str]:
    """A function that adds to a query the words that two of its top three documents share."""
    bodies = dict(documents.select("doc_id", "body").iter_rows())

    def rewrite(bm25: Bm25, text: str) -> str:
        best = [set(bodies[doc_id].lower().split()) for doc_id, _ in bm25.top(text, 3)]
        shared_words = {
            word
            for position, words in enumerate(best)
            for earlier in best[:position]
            for word in words & earlier
        }
        return " ".join([text, *sorted(shared_words)])

    return rewrite


def by_words(pairs: pl.DataFrame, dimensions: int | None = None, **settings: Any) -> pl.Series:
    """The cosine of query and body as bags of words or characters, perhaps in fewer `dimensions`."""
    bodies = pairs.select("doc_id", "body").unique("doc_id", maintain_order=True)
    texts = pairs["text"].unique(maintain_order=True).to_list()
    vectorizer = TfidfVectorizer(**settings)
    of_documents = vectorizer.fit_transform(bodies["body"].to_list())
    of_queries = vectorizer.transform(texts)
    if dimensions:
        fewer = TruncatedSVD(dimensions, random_state=SEED).fit(of_documents)
        of_documents, of_queries = map(fewer.transform, (of_documents, of_queries))
    cosines = cosine_similarity(of_queries, of_documents)
    row = {text: number for number, text in enumerate(texts)}
    column = {doc_id: number for number, doc_id in enumerate(bodies["doc_id"])}
    keys = pairs.select("text", "doc_id").iter_rows()
    return pl.Series([float(cosines[row[text], column[doc_id]]) for text, doc_id in keys])


def fused(pairs: pl.DataFrame, *systems: pl.Series) -> pl.Series:
    ranked = pairs.select("query_id").with_columns(
        pl.Series(str(n), scores) for n, scores in enumerate(systems)
    )
    ranks = [pl.col(str(n)).rank(descending=True).over("query_id") for n in range(len(systems))]
    return ranked.select(pl.sum_horizontal(1 / (FUSED_AT + rank) for rank in ranks)).to_series()


def systems_of_words(
    pairs: pl.DataFrame, documents: pl.DataFrame
) -> Iterator[tuple[str, pl.Series]]:
    """Systems by name that know words alone, each with its score of every pair.

    `pairs`: query_id, doc_id, text and the document's columns. The last ones are worse on purpose.
    """
    plain = {"bm25": by_bm25(pairs, documents)}
    for name, settings in VECTORIZERS.items():
        plain[name] = by_words(pairs, **settings)
    for dimensions in (50, 200):
        plain[f"lsa {dimensions}"] = by_words(pairs, dimensions, sublinear_tf=True)
    for name in ("lsa 200", "characters"):
        plain[f"bm25 and {name}"] = fused(pairs, plain["bm25"], plain[name])
    yield from plain.items()
    draw = np.random.default_rng(SEED)
    for name in ("bm25", "tf-idf", "characters", "lsa 200"):
        scores = plain[name].to_numpy()
        for share in NOISE:
            noise = draw.normal(0, share * scores.std(ddof=1), pairs.height)
            yield f"{name}, noise {share:g}", pl.Series(scores + noise)
    yield "random", pl.Series(draw.random(pairs.height))


def systems_on_the_base(
    pairs: pl.DataFrame, documents: pl.DataFrame, store: VectorStore
) -> Iterator[tuple[str, pl.Series]]:
    """Systems on the untrained base, and variants of BM25: relatives of a student, and their rivals."""
    beginnings = documents.with_columns(body=first_words(20, "body"))
    short_queries = pairs.with_columns(text=first_words(3, "text"))
    bm25 = by_bm25(pairs, documents)
    yield "bm25 of three words", by_bm25(short_queries, documents)
    yield "bm25 of beginnings", by_bm25(pairs, beginnings)
    yield "bm25 expanded", by_bm25(pairs, documents, expanded(documents))
    encoder = load_encoder(base_path("embedded"), 192)
    scorer = QueryScorer(encoder)

    encoded_documents = dict(iter_encoded_documents(encoder, pairs, silent, store=store))

    def by_cosine(
        pairs: pl.DataFrame, encoded_documents: Mapping[str, EncodedDocument]
    ) -> pl.Series:
        texts = pairs["text"].unique().to_list()
        means = [vectors.mean(dim=0) for vectors, _ in scorer.encode_query_tokens(texts)]
        queries = dict(zip(texts, nn.functional.normalize(torch.stack(means), dim=-1), strict=True))
        pair_keys = pairs.select("text", "doc_id").iter_rows()
        return pl.Series(
            [
                float((encoded_documents[doc_id].window_vectors @ queries[text]).max())
                for text, doc_id in pair_keys
            ]
        )

    cosine = by_cosine(pairs, encoded_documents)
    yield "cosine", cosine
    yield "cosine of three words", by_cosine(short_queries, encoded_documents)
    of_beginnings = pairs.with_columns(body=first_words(20, "body"))
    yield (
        "cosine of beginnings",
        by_cosine(pairs, dict(iter_encoded_documents(encoder, of_beginnings, silent, store=store))),
    )
    late = pl.Series(late_interaction_scores(scorer, encoded_documents.items(), pairs))
    yield "late interaction", late
    yield "bm25 and cosine", fused(pairs, bm25, cosine)
    yield "bm25 and late interaction", fused(pairs, bm25, late)
