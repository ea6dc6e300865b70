"""Teacher, student, the untrained base and BM25 beside the reference labels."""

import polars as pl

from relabel_assets.benchmark.baselines import bm25_labels, confusions, disagreements, labels_in_one
from relabel_assets.benchmark.bootstrap import gate, measure
from relabel_assets.benchmark.report import ReportFacts, render_html, render_markdown
from relabel_assets.corpus.pairs import training_pairs, with_texts
from relabel_assets.graph.table_asset import Rows, Step, table_asset
from relabel_assets.student import settings_to_hash


@table_asset(
    pool="student",
    code_version="3",
    group="student",
    kinds={"polars"},
    settings=lambda corpus: {
        "gate": corpus.config.gate,
        "student": settings_to_hash(corpus.config.student),
    },
)
def benchmark_report(step: Step) -> Rows:
    from relabel_assets.student import Labeler

    queries, documents, candidates = (step.read(name) for name in ("synthetic_queries", "seed_docs", "bm25_candidates"))
    teacher, student, corpus = step.read("teacher_labels"), step.read("student_labels"), step.corpus
    benchmark = queries.filter(pl.col("split") == "benchmark").select("query_id")
    reference = step.read("reference_labels").join(benchmark, on="query_id", how="semi")
    training = training_pairs(teacher, queries, documents)
    judged = reference.select("query_id", "doc_id").unique().sort("query_id", "doc_id")
    base = Labeler.untrained(
        training, config=corpus.config.student, rubric=corpus.rubric, progress=step.progress
    ).grade(with_texts(judged, queries, documents), progress=step.progress)
    bm25 = bm25_labels(candidates, training, n_grades=corpus.rubric.n_grades)
    labels = labels_in_one(teacher=teacher.filter(pl.col("status") == "ok"), student=student, base=base, bm25=bm25)
    found = measure(labels, reference, queries)
    kind = corpus.config.reference.kind
    current = step.read("student_model").filter("is_current").row(0, named=True)
    facts = ReportFacts(
        corpus=corpus.name,
        description=corpus.config.description,
        reference_kind=kind,
        gate=gate(found.rows, **corpus.config.gate.model_dump()),
        n_left_out=found.n_left_out,
        costs={
            "pairs the teacher graded": teacher["grade"].count(),
            "cost in USD": round(teacher["cost_usd"].sum(), 4),
        },
        student={
            name: current[name]
            for name in ("model_id", "base_model", "method", "n_train_pairs", "n_dev_pairs", "best_epoch")
        },
        confusion=confusions(labels, reference, n_grades=corpus.rubric.n_grades),
        disagreements=disagreements(student, teacher, reference, queries, documents),
    )
    page = f"reports/{corpus.name}.html"
    step.write_text(page, render_html(found.rows, facts))
    return Rows(
        found.rows.with_columns(reference_kind=pl.lit(kind)),
        metadata={
            "report": step.markdown(render_markdown(found.rows, facts)),
            "left_out": found.n_left_out,
        },
        files=(page,),
    )
