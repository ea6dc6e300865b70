"""Every table of the warehouse, in pipeline order: grain, columns, types, units, ranges, keys and descriptions.

What belongs here: declarations. Each one makes the DuckDB table, validates every frame before it is written, becomes
the asset checks and is the schema shown in the UI. What does not: how a table is filled (assets/, core/) or stored
(resources/warehouse.py).
"""

from collections.abc import Iterator
from dataclasses import dataclass

import dataframely as dy
import polars as pl

from relabel_assets.errors import ContractError

INTENTS = ("keyword", "navigational", "question", "metadata", "ambiguous", "messy")
SPLITS = ("train", "dev", "benchmark")
QUERY_SOURCES = ("provided", "synthetic")
CANDIDATE_SOURCES = ("bm25", "seed", "random", "judged")
TEACHER_STATUSES = ("ok", "refused", "unparseable", "failed", "over_budget", "not_recorded")
REFERENCE_KINDS = ("human", "adjudicated")
STUDENT_ARCHITECTURES = ("late_interaction", "cross_encoder", "decoder")
LABELERS = ("teacher", "student", "base", "bm25", "student-teacher")

# A column with this in its metadata says when or how fast a row was made, not what it says: it is left out of the
# content hash, so that making the same rows again is not a change.
VOLATILE = {"is_volatile": True}


def _corpus() -> dy.String:
    return dy.String(
        primary_key=True, regex=r"^[a-z0-9_]{1,64}$", description="The corpus: the partition key."
    )


def _key(description: str) -> dy.String:
    return dy.String(primary_key=True, min_length=1, description=description)


def _grade(description: str, *, nullable: bool = False) -> dy.Int8:
    return dy.Int8(nullable=nullable, min=0, max=9, description=description)


def _expected_grade(description: str, *, nullable: bool = False) -> dy.Float64:
    return dy.Float64(nullable=nullable, min=0, max=9, description=description)


def _grade_probs(description: str, *, nullable: bool = False) -> dy.List:
    return dy.List(dy.Float64(min=0, max=1), nullable=nullable, description=description)


class SeedDocs(dy.Schema):
    corpus = _corpus()
    doc_id = _key("The document's id, unique in its corpus.")
    title = dy.String(nullable=True, description="Title, where the document has one.")
    body = dy.String(min_length=1, description="The document's text.")
    author = dy.String(nullable=True, description="Who wrote it, as the document says.")
    path = dy.String(nullable=True, description="Where it lives: a folder path, an address.")
    updated_at = dy.String(
        nullable=True,
        description="When it was last changed, as the document says (ISO 8601 where it can be read).",
    )
    doc_type = dy.String(
        nullable=True, description="The document's kind: policy, runbook, ticket, ..."
    )
    content_hash = dy.String(
        min_length=64, max_length=64, description="SHA-256 of title, body and metadata."
    )


class SyntheticQueries(dy.Schema):
    corpus = _corpus()
    query_id = _key("The query's id, unique in its corpus.")
    text = dy.String(min_length=1, description="What an employee types.")
    intent = dy.Enum(
        INTENTS, nullable=True, description="The kind of query; NULL where the corpus does not say."
    )
    persona = dy.String(
        nullable=True, description="Who is imagined to be asking, for a synthetic query."
    )
    seed_doc_id = dy.String(
        nullable=True, description="The seed document the query was written from."
    )
    split = dy.Enum(SPLITS, description="train and dev make the student; benchmark measures it.")
    source = dy.Enum(
        QUERY_SOURCES, description="provided by the corpus, or synthetic: written by the teacher."
    )
    is_round_trip = dy.Bool(
        nullable=True,
        description="Whether BM25 finds the seed document from the query; NULL if not tried.",
    )
    teacher_model = dy.String(nullable=True, description="The model that wrote a synthetic query.")
    prompt_hash = dy.String(
        nullable=True, description="SHA-256 of the prompt template behind a synthetic query."
    )
    content_hash = dy.String(
        min_length=64,
        max_length=64,
        description="SHA-256 of text, intent, persona and seed document.",
    )


class ReferenceLabels(dy.Schema):
    corpus = _corpus()
    query_id = _key("The query.")
    doc_id = _key("The document.")
    assessor = _key("Who graded: the second column of the qrels file.")
    grade = _grade("The reference grade.")
    kind = dy.Enum(
        REFERENCE_KINDS, description="human, or adjudicated from several passes of a model."
    )


