"""The columns of the table that ranks retrieval systems.

What belongs here: one class. What does not: the numbers (benchmark/systems/), and the other tables' columns
(schemas.py, people.py).
"""

import dataframely as dy

from relabel_assets.benchmark.systems.rankings import SYSTEM_LABELERS
from relabel_assets.tables.columns import corpus_column, key_column


class SystemRankings(dy.Schema):
    corpus = corpus_column()
    system = key_column("The system: the name of its run file, without its ending.")
    measure = key_column("The measure, as ir_measures writes it: nDCG@10.")
    labeler = dy.Enum(
        SYSTEM_LABELERS,
        primary_key=True,
        description="Whose grades the value is computed from. final: the labels to use. reference: the "
        "median of the reference labels. people_ppi: estimated from people's graded sample and the "
        "student's grades (prediction-powered inference), nDCG@10 alone.",
    )
    gain = dy.Enum(
        ("expected_grade", "grade"),
        description="What a document is worth: its expected grade, which seldom ties, or its whole grade.",
    )
    value = dy.Float64(min=0, description="Mean of the measure over the queries.")
    ci_low = dy.Float64(
        description="Lower end of the 95 % interval (paired bootstrap over queries)."
    )
    ci_high = dy.Float64(description="Upper end of the 95 % interval.")
    rank = dy.Int64(min=1, description="Rank by value, from 1; equal values share the best rank.")
    rank_from = dy.Int64(
        min=1,
        description="First rank of the systems that cannot be told apart from this one (Tukey's HSD, "
        "5 % for all pairs together).",
    )
    rank_to = dy.Int64(min=1, description="Last rank of these systems.")
    rank_without_related = dy.Int64(
        nullable=True,
        min=1,
        description="Rank among the systems that are not related to the labeler; NULL for a related one.",
    )
    behind_first = dy.Float64(
        max=0, description="Value minus that of the system with rank 1; 0 for that one."
    )
    behind_first_low = dy.Float64(description="Lower end of its paired 95 % interval.")
    behind_first_high = dy.Float64(description="Upper end of its paired 95 % interval.")
    n_queries = dy.Int64(
        min=1,
        description="Queries of the runs with a grade above 0 by the labeler: those that count.",
    )
    n_unjudged = dy.Int64(
        min=0,
        description="Documents that the measure looks at and the labeler has not graded; they count as 0.",
    )
    n_filled = dy.Int64(
        min=0,
        description="Documents that were graded by the student for this ranking alone (--fill); 0 in the "
        "table.",
    )
    is_related = dy.Bool(
        description="Whether the system shares the labeler's base model or teacher, so that the labeler "
        "may favour it."
    )
    related_because = dy.String(
        nullable=True,
        description="How that is known: declared, or detected in the values; NULL if not related.",
    )
    excess_lead = dy.Float64(
        nullable=True,
        description="The system's lead by the labeler, less what its lead by the reference predicts, on "
        "the pairs that both graded. NULL where fewer than 5 queries have them.",
    )
    excess_lead_low = dy.Float64(nullable=True, description="Lower end of its 95 % interval.")
    excess_lead_high = dy.Float64(nullable=True, description="Upper end of its 95 % interval.")
