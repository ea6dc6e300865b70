"""The columns of every table: types, units, ranges, keys and descriptions, in pipeline order.

What belongs here: one class for each table. The class
declares the DuckDB table, validates each frame before it is written, and gives the asset checks and
the schema in the UI. What does not: how tables depend on each other (tables.py), how they are
filled (assets/) and stored (warehouse/).
"""

import dataframely as dy
import polars as pl

from relabel_assets.tables.columns import (
    corpus_column,
    expected_grade_column,
    grade_column,
    grade_probs_column,
    key_column,
)
from relabel_assets.tables.vocabulary import (
    CALIBRATED_TO,
    CANDIDATE_SOURCES,
    CARRIED,
    FINAL_LABELERS,
    INTENTS,
    PLACE,
    QUERY_SOURCES,
    REFERENCE_KINDS,
    SPLITS,
    STUDENT_ARCHITECTURES,
    TEACHER_STATUSES,
    VOLATILE,
)


class SeedDocs(dy.Schema):
    corpus = corpus_column()
    doc_id = key_column("The document's id, unique in its corpus.")
    title = dy.String(nullable=True, description="The document's title; NULL if it has none.")
    body = dy.String(min_length=1, description="The document's text.")
    author = dy.String(nullable=True, description="The author that the document states.")
    path = dy.String(nullable=True, description="Its place: a folder path or an address.")
    updated_at = dy.String(
        nullable=True,
        description="The date of its last change that the document states, ISO 8601 where readable.",
    )
    doc_type = dy.String(
        nullable=True, description="The document's kind: policy, runbook, ticket, ..."
    )
    content_hash = dy.String(
        min_length=64, max_length=64, description="SHA-256 of title, body and metadata."
    )
    metadata = dy.String(
        nullable=True,
        description="What else the document states of itself, as a JSON object: tags, product, thread of a "
        "mail, properties of a file. NULL without any.",
    )
    language = dy.String(
        nullable=True,
        description="ISO 639-1 code of the text's language; NULL if it is short, or not sure.",
    )
    duplicate_of = dy.String(
        nullable=True,
        description="The first document with the same title and body, white space aside; NULL if none. "
        "It is graded in this one's place.",
    )


class SyntheticQueries(dy.Schema):
    corpus = corpus_column()
    query_id = key_column("The query's id, unique in its corpus.")
    text = dy.String(min_length=1, description="The query's text, as an employee types it.")
    intent = dy.Enum(
        INTENTS,
        nullable=True,
        description="The kind of query; NULL if the corpus does not state it.",
    )
    persona = dy.String(
        nullable=True, description="The person that a synthetic query is written for."
    )
    seed_doc_id = dy.String(
        nullable=True, description="The document that the query was written from."
    )
    split = dy.Enum(
        SPLITS,
        description="train and dev are for training the student, benchmark is for measuring it. label: "
        "the query only gets labels.",
    )
    source = dy.Enum(
        QUERY_SOURCES, description="provided: from the corpus. synthetic: written by the teacher."
    )
    is_round_trip = dy.Bool(
        nullable=True,
        description="Whether BM25 finds the seed document for the query; NULL if not tried.",
    )
    teacher_model = dy.String(nullable=True, description="The model that wrote a synthetic query.")
    prompt_hash = dy.String(
        nullable=True, description="SHA-256 of the prompt template of a synthetic query."
    )
    content_hash = dy.String(
        min_length=64,
        max_length=64,
        description="SHA-256 of text, intent, persona and seed document.",
    )
    weight = dy.Float64(
        nullable=True,
        min_exclusive=0,
        description="The searches that the query stands for, where it was drawn from a log. Metrics over "
        "queries weigh by it; NULL counts as 1.",
    )
    stratum = dy.String(
        nullable=True,
        description="The part of the log that the query was drawn from, such as head, torso or tail.",
    )


class Bm25Candidates(dy.Schema):
    corpus = corpus_column()
    query_id = key_column("The query.")
    doc_id = key_column("The document.")
    rank = dy.Int32(
        nullable=True,
        min=1,
        description="Rank in BM25's ranking, from 1; NULL for a document below the ones that were searched "
        "for: bm25_top_k, or with fused_top_k 100 or more.",
    )
    bm25_score = dy.Float64(min=0, description="BM25 score; 0 if no word matches.")
    source = dy.Enum(
        CANDIDATE_SOURCES,
        description="Why the pair is a candidate: the first that applies of bm25, dense, seed, run, judged, "
        "random. With fused_top_k, bm25 or dense: the list that ranks the document higher.",
    )
    dense_rank = dy.Int32(
        nullable=True,
        min=1,
        description="Rank among the documents with the nearest vectors, from 1; NULL for one below the ones "
        "that were searched for, or without dense candidates.",
    )
    dense_score = dy.Float64(
        nullable=True,
        min=0,
        description="Cosine of the query and the document's nearest window; NULL where dense_rank is.",
    )