class Bm25Candidates(dy.Schema):
    corpus = _corpus()
    query_id = _key("The query.")
    doc_id = _key("The document.")
    rank = dy.Int32(
        nullable=True,
        min=1,
        description="Place in BM25's ranking, from 1; NULL beyond the depth that was asked for.",
    )
    bm25_score = dy.Float64(min=0, description="BM25 score; 0 where no term matches.")
    source = dy.Enum(
        CANDIDATE_SOURCES,
        description="Why the pair is here; the first that holds: bm25, seed, judged, random.",
    )


class TeacherLabels(dy.Schema):
    corpus = _corpus()
    query_id = _key("The query.")
    doc_id = _key("The document.")
    grade = _grade("The teacher's grade; NULL unless status is ok.", nullable=True)
    expected_grade = _expected_grade(
        "Mean grade under grade_probs; NULL without them.", nullable=True
    )
    grade_probs = _grade_probs(
        "Probability of each grade, where the endpoint gives log probabilities.", nullable=True
    )
    rationale = dy.String(nullable=True, description="The teacher's reason.")
    status = dy.Enum(TEACHER_STATUSES, description="ok, or why there is no grade.")
    status_reason = dy.String(nullable=True, description="What went wrong, for any status but ok.")
    attempts = dy.Int32(
        min=0, description="Requests sent for this pair so far; 0 for a recorded teacher."
    )
    teacher_model = dy.String(nullable=True, description="The model that graded.")
    prompt_hash = dy.String(nullable=True, description="SHA-256 of prompt template and rubric.")
    request_key = dy.String(
        nullable=True, description="SHA-256 of the whole request body: the key into the ledger."
    )
    prompt_tokens = dy.Int64(
        nullable=True, min=0, description="Prompt tokens, as the endpoint counted them."
    )
    completion_tokens = dy.Int64(
        nullable=True, min=0, description="Completion tokens, as the endpoint counted them."
    )
    cost_usd = dy.Float64(
        nullable=True, min=0, description="Cost in US dollars; NULL where the price is unknown."
    )
    latency_s = dy.Float64(
        nullable=True, min=0, metadata=VOLATILE, description="Seconds from request to response."
    )
    labeled_at = dy.Datetime(
        nullable=True, time_zone="UTC", metadata=VOLATILE, description="When the response arrived."
    )

    @dy.rule()
    def grade_only_when_ok(cls) -> pl.Expr:
        return (pl.col("status") == "ok") == pl.col("grade").is_not_null()


class StudentModel(dy.Schema):
    corpus = _corpus()
    model_id = _key("The student's id: a hash of its training set, its settings and its base.")
    base_model = dy.String(description="The model it was trained from.")
    architecture = dy.Enum(STUDENT_ARCHITECTURES, description="How the student reads a pair.")
    method = dy.String(description="How it was trained: lora or full.")
    path = dy.String(description="Folder of the model, relative to RELABEL_HOME.")
    n_train_pairs = dy.Int64(min=1, description="Pairs it was trained on.")
    n_dev_pairs = dy.Int64(min=0, description="Pairs that chose when to stop.")
    training_set_hash = dy.String(
        min_length=64,
        max_length=64,
        description="SHA-256 of the training and dev pairs with their texts and grades.",
    )
    cut_points = dy.List(
        dy.Float64(),
        description="Where the expected grade is cut into grades, ascending; one fewer than there are grades.",
    )
    dev_ndcg_at_10 = dy.Float64(
        nullable=True,
        min=0,
        max=1,
        description="NDCG@10 on dev against the teacher's grades; NULL without dev pairs.",
    )
    dev_pairwise_half = dy.Float64(
        nullable=True, min=0, max=1, description="Pairwise accuracy on dev, ties as half."
    )
    dev_kappa_quadratic = dy.Float64(
        nullable=True, min=-1, max=1, description="Quadratic weighted kappa on dev."
    )
    dev_calibration_error = dy.Float64(
        nullable=True, min=0, max=1, description="Expected calibration error of grade_probs on dev."
    )
    best_epoch = dy.Int32(min=0, description="The epoch that was kept; 0 is the untrained base.")
    train_s = dy.Float64(min=0, metadata=VOLATILE, description="Seconds of training.")
    is_current = dy.Bool(description="Whether this student grades the corpus now.")


class StudentLabels(dy.Schema):
    corpus = _corpus()
    query_id = _key("The query.")
    doc_id = _key("The document.")
    grade = _grade("The student's grade.")
    expected_grade = _expected_grade("Mean grade under grade_probs.")
    grade_probs = _grade_probs("Probability of each grade; sums to 1.")
    model_id = dy.String(min_length=1, description="The student that graded.")


