"""Calibration to people: kappa with people before and after, on queries that were not used.

    python -m relabel_assets_tests.benchmarks.calibration CORPUS_FOLDER [--student FOLDER] [--vectors FOLDER]

Needs a corpus folder with recorded grades of the teacher, and reference labels by people. Without --student
a student is trained on the teacher's grades of the queries that are not for the benchmark. --vectors is a
vector store, such as .relabel/vectors: its documents are not read again.

Half of the benchmark queries calibrate and the other half measures, both ways. So every query is measured
once, by a calibration that had not seen it. Rivals in the same run: people's grades without the teacher's
calibration as a prior, and ten folds, as in benchmark_report. Intervals are 95 %, of a paired bootstrap over
queries.
"""

import argparse
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.labelers import PEOPLE, PEOPLE_DIFFERENCE
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.corpus.queries.splits import assign_splits
from relabel_assets.student import Labeler, corpus_sample, people_pairs, train_student
from relabel_assets.student.calibration import Calibration
from relabel_assets.student.labeler import calibrate, graded
from relabel_assets.student.people.people_calibration import (
    PeopleGrades,
    cross_fitted,
    fit_to_people,
)
from relabel_assets.student.vectors.store import VectorStore

SEED = 13
METRICS = ("kappa", "kappa_quadratic", "mean_grade")

Fit = tuple[Calibration, Sequence[float]]  # with its cut points


def trained_student(
    corpus: CorpusFolder,
    labels: pl.DataFrame,
    queries: pl.DataFrame,
    documents: pl.DataFrame,
    store: VectorStore,
) -> Labeler:
    """A student that learns from the teacher's `labels` of the queries that are not for the benchmark."""
    config = StudentConfig(seed=SEED)
    columns = {"status": pl.lit("ok"), "expected_grade": pl.lit(None, pl.Float64)}
    with tempfile.TemporaryDirectory() as scratch:
        train_student(
            training_pairs(labels.with_columns(**columns), queries, documents),
            corpus=corpus_sample(documents, config),
            config=config,
            rubric=corpus.rubric,
            folder=Path(scratch) / "student",
            store=store,
        )
        return Labeler.load(Path(scratch) / "student", store=store)


def by_map(teacher: Calibration) -> Callable[[PeopleGrades], Fit]:
    def fit(people: PeopleGrades) -> Fit:
        fitted = fit_to_people(people, teacher)
        return fitted.calibration, fitted.cut_points

    return fit


def without_prior(people: PeopleGrades) -> Fit:
    """The rival: as a teacher's grades are used, with cut points at the shares of people's grades."""
    is_graded, n_grades = people.is_graded, 1 + int(np.nanmax(people.grades))
    return calibrate(people.scores[is_graded], people.grades[is_graded].astype(int), n_grades)


def halves(people: PeopleGrades) -> list[set[str]]:
    names = np.random.default_rng(SEED).permutation(people.graded_queries()).tolist()
    return [set(names[::2]), set(names[1::2])]


def labels_by(
    pairs: pl.DataFrame, people: PeopleGrades, fits: Mapping[str, Fit], labeler: str
) -> pl.DataFrame:
    """Score and grade of the pairs of the queries in `fits`, each by the fit of its query."""
    frames = []
    queries = np.array(people.queries)
    for query, (calibration, points) in fits.items():
        of_query = queries == query
        keys = pairs.filter(pl.Series(of_query)).select("query_id", "doc_id")
        frames.append(graded(keys, people.scores[of_query], calibration, points))
    return pl.concat(frames).select(
        pl.lit(labeler).alias("labeler"), "query_id", "doc_id", "grade", score="expected_grade"
    )


def print_gain(
    title: str, pairs: pl.DataFrame, people: PeopleGrades, before: Fit, after: Mapping[str, Fit]
) -> None:
    """Both calibrations of the queries in `after`, and the difference with its interval."""
    reference = (
        pairs.drop_nulls("grade")
        .filter(pl.col("query_id").is_in([*after]))
        .select("query_id", "doc_id", "grade", assessor=pl.lit("people"))
    )
    labels = pl.concat(
        [
            labels_by(pairs, people, dict.fromkeys(after, before), "student"),
            labels_by(pairs, people, after, PEOPLE),
        ]
    )
    queries = pairs.select("query_id", intent=pl.lit("any")).unique()
    rows = measure(labels, reference, queries, seed=SEED).rows.filter(pl.col("slice") == "all")
    n_queries, n_pairs = rows["n_queries"].max(), rows["n_pairs"].max()
    by_people = reference["grade"].cast(pl.Float64).mean()
    print(f"{title}: {n_queries} queries, {n_pairs:,} pairs; mean grade by people {by_people:.3f}")
    for metric in METRICS:
        values = {row["labeler"]: row for row in rows.filter(metric=metric).to_dicts()}
        old, new, gain = (values[name] for name in ("student", PEOPLE, PEOPLE_DIFFERENCE))
        print(
            f"  {metric:16} {_cell(old)}  ->  {_cell(new)}  {gain['value']:+.3f} "
            f"[{gain['ci_low']:+.3f}, {gain['ci_high']:+.3f}]",
            flush=True,
        )


def _cell(row: Mapping[str, float]) -> str:
    return f"{row['value']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("--student", type=Path, help="the folder of a trained student")
    parser.add_argument("--vectors", type=Path, help="a vector store")
    arguments = parser.parse_args()
    corpus = CorpusFolder(arguments.folder.name, arguments.folder)
    documents, store = corpus.documents().frame, VectorStore(arguments.vectors)
    queries, _ = assign_splits(
        corpus.queries().frame, config=corpus.config.queries, file="queries.jsonl"
    )
    labels = corpus.recorded_labels().frame.drop_nulls("grade")
    labels = labels.join(documents, on="doc_id", how="semi")
    student = (
        Labeler.load(arguments.student, store=store)
        if arguments.student
        else trained_student(corpus, labels, queries, documents, store)
    )
    reference = corpus.reference_labels().frame.join(documents, on="doc_id", how="semi")
    reference = reference.with_columns(kind=pl.lit("human"))
    pairs = people_pairs(reference, labels, queries, documents)
    grades = pairs["grade"].cast(pl.Float64).fill_null(float("nan")).to_numpy()
    people = PeopleGrades(student.scores(pairs), grades, pairs["query_id"].to_list())
    before = (student.calibration, student.points)
    for title, fit in {
        "held near the teacher's": by_map(student.calibration),
        "people alone": without_prior,
    }.items():
        both = dict[str, Fit]()
        for number, measured in enumerate(halves(people), start=1):
            after = dict.fromkeys(measured, fit(people.without_grades(measured)))
            print_gain(f"{title}, half {number}", pairs, people, before, after)
            both |= after
        print_gain(f"{title}, both ways", pairs, people, before, both)
    folds = cross_fitted(people, student.calibration, SEED)
    ten = {query: (fit.calibration, fit.cut_points) for query, fit in folds.items()}
    print_gain("held near the teacher's, ten folds", pairs, people, before, ten)


if __name__ == "__main__":
    main()