class TeacherLabels(dy.Schema):
    corpus = corpus_column()
    query_id = key_column("The query.")
    doc_id = key_column("The document.")
    grade = grade_column("The teacher's grade; NULL unless status is ok.", nullable=True)
    expected_grade = expected_grade_column(
        "The mean of the grades, weighted by grade_probs; NULL without them.", nullable=True
    )
    grade_probs = grade_probs_column(
        "Probability of each grade, if the endpoint returns probabilities.", nullable=True
    )
    rationale = dy.String(nullable=True, description="The teacher's explanation of its grade.")
    status = dy.Enum(TEACHER_STATUSES, description="ok, or the kind of failure.")
    status_reason = dy.String(
        nullable=True, description="The failure in words; NULL if the status is ok."
    )
    attempts = dy.Int32(min=0, description="Requests sent for this pair; 0 for a recorded teacher.")
    teacher_model = dy.String(nullable=True, description="The model that graded.")
    prompt_hash = dy.String(nullable=True, description="SHA-256 of prompt template and rubric.")
    request_key = dy.String(
        nullable=True,
        description="SHA-256 of the whole request body, of Decisions with this pair alone: the key into "
        "the ledger.",
    )
    prompt_tokens = dy.Int64(
        nullable=True, min=0, description="Prompt tokens, counted by the endpoint."
    )
    completion_tokens = dy.Int64(
        nullable=True, min=0, description="Completion tokens, counted by the endpoint."
    )
    cost_usd = dy.Float64(
        nullable=True, min=0, description="Cost in US dollars; NULL if the price is unknown."
    )
    latency_s = dy.Float64(
        nullable=True, min=0, metadata=VOLATILE, description="Seconds from request to response."
    )
    labeled_at = dy.Datetime(
        nullable=True, time_zone="UTC", metadata=VOLATILE, description="When the response arrived."
    )
    n_asked_together = dy.Int32(
        nullable=True,
        min=1,
        metadata=VOLATILE,
        description="Pairs in the request that was answered: 1 if this pair was asked alone; the most of "
        "a panel's. NULL for a recorded teacher, a request that was not sent, or an earlier version.",
    )
    passages = dy.String(
        nullable=True,
        metadata=VOLATILE,
        description="JSON: [start, end, hash] of each passage of seed_docs.body that the teacher saw, in "
        "characters (of the text that was sent, where teacher.redact replaced some). NULL: the whole body, "
        "a recorded teacher, or an earlier version.",
    )
    document_hash = dy.String(
        nullable=True,
        metadata=VOLATILE,
        description="The document's content_hash that the row was made from; NULL for a recorded teacher.",
    )
    carried = dy.Enum(
        CARRIED,
        nullable=True,
        metadata=VOLATILE,
        description="The grade, after its document last changed. kept: the teacher would see the same. "
        "moved: the same, at other offsets. stale: something else, so it was asked again. NULL: unchanged.",
    )

    @dy.rule()
    def grade_only_when_ok(cls) -> pl.Expr:
        return (pl.col("status") == "ok") == pl.col("grade").is_not_null()


class AskedLabels(TeacherLabels):
    """The columns of teacher_labels: the same teacher answers, about other pairs."""