class BenchmarkReport(dy.Schema):
    corpus = _corpus()
    labeler = dy.Enum(
        LABELERS,
        primary_key=True,
        description="Who is measured; student-teacher is the paired difference.",
    )
    metric = _key(
        "ndcg@10, pairwise_strict, pairwise_half, pairwise_untied, kappa or kappa_quadratic."
    )
    slice = _key("all, or one intent: intent=keyword.")
    value = dy.Float64(
        nullable=True, description="The metric; NULL where it is not defined on the slice."
    )
    ci_low = dy.Float64(
        nullable=True, description="Lower end of the 95 % interval, paired bootstrap over queries."
    )
    ci_high = dy.Float64(nullable=True, description="Upper end of the 95 % interval.")
    n_queries = dy.Int64(min=0, description="Queries that count in the metric.")
    n_pairs = dy.Int64(min=0, description="Graded pairs of those queries.")
    reference_kind = dy.Enum(REFERENCE_KINDS, description="What the labeler is measured against.")


class Materializations(dy.Schema):
    """The warehouse's own record of what each partition was made from, written in the same transaction as its rows."""

    corpus = _corpus()
    table_name = _key("The table.")
    input_hash = dy.String(
        min_length=64,
        max_length=64,
        description="SHA-256 of all that the rows follow from: code, settings, files, upstream tables.",
    )
    inputs = dy.String(
        nullable=True,
        description="JSON: a short hash of each input by name, so that a plan can say which one changed.",
    )
    content_hash = dy.String(
        min_length=64, max_length=64, description="SHA-256 of the rows, without how long they took."
    )
    n_rows = dy.Int64(min=0, description="Rows of the partition.")
    n_unfinished = dy.Int64(
        min=0, description="Pieces of work that failed and are tried again next time."
    )
    n_set_aside = dy.Int64(min=0, description="Inputs that were set aside, each with a message.")
    files = dy.List(
        dy.String(), description="Files that belong to the partition, relative to RELABEL_HOME."
    )
    run_id = dy.String(nullable=True, description="The Dagster run that wrote it.")
    written_at = dy.Datetime(time_zone="UTC", metadata=VOLATILE, description="When it was written.")


class GradeHistory(dy.Schema):
    """Every grade that a pair was given and that was not what it had before; written with the rows that changed it."""

    corpus = _corpus()
    labeler = dy.String(nullable=False, description="teacher or student.")
    query_id = dy.String(nullable=False, description="The query.")
    doc_id = dy.String(nullable=False, description="The document.")
    grade = dy.Int8(nullable=True, description="The new grade; NULL where the pair lost its grade.")
    model = dy.String(nullable=True, description="The teacher's model, or the student's id.")
    run_id = dy.String(nullable=True, description="The Dagster run that changed it.")
    noted_at = dy.Datetime(time_zone="UTC", nullable=False, description="When it changed.")


@dataclass(frozen=True)
class Reference:
    """A relationship: `columns` of a table name a row of `parent` by the same columns, in the same corpus."""

    columns: tuple[str, ...]
    parent: str
    parent_columns: tuple[str, ...]


@dataclass(frozen=True)
class Table:
    """One table: a file of the same name in assets/ fills it."""

    name: str
    grain: str
    description: str
    schema: type[dy.Schema]
    reads: tuple[str, ...] = ()
    references: tuple[Reference, ...] = ()
    derived: tuple[tuple[tuple[str, ...], tuple[str, ...]], ...] = ()

    @property
    def column_sources(self) -> dict[str, tuple[str, ...]]:
        """Each column that follows from columns of other tables, as table.column: keys and computed columns."""
        sources: dict[str, tuple[str, ...]] = {}
        for reference in self.references:
            for column, parent_column in zip(
                reference.columns, reference.parent_columns, strict=True
            ):
                sources[column] = (*sources.get(column, ()), f"{reference.parent}.{parent_column}")
        for columns, origins in self.derived:
            sources.update(dict.fromkeys(columns, origins))
        return sources

    @property
    def key(self) -> tuple[str, ...]:
        """The columns that name a row."""
        return tuple(self.schema.primary_key())

    @property
    def stable_columns(self) -> tuple[str, ...]:
        """The columns that count when two versions of a row are compared."""
        columns = self.schema.columns().items()
        return tuple(
            name for name, column in columns if not (column.metadata or {}).get("is_volatile")
        )

    def validate(self, frame: pl.DataFrame) -> pl.DataFrame:
        """`frame` in the table's column order and types.

        Raises ContractError where a column is missing, unknown, or breaks a rule of the declaration.
        """
        expected, given = set(self.schema.column_names()), set(frame.columns)
        if expected != given:
            missing, unknown = sorted(expected - given), sorted(given - expected)
            raise ContractError(
                f"table {self.name}: columns do not fit its declaration (missing {missing}, unknown {unknown}). "
                f"It has {self.schema.column_names()}."
            )
        try:
            return self.schema.validate(frame.select(self.schema.column_names()), cast=True).pipe(
                pl.DataFrame
            )
        except dy.exc.ValidationError as error:
            raise ContractError(f"table {self.name}: {error}. Nothing was written.") from error


