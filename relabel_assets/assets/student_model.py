"""The students of a corpus. The current one is trained on the teacher's current grades."""

from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from relabel_assets.benchmark.plots import reliability_plot, training_curve
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.graph.forecast import Changes, Forecast, Trial
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.student import (
    corpus_sample,
    rubric_read,
    student_id,
    training_set_hash,
)

if TYPE_CHECKING:
    from relabel_assets.student.train import TrainedStudent

# The settings of a student that are columns of its row.
_ROW = {"model_id", "base_model", "architecture", "method", "n_train_pairs", "n_dev_pairs"}
_ROW |= {"training_set_hash", "cut_points", "best_epoch"}


def _forecast(trial: Trial) -> Forecast:
    """Whether the run trains a student. The id, computed without training, decides."""
    step, students = trial.step, trial.step.current_rows()
    current = students.filter("is_current")["model_id"].to_list()
    if trial.unknown:
        note = "a student is trained if its pairs' grades or texts changed"
        return Forecast(Changes(1, len(current), 0, is_upper_bound=True), note, is_complete=False)
    pairs, _, model_id = _training_set(step)
    if model_id in current and _is_saved(step, model_id):
        return Forecast(Changes(0, 0, 0), f"the student {model_id} stays")
    has_row = model_id in students["model_id"]
    changes = Changes(int(not has_row), len({*current, model_id} if has_row else current), 0)
    return Forecast(changes, f"a student is trained on {pairs.height:,} pairs", is_complete=False)


@table_asset(
    pool="student",
    code_version="8",
    kinds={"pytorch", "huggingface"},
    settings=lambda corpus: {
        "student": corpus.config.student,
        "rubric": rubric_read(corpus.config.student, corpus.rubric),
    },
    forecast=_forecast,
)
def student_model(step: Step) -> Rows:
    """All students of the corpus. Trains one if the current training set has none."""
    from relabel_assets.student import train_student

    pairs, sample, model_id = _training_set(step)
    path = _folder(step, model_id)
    students = step.current_rows().with_columns(is_current=pl.col("model_id") == model_id)
    if model_id in students["model_id"] and _is_saved(step, model_id):
        return Rows(students, metadata={"kept": model_id}, files=(path,))
    store = step.project.vectors()
    student = train_student(
        pairs,
        corpus=sample,
        config=step.corpus.config.student,
        rubric=step.corpus.rubric,
        folder=step.project.home.path / path,
        store=store,
        progress=step.progress,
    )
    row = _row(student, path)
    new = pl.DataFrame([row], schema=students.schema, orient="row")
    others = students.filter(~pl.col("is_current"))
    metadata = _metadata(student, row) | store.counts
    return Rows(pl.concat([others, new]), metadata=metadata, files=(path,))


def _training_set(step: Step) -> tuple[pl.DataFrame, pl.DataFrame, str]:
    """The graded pairs and the sample of documents of a training, and the id of its student.

    The benchmark and the check training_does_not_leak join the same pairs in steps of their own.
    """
    config, documents = step.corpus.config.student, step.read("seed_docs")
    pairs = training_pairs(step.read("teacher_labels"), step.read("synthetic_queries"), documents)
    sample = corpus_sample(documents, config)
    return pairs, sample, student_id(training_set_hash(pairs, sample), config, step.corpus.rubric)


def _folder(step: Step, model_id: str) -> str:
    return f"models/{step.corpus.name}/{model_id}"


def _is_saved(step: Step, model_id: str) -> bool:
    return (step.project.home.path / _folder(step, model_id) / "student.json").is_file()


def _row(student: "TrainedStudent", path: str) -> dict[str, Any]:
    figures = {f"dev_{name}": value for name, value in student.settings.figures.items()}
    row = student.settings.model_dump(include=_ROW) | figures
    return row | {"path": path, "train_s": student.train_s, "is_current": True}


def _metadata(student: "TrainedStudent", row: dict[str, Any]) -> dict[str, Any]:
    figures = {name: row[name] for name in row if name.startswith("dev_") and row[name] is not None}
    curve = training_curve([(epoch.number, epoch.dev_metric) for epoch in student.history])
    return figures | {
        "trained": row["model_id"],
        "epochs": dg.MetadataValue.md(curve),
        "reliability": dg.MetadataValue.md(reliability_plot(student.reliability)),
    }
