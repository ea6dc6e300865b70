"""The columns of the tables that the warehouse fills itself: receipts, histories, inputs set aside.

What belongs here: their classes. What does not: the tables of the graph (schemas.py).
"""

import dataframely as dy

from relabel_assets.tables.columns import corpus_column, key_column
from relabel_assets.tables.vocabulary import PLACE, VOLATILE


class Materializations(dy.Schema):
    """What each partition was made from."""

    corpus = corpus_column()
    table_name = key_column("The table.")
    input_hash = dy.String(
        min_length=64,
        max_length=64,
        description="SHA-256 of everything the rows depend on: code, settings, files, upstream tables.",
    )
    inputs = dy.String(
        nullable=True,
        description="JSON: a short hash of each input by name; a plan names the changed ones with it.",
    )
    content_hash = dy.String(
        min_length=64,
        max_length=64,
        description="SHA-256 of the rows, without times and durations.",
    )
    n_rows = dy.Int64(min=0, description="Number of rows of the partition.")
    n_unfinished = dy.Int64(
        min=0, description="Failed pieces of work; the next run tries them again."
    )
    n_set_aside = dy.Int64(
        min=0, description="Unusable inputs that were left out, each with a message."
    )
    files = dy.List(
        dy.String(regex=PLACE), description="Files of the partition, relative to RELABEL_HOME."
    )
    run_id = dy.String(nullable=True, description="The Dagster run that wrote it.")
    written_at = dy.Datetime(time_zone="UTC", metadata=VOLATILE, description="When it was written.")


class SetAsideInputs(dy.Schema):
    """The inputs that could not be used."""

    corpus = corpus_column()
    asset = key_column("The table that was made without the input.")
    number = dy.Int64(
        primary_key=True,
        min=1,
        description="Counts the inputs of an asset from 1, as they were read.",
    )
    file = dy.String(nullable=False, description="The file, relative to the corpus folder.")
    line = dy.Int64(
        nullable=True, description="The line, from 1; NULL where it is about the whole file."
    )
    message = dy.String(nullable=False, description="Why the input could not be used.")
    remedy = dy.String(nullable=False, description="What to do about it.")


class GradeHistory(dy.Schema):
    """Every change of a pair's grade."""

    corpus = corpus_column()
    labeler = dy.String(nullable=False, description="teacher, student, or final.")
    query_id = dy.String(nullable=False, description="The query.")
    doc_id = dy.String(nullable=False, description="The document.")
    grade = dy.Int8(nullable=True, description="The new grade; NULL if the pair lost its grade.")
    model = dy.String(
        nullable=True,
        description="The teacher's model, the student's id, or whose grade the final one is.",
    )
    run_id = dy.String(nullable=True, description="The Dagster run that changed it.")
    noted_at = dy.Datetime(time_zone="UTC", nullable=False, description="When it changed.")


class BenchmarkHistory(dy.Schema):
    """The metrics of each benchmark over all queries."""

    corpus = corpus_column()
    labeler = dy.String(nullable=False, description="The labeler that was measured.")
    metric = dy.String(nullable=False, description="The metric, as in benchmark_report.")
    value = dy.Float64(nullable=True, description="The metric's value; NULL if it was undefined.")
    ci_low = dy.Float64(nullable=True, description="Lower end of the 95 % interval.")
    ci_high = dy.Float64(nullable=True, description="Upper end of the 95 % interval.")
    n_queries = dy.Int64(min=0, description="Queries that counted in this metric.")
    model_id = dy.String(nullable=True, description="The student that was current then.")
    run_id = dy.String(nullable=True, description="The Dagster run that measured it.")
    noted_at = dy.Datetime(time_zone="UTC", nullable=False, description="When it was measured.")
