"""The frontier of the cascade: how near the teacher a student comes that knows some of its grades.

    python -m relabel_assets_tests.benchmarks.cascade [CORPUS_FOLDER]...

Needs folders with documents, queries.jsonl and teacher_labels.jsonl; data/ has three. Benchmark queries
are never looked at: five folds over the train queries, against the teacher's grades. Head, calibration,
process and cut points of a fold come from the others. Vectors are the untrained base's.

For each share of the teacher's grades that is known: the cascade, beside its rival, gradient boosting over
the student's score, the residuals of the known pairs and the closeness to them (the pairs at the top and
spread over the scores). Figures are of all pairs, the known ones included; the difference has a 95 %
interval from a paired bootstrap over queries.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import polars as pl
from sklearn.ensemble import HistGradientBoostingRegressor

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.benchmark.cut_points import cut_points, grades_from
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.pairs import with_texts
from relabel_assets.progress import silent
from relabel_assets.student.base import base_path
from relabel_assets.student.calibration import fit_calibration
from relabel_assets.student.cascade.asking import choose_pairs, pairs_to_ask
from relabel_assets.student.cascade.residual_process import (
    QueryPairs,
    ResidualProcess,
    fit_residual_process,
)
from relabel_assets.student.late_interaction.cache import iter_encoded_documents
from relabel_assets.student.late_interaction.corpus_statistics import compute_corpus_statistics
from relabel_assets.student.late_interaction.features import FEATURE_NAMES, PRIOR_WEIGHTS
from relabel_assets.student.late_interaction.head import choose_decay, fit_head
from relabel_assets.student.late_interaction.maxsim import QueryScorer
from relabel_assets.student.late_interaction.scoring import feature_matrix
from relabel_assets.student.runtime.encoder import load_encoder

SEED = 13
FOLDS = 5
SHARES = (0.0, 0.05, 0.1, 0.2)
N_GRADES = 4
DRAWS = 4  # of known pairs for each train query of the rival
METRICS = ("ndcg@10", "pairwise_half", "kappa", "kappa_quadratic")


@dataclass(frozen=True)
class Data:
    """N pairs with the teacher's `grades` (N,), their query's fold (N,), and what the student computes.

    `features` (N, F) are plain, `vectors` (N, H) the documents' unit mean vectors. `rows` has the rows of
    each query.
    """

    pairs: pl.DataFrame
    grades: np.ndarray
    fold: np.ndarray
    features: np.ndarray
    vectors: np.ndarray
    rows: list[np.ndarray]


@dataclass(frozen=True)
class Student:
    """The pairs of each query as a student sees them that had not seen the query."""

    queries: list[QueryPairs]
    scores: np.ndarray  # (N,)


def read(folder: Path) -> Data:
    corpus = CorpusFolder(folder.name, folder)
    documents = corpus.documents().frame
    queries = pl.read_ndjson(folder / "queries.jsonl")
    labels = pl.read_ndjson(folder / "teacher_labels.jsonl").select("query_id", "doc_id", "grade")
    train = queries.filter(pl.col("split") != "benchmark")
    graded = labels.drop_nulls().join(train, on="query_id", how="semi").sort("query_id", "doc_id")
    pairs = with_texts(graded.join(documents, on="doc_id", how="semi"), train, documents)
    encoder = load_encoder(base_path("embedded"), 192)
    encoded = dict(iter_encoded_documents(encoder, pairs, silent))
    statistics = compute_corpus_statistics(encoder, encoded, pairs, documents, SEED)
    features = feature_matrix(QueryScorer(encoder), encoded.items(), pairs, statistics)
    means = {
        doc_id: document.window_vectors.mean(dim=0).numpy() for doc_id, document in encoded.items()
    }
    vectors = np.stack([means[doc_id] for doc_id in pairs["doc_id"]])
    vectors = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    query_ids = pairs["query_id"].to_numpy()
    names = np.unique(query_ids)
    folds = dict(
        zip(
            np.random.default_rng(SEED).permutation(names),
            np.arange(len(names)) % FOLDS,
            strict=True,
        )
    )
    return Data(
        pairs,
        pairs["grade"].to_numpy(),
        np.array([folds[name] for name in query_ids]),
        features,
        vectors,
        [np.flatnonzero(query_ids == name) for name in names],
    )


def student_of(data: Data) -> Student:
    """The student of each fold is fitted to the others, as late interaction's head is."""
    scores = np.empty(len(data.grades))
    probs = np.empty((len(data.grades), N_GRADES))
    weighed: dict[str, Any] = {"names": FEATURE_NAMES, "seed": SEED, "prior": PRIOR_WEIGHTS}
    queries = data.pairs["query_id"].to_numpy()
    for fold in range(FOLDS):
        out = data.fold == fold
        fitted = (data.features[~out], data.grades[~out], list(queries[~out]))
        head = fit_head(*fitted, **weighed, decay=choose_decay(*fitted, **weighed))
        scores[out] = head.scores(data.features[out])
    for fold in range(FOLDS):
        out = data.fold == fold
        calibration = fit_calibration(scores[~out], data.grades[~out], N_GRADES)
        probs[out] = calibration.grade_probs(scores[out])
    mean, std = data.features.mean(axis=0), np.maximum(data.features.std(axis=0), 1e-6)
    standard = np.clip((data.features - mean) / std, -4, 4)
    pairs = [QueryPairs.of(probs[rows], data.vectors[rows], standard[rows]) for rows in data.rows]
    return Student(pairs, scores)


