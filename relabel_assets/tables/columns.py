"""Columns that several tables have: keys, grades and probabilities.

What belongs here: one function for each kind of column. What does not: whole tables (schemas.py).
"""

import dataframely as dy


def corpus_column() -> dy.String:
    return dy.String(
        primary_key=True, regex=r"^[a-z0-9_]{1,64}$", description="The corpus; the partition key."
    )


def key_column(description: str) -> dy.String:
    return dy.String(primary_key=True, min_length=1, description=description)


# A grade is one digit, because a decoder student answers with one token: 0 to 9 at most.
def grade_column(description: str, *, nullable: bool = False) -> dy.Int8:
    return dy.Int8(nullable=nullable, min=0, max=9, description=description)


def expected_grade_column(description: str, *, nullable: bool = False) -> dy.Float64:
    return dy.Float64(nullable=nullable, min=0, max=9, description=description)


def grade_probs_column(description: str, *, nullable: bool = False) -> dy.List:
    return dy.List(dy.Float64(min=0, max=1), nullable=nullable, description=description)
