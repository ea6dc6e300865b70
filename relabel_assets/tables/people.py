"""The columns of the tables that people fill: their grades, and the pairs that they are asked about.

What belongs here: their classes. What does not: the tables of queries, candidates and models (schemas.py).
"""

import dataframely as dy

from relabel_assets.tables.columns import corpus_column, grade_column, key_column
from relabel_assets.tables.vocabulary import REFERENCE_KINDS, VOLATILE


def _chance_column(description: str, *, nullable: bool = False) -> dy.Float64:
    return dy.Float64(nullable=nullable, min_exclusive=0, max=1, description=description)


class ReferenceLabels(dy.Schema):
    corpus = corpus_column()
    query_id = key_column("The query.")
    doc_id = key_column("The document.")
    assessor = key_column(
        "Who graded: the person who reviewed the pair, or the second column of the qrels file."
    )
    grade = grade_column("The reference grade.")
    kind = dy.Enum(
        REFERENCE_KINDS,
        description="human: graded by people, as every review is. adjudicated: settled from several passes "
        "of a model. not stated: corpus.yaml does not say.",
    )
    reviewed_at = dy.Datetime(
        nullable=True,
        time_zone="UTC",
        metadata=VOLATILE,
        description="When a person reviewed the pair; NULL for a grade of a qrels file.",
    )
    inclusion_prob = _chance_column(
        "The chance that the pair was drawn for people (review_samples); NULL for a grade of a pair that "
        "was not drawn, and of a qrels file.",
        nullable=True,
    )


class ReviewSamples(dy.Schema):
    corpus = corpus_column()
    query_id = key_column("The query.")
    doc_id = key_column("The document.")
    stratum = dy.String(
        min_length=1, description="The stratum of the pair, frozen when it joined the pool."
    )
    inclusion_prob = _chance_column(
        "The chance of the pair to be in the sample, as it is now: 1 / inclusion_prob is its weight."
    )
    query_prob = _chance_column(
        "The chance of its query, where queries are drawn first; 1 where pairs are drawn."
    )
    n_stratum = dy.Int64(min=1, description="Pairs of the pool in this stratum.")
    n_drawn = dy.Int64(min=1, description="Those of them that are drawn.")
    why = dy.String(nullable=True, description="Why people are asked about this pair, in words.")
    drawn_at = dy.Datetime(
        nullable=True, time_zone="UTC", metadata=VOLATILE, description="When the pair was drawn."
    )