_TEXTS = ("synthetic_queries.text", "seed_docs.title", "seed_docs.body", "seed_docs.author", "seed_docs.path", "seed_docs.updated_at", "seed_docs.doc_type")  # fmt: skip
_DOC = Reference(("doc_id",), "seed_docs", ("doc_id",))
_QUERY = Reference(("query_id",), "synthetic_queries", ("query_id",))
_CANDIDATE = Reference(("query_id", "doc_id"), "bm25_candidates", ("query_id", "doc_id"))

TABLES: dict[str, Table] = {
    table.name: table
    for table in (
        Table(
            "seed_docs",
            "document",
            "The documents of a corpus, with their metadata and a content hash.",
            SeedDocs,
        ),
        Table(
            "synthetic_queries",
            "query",
            "What employees type: provided with the corpus, or written by the teacher from a seed document; split so that nothing leaks.",
            SyntheticQueries,
            reads=("seed_docs",),
            references=(Reference(("seed_doc_id",), "seed_docs", ("doc_id",)),),
        ),
        Table(
            "reference_labels",
            "query, document and assessor",
            "The grades that every labeler is measured against.",
            ReferenceLabels,
            reads=("seed_docs", "synthetic_queries"),
            references=(_DOC, _QUERY),
        ),
        Table(
            "bm25_candidates",
            "query and document",
            "The pairs that are graded: BM25's top documents, the seed document, what is already judged, and a few at random.",
            Bm25Candidates,
            reads=("seed_docs", "synthetic_queries", "reference_labels"),
            references=(_DOC, _QUERY),
            derived=((("rank", "bm25_score"), _TEXTS),),
        ),
        Table(
            "teacher_labels",
            "query and document",
            "The teacher's grade of every candidate, or the reason why there is none.",
            TeacherLabels,
            reads=("seed_docs", "synthetic_queries", "bm25_candidates"),
            references=(_CANDIDATE,),
            derived=(
                (("grade", "expected_grade", "grade_probs", "rationale", "request_key"), _TEXTS),
            ),
        ),
        Table(
            "student_model",
            "trained student",
            "The students trained on the teacher's grades; one is current.",
            StudentModel,
            reads=("seed_docs", "synthetic_queries", "teacher_labels"),
            derived=(
                (
                    ("model_id", "training_set_hash", "cut_points"),
                    (*_TEXTS, "synthetic_queries.split", "teacher_labels.grade"),
                ),
            ),
        ),
        Table(
            "student_labels",
            "query and document",
            "The current student's grade of every candidate.",
            StudentLabels,
            reads=("seed_docs", "synthetic_queries", "bm25_candidates", "student_model"),
            references=(_CANDIDATE, Reference(("model_id",), "student_model", ("model_id",))),
            derived=(
                (
                    ("grade", "expected_grade", "grade_probs"),
                    (*_TEXTS, "student_model.model_id", "student_model.cut_points"),
                ),
            ),
        ),
        Table(
            "benchmark_report",
            "labeler, metric and slice",
            "Teacher, student, the untrained base and BM25 beside the reference labels, with 95 % intervals.",
            BenchmarkReport,
            reads=(
                "seed_docs",
                "synthetic_queries",
                "bm25_candidates",
                "reference_labels",
                "teacher_labels",
                "student_model",
                "student_labels",
            ),
            derived=(
                (
                    ("value", "ci_low", "ci_high"),
                    (
                        "reference_labels.grade",
                        "teacher_labels.grade",
                        "student_labels.expected_grade",
                        "student_labels.grade",
                        "bm25_candidates.bm25_score",
                    ),
                ),
            ),
        ),
    )
}


# Not assets: no file of assets/ fills them, the warehouse does.
MATERIALIZATIONS = Table(
    "materializations", "corpus and table", Materializations.__doc__ or "", Materializations
)


def upstream(names: set[str]) -> Iterator[str]:
    """The tables that `names` read, directly or through others, in pipeline order, `names` included."""
    wanted = set(names)
    for table in reversed(TABLES.values()):
        if table.name in wanted:
            wanted.update(table.reads)
    return (name for name in TABLES if name in wanted)


GRADE_HISTORY = Table(
    "grade_history", "change of a grade", GradeHistory.__doc__ or "", GradeHistory
)
