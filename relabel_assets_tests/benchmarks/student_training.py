r"""Training variants on held-out queries: the untrained base, the query side and cross-encoders.

    python relabel_assets_tests/benchmarks/student_training.py CORPUS [STUDENT]... [--set NAME=VALUE]...
    python relabel_assets_tests/benchmarks/student_training.py trec_dl cross_encoder_full \
        --set base_model=FOLDER_OR_HUB_NAME

Needs a corpus whose teacher has graded (`relabel run -s +teacher_labels`); reads RELABEL_HOME and
RELABEL_DATA. Every third train or dev query is held out, and measured against the teacher's grades;
benchmark queries are never looked at. Figures have 95 % intervals from a paired bootstrap over
queries; minutes are this machine's.
"""

import argparse
import tempfile
import time
from pathlib import Path

import polars as pl

from relabel_assets.benchmark.bootstrap import measure
from relabel_assets.corpus.config.student_config import StudentConfig
from relabel_assets.corpus.pairs import training_pairs
from relabel_assets.running import runner
from relabel_assets.student import Labeler, corpus_sample, train_student

VARIANTS = {
    "base": {},
    "query_side": {},
    "cross_encoder": {"architecture": "cross_encoder"},
    "cross_encoder_full": {"architecture": "cross_encoder", "method": "full"},
    "cross_encoder_untrained": {"architecture": "cross_encoder", "method": "full", "epochs": 0},
}


def split_by_query(pairs: pl.DataFrame) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The pairs to learn from, and those of every third query, which are held out."""
    # Hashed, so that neighbours in the list of queries, often alike, are not held out together.
    ids = sorted(
        pairs["query_id"].unique(), key=lambda query: str(pl.Series([query]).hash(seed=7)[0])
    )
    is_held_out = pl.col("query_id").is_in(ids[::3])
    return pairs.filter(~is_held_out), pairs.filter(is_held_out)


def main(corpus: str, names: list[str], settings: dict[str, str]) -> None:
    project, warehouse = runner.from_environment()
    rubric = project.corpora().open(corpus).rubric
    queries, documents = (
        warehouse.read("synthetic_queries", corpus),
        warehouse.read("seed_docs", corpus),
    )
    pairs = training_pairs(warehouse.read("teacher_labels", corpus), queries, documents)
    train_pairs, held_out = split_by_query(pairs)
    grades = []
    for name in names:
        started, on_dev = time.monotonic(), ""
        config = StudentConfig(**(settings | VARIANTS[name]))  # pydantic reads numbers from text
        if name == "base":
            labeler = Labeler.untrained(train_pairs, config=config, rubric=rubric)
        else:
            with tempfile.TemporaryDirectory() as folder:
                sample = corpus_sample(documents, config)
                trained = train_student(
                    train_pairs,
                    corpus=sample,
                    config=config,
                    rubric=rubric,
                    folder=Path(folder) / "s",
                )
                on_dev = "; dev by epoch: " + " ".join(
                    f"{epoch.dev_metric or 0:.3f}" for epoch in trained.history
                )
                labeler = Labeler.load(Path(folder) / "s")
        minutes = (time.monotonic() - started) / 60
        labels = labeler.grade(held_out)
        grades.append(
            labels.select(
                pl.lit(name).alias("labeler"), "query_id", "doc_id", "grade", score="expected_grade"
            )
        )
        print(f"{name}: trained in {minutes:.1f} minutes{on_dev}", flush=True)
    reference = held_out.select("query_id", "doc_id", pl.lit("teacher").alias("assessor"), "grade")
    rows = measure(pl.concat(grades), reference, queries).rows.filter(pl.col("slice") == "all")
    print(
        f"\n{corpus}: {held_out.height:,} pairs of {held_out['query_id'].n_unique()} "
        "held-out queries, "
        f"{train_pairs.height:,} to learn from; against the teacher's grades, of which the mean is "
        f"{held_out['grade'].mean():.3f}"
    )
    for frame in grades:
        name = frame["labeler"][0]
        cells = [
            f"{row['metric']} {row['value']:.3f} [{row['ci_low']:.3f}, {row['ci_high']:.3f}]"
            for row in rows.filter(pl.col("labeler") == name).iter_rows(named=True)
            if row["metric"]
            in ("ndcg@10", "pairwise_half", "kappa", "kappa_quadratic", "mean_grade")
        ]
        print(f"  {name:24} {'   '.join(cells)}", flush=True)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("students", nargs="*", metavar="STUDENT", default=["base", "query_side"],
                        help=f"of {', '.join(VARIANTS)}")  # fmt: skip
    parser.add_argument(
        "--set", action="append", default=[], metavar="NAME=VALUE", help="a setting of `student:`"
    )
    arguments = parser.parse_args()
    if unknown := set(arguments.students) - set(VARIANTS):
        parser.error(f"no student is called {min(unknown)!r}: choose from {', '.join(VARIANTS)}")
    if bad := [text for text in arguments.set if "=" not in text]:
        parser.error(f"--set {bad[0]!r} has no '=': --set epochs=1")
    main(arguments.corpus, arguments.students, dict(text.split("=", 1) for text in arguments.set))
