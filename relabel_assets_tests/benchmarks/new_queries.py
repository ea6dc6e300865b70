"""Grades of other queries than those of training: can their shares be found without a grade of them?

    python -m relabel_assets_tests.benchmarks.new_queries CORPUS_FOLDER... [--prefix N]

Needs folders with documents, queries.jsonl and teacher_labels.jsonl. Benchmark queries are never looked at.
A head learns from half of a corpus' queries and grades the other half, and from all queries of one corpus
for those of each other. With --prefix N it learns from the queries whose ids begin with the same N
characters, such as a year, and grades the others. Vectors are the untrained base's.

Three rules beside the cut points of training ("before"), with the difference and its 95 % interval (paired
bootstrap over queries), against the teacher's grades: EM re-estimates the shares of the grades from the
probabilities (Saerens, Latinne & Decaestecker 2002); "own shares" cuts as often as the probabilities expect;
"true shares" as often as the teacher gave each grade, which nobody knows.
"""

import argparse
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from relabel_assets.benchmark.bootstrap import kappas
from relabel_assets.benchmark.cut_points import cut_points, grades_from
from relabel_assets.benchmark.resampling import resamples
from relabel_assets.student.calibration import Calibration, expected_grades, fit_calibration
from relabel_assets.student.late_interaction.features import FEATURE_NAMES, PRIOR_WEIGHTS
from relabel_assets.student.late_interaction.head import (
    Head,
    choose_decay,
    fit_head,
    held_out_scores,
)
from relabel_assets_tests.benchmarks.cascade import N_GRADES, SEED, Data, read

ROUNDS = 200  # of EM; it stands still long before


@dataclass(frozen=True)
class Graded:
    """N pairs: `features` (N, F), the teacher's `grades` (N,), and their `queries` (N,)."""

    features: np.ndarray
    grades: np.ndarray
    queries: np.ndarray

    def rows(self, mask: np.ndarray) -> "Graded":
        return Graded(self.features[mask], self.grades[mask], self.queries[mask])


@dataclass(frozen=True)
class Student:
    """A head with its calibration, cut points, and the shares of the grades that it expected in training."""

    head: Head
    calibration: Calibration
    points: list[float]
    shares: np.ndarray


def graded_of(data: Data) -> Graded:
    return Graded(data.features, data.grades, data.pairs["query_id"].to_numpy())


def student_of(training: Graded) -> Student:
    fitted = (training.features, training.grades, list(training.queries))
    weighed: dict[str, Any] = {"names": FEATURE_NAMES, "seed": SEED, "prior": PRIOR_WEIGHTS}
    decay = choose_decay(*fitted, **weighed)
    scores = held_out_scores(*fitted, **weighed, decay=decay)
    calibration = fit_calibration(scores, training.grades, N_GRADES)
    probs = calibration.grade_probs(scores)
    points = cut_points(expected_grades(probs), training.grades, N_GRADES)
    return Student(
        fit_head(*fitted, **weighed, decay=decay), calibration, points, probs.mean(axis=0)
    )


def shares_by_em(probs: np.ndarray, shares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The probabilities (N, n_grades) under the re-estimated shares of the grades, and these shares."""
    estimated = shares
    for _ in range(ROUNDS):
        moved = probs * (estimated / shares)
        moved = moved / moved.sum(axis=1, keepdims=True)
        estimated = moved.mean(axis=0)
    return moved, estimated


def grades_at_shares(expected: np.ndarray, shares: np.ndarray) -> np.ndarray:
    """Grades as frequent as `shares` (n_grades,), by rank of the expected grade."""
    n_below = np.round(np.cumsum(shares)[:-1] * len(expected))
    as_frequent = np.searchsorted(n_below, np.arange(len(expected)), side="right")
    return grades_from(expected, cut_points(expected, as_frequent, N_GRADES))


def graded_by(student: Student, new: Graded) -> dict[str, np.ndarray]:
    """The grades of the new pairs (N,) by each rule."""
    probs = student.calibration.grade_probs(student.head.scores(new.features))
    expected = expected_grades(probs)
    moved, shares = shares_by_em(probs, student.shares)
    true_shares = np.bincount(new.grades, minlength=N_GRADES) / len(new.grades)
    return {
        "before": grades_from(expected, student.points),
        "EM": grades_at_shares(expected_grades(moved), shares),
        "own shares": grades_at_shares(expected, probs.mean(axis=0)),
        "true shares": grades_at_shares(expected, true_shares),
    }


def splits(corpora: Mapping[str, Graded], prefix: int) -> Iterator[tuple[str, Graded, Graded]]:
    """What to learn from and what to grade, with its title."""
    for name, corpus in corpora.items():
        names = np.unique(corpus.queries)
        half = np.isin(corpus.queries, np.random.default_rng(1).permutation(names)[::2])
        yield f"half of {name}, the other", corpus.rows(half), corpus.rows(~half)
        begins = np.array([query[:prefix] for query in corpus.queries])
        for start in np.unique(begins) if prefix else ():
            title = f"{name} {start}, the others"
            yield title, corpus.rows(begins == start), corpus.rows(begins != start)
        for other, graded in corpora.items():
            if other != name:
                yield f"{name}, {other}", corpus, graded


def print_split(title: str, training: Graded, new: Graded) -> None:
    names = np.unique(new.queries)
    weights = resamples(len(names), 2000, SEED)
    print(f"{title}: {len(names)} queries, {len(new.grades):,} pairs")
    values: dict[str, tuple[np.ndarray, np.ndarray]] = {}
    for rule, grades in graded_by(student_of(training), new).items():
        confusions = np.zeros((len(names), N_GRADES, N_GRADES))
        np.add.at(confusions, (np.searchsorted(names, new.queries), new.grades, grades), 1)
        drawn = np.tensordot(weights, confusions, axes=1)
        values[rule] = (kappas(drawn, power=0), kappas(drawn, power=2))
        cells = []
        for after, before in zip(values[rule], values["before"], strict=True):
            gain = after - before
            low, high = np.percentile(gain[1:], [2.5, 97.5])
            cells.append(f"{after[0]:.3f}  {gain[0]:+.3f} [{low:+.3f}, {high:+.3f}]")
        print(f"  {rule:12} kappa {cells[0]}   quadratic {cells[1]}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--prefix", type=int, default=0)
    arguments = parser.parse_args()
    corpora = {folder.name: graded_of(read(folder)) for folder in arguments.folders}
    for title, training, new in splits(corpora, arguments.prefix):
        print_split(title, training, new)


if __name__ == "__main__":
    main()