class StudentModel(dy.Schema):
    corpus = corpus_column()
    model_id = key_column("The student's id: a hash of its training set, settings and base model.")
    base_model = dy.String(description="The model it was trained from.")
    architecture = dy.Enum(
        STUDENT_ARCHITECTURES,
        description="How the student reads a pair: query and document encoded apart (late_interaction), "
        "encoded together (cross_encoder), or as a language model's prompt (decoder).",
    )
    method = dy.String(description="lora: adapters were trained. full: all weights were.")
    path = dy.String(regex=PLACE, description="Folder of the model, relative to RELABEL_HOME.")
    n_train_pairs = dy.Int64(min=1, description="Pairs it was trained on.")
    n_dev_pairs = dy.Int64(min=0, description="Dev pairs: they chose the epoch.")
    training_set_hash = dy.String(
        min_length=64,
        max_length=64,
        description="SHA-256 of training and dev pairs: their texts and grades.",
    )
    cut_points = dy.List(
        dy.Float64(),
        description="Thresholds of the expected grade between grades, ascending; one fewer than grades.",
    )
    dev_ndcg_at_10 = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="NDCG@10 on dev against the teacher's grades; NULL without dev pairs.",
    )
    dev_pairwise_half = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="Pairwise accuracy on dev; a tie counts as half right.",
    )
    dev_kappa_quadratic = dy.Float64(
        nullable=True, min=-1, max=1, description="Quadratic weighted kappa on dev."
    )
    dev_calibration_error = dy.Float64(
        nullable=True, min=0, max=1, description="Expected calibration error of grade_probs on dev."
    )
    best_epoch = dy.Int32(min=0, description="The epoch that was kept; 0 is the untrained base.")
    calibrated_to = dy.Enum(
        CALIBRATED_TO,
        nullable=True,
        description="Whose grades its grades are calibrated to. people: cut_points are theirs. NULL in a row "
        "of an earlier version: the teacher's.",
    )
    n_people_queries = dy.Int64(
        nullable=True,
        min=0,
        description="Queries of people's grades with `calibrate: people`. NULL without it.",
    )
    n_people_pairs = dy.Int64(
        nullable=True, min=0, description="Pairs that people graded, of these queries."
    )
    train_s = dy.Float64(min=0, metadata=VOLATILE, description="Seconds of training.")
    is_saved = dy.Bool(
        nullable=True,
        metadata=VOLATILE,
        description="Whether its files are in `path`: `student: {keep: 2}` removes those of old students. "
        "NULL in a row of an earlier version.",
    )
    is_current = dy.Bool(description="Whether this student grades the corpus now; one does.")


class StudentLabels(dy.Schema):
    corpus = corpus_column()
    query_id = key_column("The query.")
    doc_id = key_column("The document.")
    grade = grade_column("The student's grade.")
    expected_grade = expected_grade_column("The mean of the grades, weighted by grade_probs.")
    grade_probs = grade_probs_column("Probability of each grade, from 0 up; they add up to 1.")
    model_id = dy.String(min_length=1, description="The student that graded.")
    latency_s = dy.Float64(
        nullable=True,
        min=0,
        metadata=VOLATILE,
        description="Seconds of this machine for a pair: of the whole table, by its number of pairs.",
    )


class FinalLabels(dy.Schema):
    corpus = corpus_column()
    query_id = key_column("The query.")
    doc_id = key_column("The document.")
    grade = grade_column(
        "The grade to use: that of people, else the teacher's, else the student's."
    )
    expected_grade = expected_grade_column(
        "The grade to rank by: the median of people's grades, else the teacher's own expected grade, "
        "else what the student expects, knowing the known grades of the query."
    )
    grade_probs = grade_probs_column(
        "Probability of each grade, from 0 up: the teacher's if it gives any, else what the student "
        "knows. NULL where nobody gave any, as for people's grades.",
        nullable=True,
    )
    labeler = dy.Enum(FINAL_LABELERS, description="Who gave the grade.")
    n_known = dy.Int64(
        min=0,
        description="Grades of the query, by people or the teacher, that the student knew. 0: it graded "
        "alone.",
    )
    model_id = dy.String(min_length=1, description="The current student.")
    request_key = dy.String(
        nullable=True, description="The teacher's request, if the grade is the teacher's."
    )


class BenchmarkReport(dy.Schema):
    corpus = corpus_column()
    labeler = key_column(
        "The labeler that is measured. cascade@10%: the student that knows 10 % of the teacher's grades. "
        "student-teacher is the paired difference. Imported ones by name."
    )
    metric = key_column(
        "ndcg@10, pairwise_strict, pairwise_half, pairwise_untied, kappa, kappa_quadratic, mean_grade; on "
        "the whole pool also precision@10 and within_one; of probes false_high alone."
    )
    slice = key_column(
        "What is measured: the reference grades of all queries, or of one intent such as intent=keyword; "
        "the whole pool (pool, new queries), from people's grades with known chances; documents made to "
        "fool a grader (probe=empty and others), and honest ones (probe=honest)."
    )
    value = dy.Float64(
        nullable=True, description="The metric's value; NULL if it is undefined on the slice."
    )
    ci_low = dy.Float64(
        nullable=True,
        description="Lower end of the 95 % interval: paired bootstrap over queries, or on the whole "
        "pool prediction-powered inference, of probes Wilson's; NULL if it cannot be told.",
    )
    ci_high = dy.Float64(nullable=True, description="Upper end of the 95 % interval.")
    n_queries = dy.Int64(min=0, description="Queries that count in this metric.")
    n_pairs = dy.Int64(
        min=0,
        description="Graded pairs of those queries; on the whole pool people's grades of the sample.",
    )
    reference_kind = dy.Enum(REFERENCE_KINDS, description="The kind of the reference grades.")
