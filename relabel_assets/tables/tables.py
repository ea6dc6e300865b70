"""Every table of the warehouse, in pipeline order, with its upstream tables and references.

What belongs here: the declarations. What does not: columns (schemas.py), the classes (table.py),
how a table is filled (assets/) and stored (warehouse/).
"""

from collections.abc import Iterator

from relabel_assets.tables.bookkeeping import (
    BenchmarkHistory,
    GradeHistory,
    Materializations,
    SetAsideInputs,
)
from relabel_assets.tables.imported import ImportedLabels
from relabel_assets.tables.people import ReferenceLabels, ReviewSamples
from relabel_assets.tables.schemas import (
    AskedLabels,
    BenchmarkReport,
    Bm25Candidates,
    FinalLabels,
    SeedDocs,
    StudentLabels,
    StudentModel,
    SyntheticQueries,
    TeacherLabels,
)
from relabel_assets.tables.systems import SystemRankings
from relabel_assets.tables.table import Reference, Table
from relabel_assets.tables.vocabulary import DOCUMENT_COLUMNS

_TEXTS = ("synthetic_queries.text", *(f"seed_docs.{name}" for name in DOCUMENT_COLUMNS))
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
            "What employees type: provided with the corpus, or written by the teacher from a seed "
            "document. Split so that nothing leaks.",
            SyntheticQueries,
            reads=("seed_docs",),
            references=(Reference(("seed_doc_id",), "seed_docs", ("doc_id",)),),
        ),
        Table(
            "reference_labels",
            "query, document and assessor",
            "The grades that every labeler is measured against: of people's reviews and of qrels files.",
            ReferenceLabels,
            reads=("seed_docs", "synthetic_queries"),
            references=(_DOC, _QUERY),
        ),
        Table(
            "bm25_candidates",
            "query and document",
            "The pairs to grade: BM25's top documents, those of other rankings, the seed document, judged "
            "documents, and a few at random.",
            Bm25Candidates,
            reads=("seed_docs", "synthetic_queries", "reference_labels"),
            references=(_DOC, _QUERY),
            derived=((("rank", "bm25_score", "dense_rank", "dense_score"), _TEXTS),),
        ),
        Table(
            "review_samples",
            "pair that was drawn for people",
            "The pairs that people are asked about, each with its chance, so that their grades speak for "
            "the whole pool.",
            ReviewSamples,
            reads=("seed_docs", "synthetic_queries", "bm25_candidates"),
            references=(_CANDIDATE,),
        ),
        Table(
            "teacher_labels",
            "query and document",
            "The teacher's grade of every candidate of a train, dev or benchmark query, or why there is "
            "none.",
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
            reads=("seed_docs", "synthetic_queries", "reference_labels", "teacher_labels"),
            derived=(
                (
                    ("model_id", "training_set_hash", "cut_points"),
                    (
                        *_TEXTS,
                        "synthetic_queries.split",
                        "teacher_labels.grade",
                        "reference_labels.grade",  # with `calibrate: people`
                    ),
                ),
            ),
        ),
        Table(
            "asked_labels",
            "query and document",
            "The teacher's grades of some candidates of each query with the split label: the ones that "
            "the student chose, and the ones that the ledger already had.",
            AskedLabels,
            reads=(
                "seed_docs",
                "synthetic_queries",
                "reference_labels",
                "bm25_candidates",
                "student_model",
            ),
            references=(_CANDIDATE,),
            derived=(
                (("grade", "expected_grade", "grade_probs", "rationale", "request_key"), _TEXTS),
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
            "imported_labels",
            "query, document and labeler",
            "The grades of labelers from elsewhere, which relabel import brought.",
            ImportedLabels,
            reads=("seed_docs", "synthetic_queries"),
            references=(_DOC, _QUERY),
        ),
        Table(
            "benchmark_report",
            "labeler, metric and slice",
            "Teacher, student, cascades, the untrained base, BM25 and imported labelers, measured against "
            "the reference labels, with 95 % intervals.",
            BenchmarkReport,
            reads=(
                "seed_docs",
                "synthetic_queries",
                "bm25_candidates",
                "review_samples",
                "reference_labels",
                "teacher_labels",
                "student_model",
                "student_labels",
                "imported_labels",
            ),
            optional=frozenset({"imported_labels"}),
            derived=(
                (
                    ("value", "ci_low", "ci_high"),
                    (
                        "reference_labels.grade",
                        "teacher_labels.grade",
                        "student_labels.expected_grade",
                        "student_labels.grade",
                        "imported_labels.grade",
                        "bm25_candidates.bm25_score",
                        "review_samples.inclusion_prob",
                    ),
                ),
            ),
        ),
        Table(
            "final_labels",
            "query and document",
            "The grade to use of every candidate: that of people, else the teacher's, else the student's, "
            "which knows the others of the query.",
            FinalLabels,
            reads=(
                "seed_docs",
                "synthetic_queries",
                "reference_labels",
                "bm25_candidates",
                "teacher_labels",
                "student_model",
                "asked_labels",
                "student_labels",
                "benchmark_report",
            ),
            references=(_CANDIDATE, Reference(("model_id",), "student_model", ("model_id",))),
            derived=(
                (
                    ("grade", "expected_grade", "grade_probs", "labeler", "n_known"),
                    (
                        "reference_labels.grade",
                        "teacher_labels.grade",
                        "asked_labels.grade",
                        "student_labels.grade",
                    ),
                ),
            ),
        ),
        Table(
            "system_rankings",
            "system, measure and labeler",
            "The systems whose runs are in the corpus folder, ranked by the grades of each labeler, with "
            "95 % intervals; systems that a labeler may favour are marked.",
            SystemRankings,
            reads=(
                "seed_docs",
                "synthetic_queries",
                "reference_labels",
                "review_samples",
                "teacher_labels",
                "student_model",
                "asked_labels",
                "student_labels",
                "final_labels",
            ),
            derived=(
                (
                    ("value", "ci_low", "ci_high", "rank"),
                    (
                        "final_labels.expected_grade",
                        "student_labels.expected_grade",
                        "teacher_labels.grade",
                        "asked_labels.grade",
                        "reference_labels.grade",
                    ),
                ),
                (("is_related", "related_because"), ("student_model.base_model",)),
            ),
        ),
    )
}


# The next ones are not assets. The warehouse fills them in the transaction of the rows they describe.
MATERIALIZATIONS = Table(
    "materializations",
    "corpus and table",
    "What each partition was made from. Written in the same transaction as its rows.",
    Materializations,
)
GRADE_HISTORY = Table(
    "grade_history",
    "change of a grade",
    "Every change of a pair's grade. Written in the same transaction as the row that changed.",
    GradeHistory,
)
BENCHMARK_HISTORY = Table(
    "benchmark_history",
    "benchmark, labeler and metric",
    "The metrics of each benchmark that differs from the one before, over all queries.",
    BenchmarkHistory,
)
SET_ASIDE = Table(
    "set_aside",
    "input that could not be used",
    "Every input that a table was made without, with the reason and what to do. Replaced with its table.",
    SetAsideInputs,
)
KEPT_BY_WAREHOUSE = (MATERIALIZATIONS, GRADE_HISTORY, BENCHMARK_HISTORY, SET_ASIDE)


def upstream(names: set[str]) -> Iterator[str]:
    """`names` and all tables upstream of them, in pipeline order."""
    wanted = set(names)
    for table in reversed(TABLES.values()):
        if table.name in wanted:
            wanted.update(table.reads)
    return (name for name in TABLES if name in wanted)
