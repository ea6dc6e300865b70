"""The benchmark of teacher, student, cascades, base, BM25 and imported labelers against the reference."""

from importlib.metadata import version
from typing import TYPE_CHECKING

import dagster as dg
import polars as pl

from relabel_assets import files
from relabel_assets.benchmark.baselines import bm25_labels, labels_in_one
from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.facts import facts_of
from relabel_assets.benchmark.imported_labelers import imported_rows
from relabel_assets.benchmark.labelers import CASCADES, POOL_SLICES
from relabel_assets.benchmark.page.page import render_html
from relabel_assets.benchmark.pool.pool_estimates import pool_rows
from relabel_assets.benchmark.report import render_markdown
from relabel_assets.corpus.grades.grades import joint_kind
from relabel_assets.corpus.pairs import training_pairs, with_texts
from relabel_assets.graph.forecast import Changes, Forecast, Trial, cost_note
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.labeling.robustness import TeacherProbes, probes_of, robustness_card
from relabel_assets.plural import counted
from relabel_assets.student.vectors.store import VectorStore

if TYPE_CHECKING:
    from relabel_assets.student.labeler import Labeler

# What probes are made of.
_PROBED = ("synthetic_queries", "seed_docs", "teacher_labels", "reference_labels")


def _forecast(trial: Trial) -> Forecast:
    n_rows = trial.step.current_rows().height
    changes = Changes(0, n_rows, 0, is_upper_bound=True) if n_rows else None
    note = "the scores are unknown before the run"
    if trial.step.corpus.config.teacher.probes:
        n_probes, load = TeacherProbes(trial.step.project.teacher(), trial.step.corpus).estimate(
            probes_of(*map(trial.step.read, _PROBED))
        )
        if load is not None:
            note += f"; the teacher is asked about {counted(n_probes, 'probe')} with "
            note += f"{counted(load.n_to_send, 'request')}{cost_note(load)}"
    return Forecast(changes, note, is_complete=False)


@table_asset(
    pool="student",
    code_version="10",
    kinds={"polars"},
    settings=lambda corpus: {
        "costs": corpus.config.costs,
        "gate": corpus.config.gate,
        "student": corpus.config.student,
        "probes": corpus.config.teacher.probes,
    },
    forecast=_forecast,
)
def benchmark_report(step: Step) -> Rows:
    """Every metric of every labeler; writes the HTML report."""
    from relabel_assets.student import Labeler

    corpus, queries, documents = step.corpus, step.read("synthetic_queries"), step.read("seed_docs")
    teacher, all_reference = step.read("teacher_labels"), step.read("reference_labels")
    by_student = _student_labels(step, teacher, all_reference, queries, documents)
    student = by_student["student"]
    benchmark = queries.filter(pl.col("split") == "benchmark").select("query_id")
    reference = all_reference.join(benchmark, on="query_id", how="semi")
    training = training_pairs(teacher, queries, documents)
    judged = reference.select("query_id", "doc_id").unique().sort("query_id", "doc_id")
    candidates, n_grades = step.read("bm25_candidates"), corpus.rubric.n_grades
    store = step.project.vectors()
    model = step.read("student_model").filter("is_current").row(0, named=True)
    grader = Labeler.load(step.project.home.inside(model["path"]), store=store).as_taught()
    measured = teacher.join(reference, on="query_id", how="semi")
    labels = labels_in_one(
        teacher=teacher.filter(pl.col("status") == "ok"),
        **by_student,
        **_cascades(step, grader, measured, queries, documents),
        base=_base_labels(step, training, with_texts(judged, queries, documents), store),
        bm25=bm25_labels(candidates, training, n_grades=n_grades),
    )
    benchmark_scores = measure(labels, reference, queries, progress=step.progress)
    imported = imported_rows(
        labels, step.read("imported_labels"), reference, queries, progress=step.progress
    )
    of_pool, why_none = pool_rows(
        step.read("review_samples"),
        all_reference,
        queries,
        student,
        labels,
        n_grades=n_grades,
    )
    card = robustness_card(
        probes_of(queries, documents, teacher, all_reference),
        grader.with_store(VectorStore()),  # the corpus' store is for its documents
        TeacherProbes(step.project.teacher(), corpus),
        step.progress,
    )
    rows = pl.concat([benchmark_scores.rows, imported, of_pool, card.rows])
    kind = joint_kind(reference["kind"], stated=corpus.config.reference.stated_kind)
    facts = facts_of(
        rows,
        n_left_out=benchmark_scores.n_left_out,
        corpus=corpus.name,
        description=corpus.config.description,
        reference_kind=None if reference.is_empty() else kind,
        gate_settings=corpus.config.gate.by_people,
        prices=corpus.config.costs.model_dump(),
        versions=_versions(step),
        n_grades=n_grades,
        model=model,
        labels=labels,
        student=student,
        teacher=teacher,
        reference=reference,
        queries=queries,
        documents=documents,
        history=step.warehouse.past_benchmarks(corpus.name),
    )
    page = f"reports/{corpus.name}.html"
    with files.whole(step.project.home.path / page) as scratch:
        scratch.write_text(render_html(rows, facts), encoding="utf-8")
    return Rows(
        rows.with_columns(reference_kind=_kinds(kind)),
        metadata={
            "report": dg.MetadataValue.md(render_markdown(rows, facts)),
            "left_out": benchmark_scores.n_left_out,
            "whole_pool": why_none or "measured",
            **card.metadata,
            **store.counts,
        },
        n_unfinished=card.n_unfinished,
        files=(page,),
    )


def _versions(step: Step) -> dict[str, str]:
    """What made the report: this project, and the rubric."""
    return {
        "relabel-assets": version("relabel-assets"),
        "rubric, SHA-256": step.corpus.rubric.content_hash,
    }


def _kinds(kind: str) -> pl.Expr:
    """The kind of the reference grades of each row: on the whole pool those of people."""
    return (
        pl.when(pl.col("slice").is_in([*POOL_SLICES])).then(pl.lit("human")).otherwise(pl.lit(kind))
    )


def _student_labels(
    step: Step,
    candidates: pl.DataFrame,
    reference: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    """student_labels as the teacher calibrated them, and as people do where the student is theirs."""
    labels, students = step.read("student_labels"), step.read("student_model")
    of_people = students.filter(pl.col("calibrated_to") == "people")
    current = of_people.filter(pl.col("model_id").is_in(labels["model_id"].implode()))
    if current.is_empty():
        return {"student": labels}
    from relabel_assets.student import benchmark_labels, people_pairs
    from relabel_assets.student.folder import read_settings

    people = people_pairs(reference, candidates, queries, documents)
    settings = read_settings(step.project.home.inside(current["path"][0]))
    return benchmark_labels(labels, people, settings)


def _base_labels(
    step: Step, training: pl.DataFrame, judged: pl.DataFrame, store: VectorStore
) -> pl.DataFrame:
    """The grades of the untrained base, calibrated on the training pairs."""
    from relabel_assets.student import Labeler

    config, rubric, progress = step.corpus.config.student, step.corpus.rubric, step.progress
    base = Labeler.untrained(training, config=config, rubric=rubric, store=store, progress=progress)
    return base.grade(judged, progress=progress)


def _cascades(
    step: Step,
    student: "Labeler",
    teacher: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
) -> dict[str, pl.DataFrame]:
    """The grades of each cascade of `student`, from the rows of teacher_labels."""
    from relabel_assets.student import cascade_labels

    seed, progress = step.corpus.config.student.seed, step.progress
    known = {"shares": CASCADES, "seed": seed, "progress": progress}
    return cascade_labels(student, teacher, queries, documents, **known)
