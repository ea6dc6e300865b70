"""The students of a corpus. The current one is trained on the teacher's current grades.

With `calibrate: people` a second student beside it is the current one: the same, calibrated to people.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import dagster as dg
import polars as pl

from relabel_assets.benchmark.people_calibrated import MIN_PEOPLE_QUERIES, calibrated_to
from relabel_assets.benchmark.plots import reliability_plot, training_curve
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.graph.forecast import Changes, Forecast, Trial
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.student import (
    VectorStore,
    corpus_sample,
    people_id,
    rubric_read,
    student_id,
    text_read,
    training_set_hash,
)
from relabel_assets.student.kept_students import are_saved, removable

if TYPE_CHECKING:
    from relabel_assets.student.train import TrainedStudent

# The settings of a student that are columns of its row.
_ROW = {"model_id", "base_model", "architecture", "method", "n_train_pairs", "n_dev_pairs"}
_ROW |= {"training_set_hash", "cut_points", "best_epoch"}
_NOT_ASKED = {"calibrated_to": "teacher", "n_people_queries": None, "n_people_pairs": None}


@dataclass(frozen=True)
class _Wanted:
    """The training set of a step, its student's id, and the pairs that people graded.

    `people` is None with `calibrate: teacher`. `model_id` is the id of the student that should be
    current.
    """

    pairs: pl.DataFrame
    sample: pl.DataFrame
    trained_id: str
    people: pl.DataFrame | None

    @property
    def calibrated(self) -> dict[str, Any]:
        """The columns of student_model that say whose grades the current student is calibrated to."""
        if self.people is None:
            return _NOT_ASKED
        graded = self.people.drop_nulls("grade")
        n_queries = graded["query_id"].n_unique()
        return {
            "calibrated_to": "people" if n_queries >= MIN_PEOPLE_QUERIES else "teacher",
            "n_people_queries": n_queries,
            "n_people_pairs": graded.height,
        }

    @property
    def model_id(self) -> str:
        if self.people is None or self.calibrated["calibrated_to"] == "teacher":
            return self.trained_id
        return people_id(self.trained_id, self.people)


def _forecast(trial: Trial) -> Forecast:
    """Whether the run trains a student. The id, computed without training, decides."""
    step, students = trial.step, trial.step.current_rows()
    current = students.filter("is_current")["model_id"].to_list()
    if trial.unknown:
        note = "a student is trained if its pairs' grades or texts changed"
        return Forecast(Changes(1, len(current), 0, is_upper_bound=True), note, is_complete=False)
    wanted = _wanted(step)
    if wanted.model_id in current and _is_saved(step, wanted.model_id):
        before = students.filter("is_current").select(*_NOT_ASKED).row(0, named=True)
        n_changed = int(before != wanted.calibrated)
        return Forecast(Changes(0, n_changed, 0), f"the student {wanted.model_id} stays")
    n_new = len({wanted.trained_id, wanted.model_id} - {*students["model_id"]})
    has_row = wanted.model_id in students["model_id"]
    n_changed = len({*current, wanted.model_id} if has_row else current)
    note = f"a student is trained on {wanted.pairs.height:,} pairs"
    if wanted.trained_id != wanted.model_id and _is_saved(step, wanted.trained_id):
        note = f"the student {wanted.trained_id} is calibrated to people's grades"
    return Forecast(Changes(n_new, n_changed, 0), note, is_complete=False)


@table_asset(
    pool="student",
    code_version="9",
    kinds={"pytorch", "huggingface"},
    settings=lambda corpus: {
        "student": corpus.config.student,
        "rubric": rubric_read(corpus.config.student, corpus.rubric),
        **({"text": text} if (text := text_read(corpus.config.student)) else {}),
    },
    forecast=_forecast,
)
def student_model(step: Step) -> Rows:
    """All students of the corpus. Trains one if the current training set has none."""
    wanted, students, store = _wanted(step), step.current_rows(), step.project.vectors()
    makers = {wanted.trained_id: _train}
    if wanted.model_id != wanted.trained_id:
        makers[wanted.model_id] = _calibrate
    made, metadata = [], dict[str, Any]()
    for model_id, make in makers.items():
        if model_id not in students["model_id"] or not _is_saved(step, model_id):
            student = make(step, wanted, store)
            made.append(_row(student, _folder(step, model_id)))
            metadata |= _metadata(student, made[-1])
    metadata |= store.counts if made else {"kept": wanted.model_id}
    if sentence := calibrated_to(wanted.calibrated):
        metadata["calibrated_to"] = sentence
    new = pl.DataFrame(made, schema=students.schema, orient="row")
    is_current = pl.col("model_id") == wanted.model_id
    rows = pl.concat([students.join(new, on="model_id", how="anti"), new]).with_columns(
        pl.when(is_current).then(pl.lit(value)).otherwise(name).cast(new.schema[name]).alias(name)
        for name, value in wanted.calibrated.items()
    )
    # A row of an earlier version does not say: its student was calibrated to its teacher.
    rows = rows.with_columns(pl.col("calibrated_to").fill_null("teacher"), is_current=is_current)
    home = step.project.home.path
    obsolete = removable(rows, home, step.corpus.config.student.keep)
    metadata["students_removed"] = len(obsolete)
    return Rows(
        rows.with_columns(are_saved(rows, home, obsolete)),
        metadata=metadata,
        files=(_folder(step, wanted.model_id),),
        obsolete=tuple(obsolete),
    )


def _wanted(step: Step) -> _Wanted:
    """The training set of a step and people's pairs.

    The benchmark and the check training_does_not_leak join the same pairs in steps of their own.
    """
    config, documents = step.corpus.config.student, step.read("seed_docs")
    queries, labels = step.read("synthetic_queries"), step.read("teacher_labels")
    pairs = training_pairs(labels, queries, documents)
    sample = corpus_sample(documents, config)
    trained_id = student_id(training_set_hash(pairs, sample), config, step.corpus.rubric)
    people = None
    if config.calibrate == "people":
        from relabel_assets.student import people_pairs

        people = people_pairs(step.read("reference_labels"), labels, queries, documents)
    return _Wanted(pairs, sample, trained_id, people)


def _train(step: Step, wanted: _Wanted, store: VectorStore) -> "TrainedStudent":
    """Train the student on the teacher's grades."""
    from relabel_assets.student import train_student

    return train_student(
        wanted.pairs,
        corpus=wanted.sample,
        config=step.corpus.config.student,
        rubric=step.corpus.rubric,
        folder=step.project.home.path / _folder(step, wanted.trained_id),
        store=store,
        progress=step.progress,
    )