def cascade(data: Data, student: Student, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The expected grade of each pair (N,), and whether its grade is known (N,)."""
    expected, is_known = np.empty(len(data.grades)), np.zeros(len(data.grades), dtype=bool)
    counts = pairs_to_ask([len(rows) for rows in data.rows], share, SEED)
    processes = {fold: fold_process(data, student, fold) for fold in range(FOLDS)}
    for rows, pairs, count in zip(data.rows, student.queries, counts, strict=True):
        process = processes[int(data.fold[rows[0]])]
        known = choose_pairs(process, pairs, int(count))
        expected[rows] = process.posterior(pairs, known, data.grades[rows][known]).mean
        is_known[rows[known]] = True
    return expected, is_known


def fold_process(data: Data, student: Student, fold: int) -> ResidualProcess:
    others = [
        (pairs, data.grades[rows])
        for rows, pairs in zip(data.rows, student.queries, strict=True)
        if data.fold[rows[0]] != fold
    ]
    return fit_residual_process(others, SEED)


def boosting(data: Data, student: Student, share: float) -> tuple[np.ndarray, np.ndarray]:
    """The rival: gradient boosting over what the known pairs say, trained by hiding grades."""
    expected, is_known = np.empty(len(data.grades)), np.zeros(len(data.grades), dtype=bool)
    counts = pairs_to_ask([len(rows) for rows in data.rows], share, SEED)
    for fold in range(FOLDS):
        inputs, targets = [], []
        for number, rows in enumerate(data.rows):
            if data.fold[rows[0]] == fold:
                continue
            for draw in range(DRAWS):
                known = _top_and_spread(student.queries[number], int(counts[number]), draw)
                hidden = np.setdiff1d(np.arange(len(rows)), known)
                inputs.append(_evidence(data, student, number, known)[hidden])
                targets.append(data.grades[rows][hidden])
        model = HistGradientBoostingRegressor(max_iter=150, learning_rate=0.05, random_state=SEED)
        model.fit(np.concatenate(inputs), np.concatenate(targets))
        for number, rows in enumerate(data.rows):
            if data.fold[rows[0]] == fold:
                known = _top_and_spread(student.queries[number], int(counts[number]), 0)
                expected[rows] = model.predict(_evidence(data, student, number, known))
                is_known[rows[known]] = True
    return expected, is_known


def _top_and_spread(pairs: QueryPairs, count: int, draw: int) -> np.ndarray:
    """Half of `count` pairs at the top, and half spread over the others. `draw` shifts the spread."""
    order = np.argsort(-pairs.expected, kind="stable")
    n_top = (count + 1) // 2
    rest, n_spread = order[n_top:], count - n_top
    places = (np.arange(n_spread) + (0.5 + draw / DRAWS) % 1) * len(rest) / max(1, n_spread)
    return np.concatenate([order[:n_top], rest[places.astype(int)]])


def _evidence(data: Data, student: Student, number: int, known: np.ndarray) -> np.ndarray:
    """What the known pairs say about each pair of a query, (n, 8)."""
    rows, pairs = data.rows[number], student.queries[number]
    grades = data.grades[rows][known]
    residuals = grades - pairs.expected[known]
    closeness = pairs.vectors @ pairs.vectors[known].T  # (n, K)
    weights = np.exp(10 * (closeness - 1))
    near = (weights @ residuals) / np.maximum(weights.sum(axis=1), 1e-9)
    columns = [student.scores[rows], pairs.expected, near]
    columns.append(np.full(len(rows), residuals.mean() if len(known) else np.nan))
    for grade in range(N_GRADES):
        of_grade = closeness[:, grades == grade]
        columns.append(of_grade.max(axis=1) if of_grade.size else np.full(len(rows), np.nan))
    return np.stack(columns, axis=1)


def labels_of(data: Data, expected: np.ndarray, is_known: np.ndarray) -> pl.DataFrame:
    """Score and grade of each pair: the teacher's where known, else cut at the other folds' points."""
    grades = np.empty(len(data.grades), dtype=np.int64)
    for fold in range(FOLDS):
        out = data.fold == fold
        learned = ~out & ~is_known
        points = cut_points(expected[learned], data.grades[learned], N_GRADES)
        grades[out] = grades_from(expected[out], points)
    grades = np.where(is_known, data.grades, grades)
    # Among known pairs of one grade, the expected grade orders.
    scores = np.where(is_known, data.grades + 1e-3 * expected, expected)
    return data.pairs.select("query_id", "doc_id").with_columns(
        score=pl.Series(scores), grade=pl.Series(grades)
    )


Labeler = Callable[[Data, Student, float], tuple[np.ndarray, np.ndarray]]


def print_frontier(data: Data, student: Student, shares: Sequence[float]) -> None:
    reference = data.pairs.select(
        "query_id", "doc_id", pl.lit("teacher").alias("assessor"), "grade"
    )
    queries = data.pairs.select("query_id", pl.lit("any").alias("intent")).unique()
    print(f"{'known':>6}  {'labeler':10}", *(f"{metric:>16}" for metric in METRICS))
    for share in shares:
        # `measure` compares a student with a teacher.
        by_name: dict[str, Labeler] = {"student": cascade, "teacher": boosting}
        if not share:
            del by_name["teacher"]
        labels = pl.concat(
            labels_of(data, *labeler(data, student, share)).with_columns(labeler=pl.lit(name))
            for name, labeler in by_name.items()
        )
        rows = measure(labels, reference, queries).rows.filter(pl.col("slice") == "all")
        shown = {"student": "cascade", "teacher": "boosting", "student-teacher": "difference"}
        for name, title in shown.items():
            values = {row["metric"]: row for row in rows.filter(labeler=name).to_dicts()}
            if values:
                cells = [_cell(values[metric], name) for metric in METRICS]
                print(f"{share:6.0%}  {title if share else 'student':10}", *cells, flush=True)


def _cell(row: dict[str, float], name: str) -> str:
    if name != "student-teacher":
        return f"{row['value']:16.3f}"
    return f"{row['value']:+.3f} [{row['ci_low']:+.2f},{row['ci_high']:+.2f}]".rjust(16)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folders", nargs="*", type=Path)
    arguments = parser.parse_args()
    for folder in arguments.folders or sorted(
        path.parent for path in Path("data").glob("*/corpus.yaml")
    ):
        data = read(folder)
        print(f"{folder.name}: {len(data.rows)} queries, {len(data.grades):,} pairs", flush=True)
        print_frontier(data, student_of(data), SHARES)


if __name__ == "__main__":
    main()
