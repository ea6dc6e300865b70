"""The students of a corpus; the current one is trained on the teacher's grades as they are now."""

import polars as pl

from relabel_assets.benchmark.plots import reliability_plot, training_curve
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.graph.table_asset import Rows, Step, table_asset
from relabel_assets.student import (
    corpus_sample,
    rubric_read,
    settings_to_hash,
    student_id,
    training_set_hash,
)


@table_asset(
    pool="student",
    code_version="6",
    group="student",
    kinds={"pytorch", "huggingface"},
    settings=lambda corpus: {
        "student": settings_to_hash(corpus.config.student),
        "rubric": rubric_read(corpus.config.student, corpus.rubric),
    },
)
def student_model(step: Step) -> Rows:
    from relabel_assets.student import train_student

    config, rubric = step.corpus.config.student, step.corpus.rubric
    documents = step.read("seed_docs")
    pairs = training_pairs(step.read("teacher_labels"), step.read("synthetic_queries"), documents)
    sample = corpus_sample(documents, config)
    model_id = student_id(training_set_hash(pairs, sample), config, rubric)
    path = f"models/{step.corpus.name}/{model_id}"
    earlier = step.warehouse.read("student_model", step.corpus.name).with_columns(
        is_current=pl.col("model_id") == model_id
    )
    known = earlier.filter("is_current")
    if known.height and (step.project.home.path / path / "student.json").is_file():
        return Rows(earlier, metadata={"kept": model_id}, files=(path,))
    student = train_student(
        pairs, corpus=sample, config=config, rubric=rubric, folder=step.project.home.path / path, progress=step.progress
    )
    settings = student.settings
    row = settings.model_dump(
        include={"model_id", "base_model", "architecture", "method", "n_train_pairs", "n_dev_pairs"}
    )
    row |= {"training_set_hash": settings.training_set_hash, "cut_points": settings.cut_points, "path": path}
    row |= {f"dev_{name}": value for name, value in settings.figures.items()}
    row |= {"best_epoch": settings.best_epoch, "train_s": student.train_s, "is_current": True}
    new = pl.DataFrame([row], schema={name: earlier.schema[name] for name in earlier.columns}, orient="row")
    return Rows(
        pl.concat([earlier.filter(~pl.col("is_current")), new]),
        metadata={name: value for name, value in row.items() if name.startswith("dev_") and value is not None}
        | {
            "trained": model_id,
            "epochs": step.markdown(training_curve([(epoch.number, epoch.dev_metric) for epoch in student.history])),
            "reliability": step.markdown(reliability_plot(student.reliability)),
        },
        files=(path,),
    )