def _calibrate(step: Step, wanted: _Wanted, store: VectorStore) -> "TrainedStudent":
    """Calibrate the trained student to people's grades."""
    from relabel_assets.student import calibrate_to_people

    assert wanted.people is not None
    return calibrate_to_people(
        step.project.home.path / _folder(step, wanted.trained_id),
        wanted.people,
        folder=step.project.home.path / _folder(step, wanted.model_id),
        store=store,
        progress=step.progress,
    )


def _folder(step: Step, model_id: str) -> str:
    return f"models/{step.corpus.name}/{model_id}"


def _is_saved(step: Step, model_id: str) -> bool:
    return (step.project.home.path / _folder(step, model_id) / "student.json").is_file()


def _row(student: "TrainedStudent", path: str) -> dict[str, Any]:
    settings = student.settings
    figures = {f"dev_{name}": value for name, value in settings.figures.items()}
    row = settings.model_dump(include=_ROW) | figures | _NOT_ASKED
    if settings.people:
        row |= {"calibrated_to": "people", "cut_points": settings.people.cut_points}
    return row | {"path": path, "train_s": student.train_s, "is_current": True}


def _metadata(student: "TrainedStudent", row: dict[str, Any]) -> dict[str, Any]:
    if not student.history:  # it was calibrated, not trained
        return {"calibrated": row["model_id"]}
    figures = {name: row[name] for name in row if name.startswith("dev_") and row[name] is not None}
    curve = training_curve([(epoch.number, epoch.dev_metric) for epoch in student.history])
    return figures | {
        "trained": row["model_id"],
        "epochs": dg.MetadataValue.md(curve),
        "reliability": dg.MetadataValue.md(reliability_plot(student.reliability)),
    }
