"""Agreement of labelers with the reference labels on the ranking of retrieval systems.

    python -m relabel_assets_tests.benchmarks.system_ranking CORPUS [--runs FOLDER | --words-only]

Needs a corpus with reference labels (`relabel run`); reads RELABEL_HOME and RELABEL_DATA. FOLDER has run
files as `relabel evaluate` reads them. Without it the systems are some thirty that are made here
(made_systems.py), of which those on the base are relatives of the student: runs of other systems say more.
--words-only leaves these and the base out.

Each system orders the judged documents of each benchmark query (those it did not find come last), and has
a mean value by each labeler's grades: student, cascades, teacher, the untrained base, the reference. For
each measure, with whole and with expected grades: Kendall's tau and tau-AP with the order by the reference,
and tau less the teacher's, with 95 % intervals from a paired bootstrap over queries.

At last the kinship guard: a run of the student itself, one of the base, and the rankings of the student
that are found among the others without being declared.
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.labelers import CASCADES
from relabel_assets.benchmark.resampling import resamples
from relabel_assets.benchmark.systems.kinship import excess_leads
from relabel_assets.benchmark.systems.order_agreement import tau, tau_ap
from relabel_assets.benchmark.systems.system_values import (
    ordered,
    parse_measure,
    system_values,
    takes_expected_grades,
)
from relabel_assets.corpus.pairs import training_pairs, with_texts
from relabel_assets.corpus.runs.system_files import systems_in
from relabel_assets.running import runner
from relabel_assets.student import Labeler, cascade_labels
from relabel_assets_tests.benchmarks.made_systems import systems_of_words, systems_on_the_base

RESAMPLES, SEED = 2000, 13
MEASURES = ("nDCG@10", "nDCG", "P(rel=2)@10", "AP(rel=2)", "RR(rel=2)")
PAIR = ["query_id", "doc_id"]
Labels = dict[str, pl.DataFrame]  # by labeler: query_id, doc_id, grade, expected_grade


def labels_of(corpus: str, has_base: bool) -> tuple[Labels, pl.DataFrame, pl.DataFrame, object]:
    """The labels of the judged benchmark pairs by each labeler, these pairs with texts, all documents."""
    project, warehouse = runner.from_environment()
    names = ("synthetic_queries", "seed_docs", "teacher_labels", "student_labels")
    queries, documents, teacher, student = (warehouse.read(name, corpus) for name in names)
    benchmark = queries.filter(pl.col("split") == "benchmark")
    reference = warehouse.read("reference_labels", corpus).join(
        benchmark, on="query_id", how="semi"
    )
    folder, store = project.corpora().open(corpus), project.vectors()
    (model,) = warehouse.read("student_model", corpus).filter("is_current").to_dicts()
    labeler = Labeler.load(project.home.inside(model["path"]), store=store)
    judged = teacher.join(median_grades(reference), on=PAIR, how="semi")
    labels = cascade_labels(
        labeler, judged, queries, documents, shares=CASCADES, seed=folder.config.student.seed
    )
    labels = {"teacher": teacher.filter(pl.col("status") == "ok"), "student": student, **labels}
    labels["reference"] = median_grades(reference).with_columns(
        expected_grade=pl.lit(None, pl.Float64)
    )
    keys = labels["reference"].select(PAIR)
    for frame in labels.values():
        keys = keys.join(frame, on=PAIR, how="semi")
    pairs = with_texts(keys.sort(PAIR), queries, documents)
    if has_base:
        base = Labeler.untrained(
            training_pairs(teacher, queries, documents),
            config=folder.config.student,
            rubric=folder.rubric,
            store=store,
        )
        labels["base"] = base.grade(pairs)
    columns = [*PAIR, "grade", "expected_grade"]
    return (
        {
            name: pairs.select(PAIR).join(frame, on=PAIR).select(columns)
            for name, frame in labels.items()
        },
        pairs,
        documents,
        store,
    )


def runs_of(scores: Mapping[str, pl.Series], pairs: pl.DataFrame) -> pl.DataFrame:
    """The scores of all pairs by each system as runs."""
    return pl.concat(
        pairs.select(pl.lit(name).alias("system"), *PAIR).with_columns(
            score=values.cast(pl.Float64)
        )
        for name, values in scores.items()
    )


def from_files(folder: Path, pairs: pl.DataFrame) -> pl.DataFrame:
    """The runs of a folder on the judged pairs. What a system did not find comes last."""
    found = systems_in(folder).runs.frame
    systems = found.select(pl.col("system").unique())
    everything = systems.join(pairs.select(PAIR), how="cross")
    joined = everything.join(found, on=["system", *PAIR], how="left")
    return joined.with_columns(pl.col("score").fill_null(-1e30))


def values_of(
    runs: pl.DataFrame, labels: Labels, measure: str, systems: Sequence[str], *, is_expected: bool
) -> dict[str, np.ndarray]:
    """The (S, Q) values by each labeler on the queries that all of them have."""
    values = {
        name: system_values(
            runs, frame, parse_measure(measure), systems=systems, is_expected=is_expected
        )
        for name, frame in labels.items()
    }
    queries = sorted(set.intersection(*(set(each.query_ids) for each in values.values())))
    return {
        name: each.values[:, [each.query_ids.index(query) for query in queries]]
        for name, each in values.items()
    }


def print_agreement(title: str, values: Mapping[str, np.ndarray]) -> None:
    n_systems, n_queries = values["reference"].shape
    weights = resamples(n_queries, RESAMPLES, SEED) / n_queries
    means = {name: weights @ each.T for name, each in values.items()}
    taus = {name: tau(each, means["reference"]) for name, each in means.items()}
    print(f"\n{title}: {n_systems} systems, {n_queries} queries")
    print(f"  {'':12} {'tau':>24} {'tau less teacher':>24} {'tau-AP':>24}")
    for name, of_labeler in means.items():
        if name != "reference":
            of_ap = tau_ap(of_labeler, means["reference"])
            cells = (taus[name], taus[name] - taus["teacher"], of_ap)
            print(f"  {name:12} {' '.join(map(figure, cells))}", flush=True)


def figure(drawn: np.ndarray) -> str:
    low, high = np.nanpercentile(drawn[1:], [2.5, 97.5])
    return f"{drawn[0]:+8.3f} [{low:+.3f}, {high:+.3f}]"


def print_kin(runs: pl.DataFrame, labels: Labels) -> None:
    """Who is found related to the student, with its own run and its base's planted among the systems."""
    planted = [
        labels[name].select(
            pl.lit(f"PLANTED {name}").alias("system"), *PAIR, score="expected_grade"
        )
        for name in ("student", "base")
        if name in labels
    ]
    noise = pl.Series(np.random.default_rng(SEED).normal(size=planted[0].height))
    worse = planted[0].with_columns(
        system=pl.lit("PLANTED student, noise 1"),
        score=pl.col("score") + noise * pl.col("score").std(),
    )
    runs = ordered(pl.concat([runs.select("system", *PAIR, "score"), *planted, worse]))
    systems = runs["system"].unique().sort().to_list()
    values = values_of(runs, labels, "nDCG@10", systems, is_expected=True)
    leads = excess_leads(values["student"], values["reference"], np.zeros(len(systems), dtype=bool))
    print("\nExcess lead by the student's grades, the five largest of", len(systems))
    for name, lead in sorted(zip(systems, leads, strict=True), key=lambda each: -each[1].value)[:5]:
        found = "related" if lead.is_detected else ""
        print(f"  {name:28} {lead.value:+.3f} [{lead.low:+.3f}, {lead.high:+.3f}] {found}")


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("corpus")
    parser.add_argument("--runs", type=Path, metavar="FOLDER")
    parser.add_argument("--words-only", action="store_true", help="no base: it takes minutes")
    parser.add_argument("--measure", action="append", metavar="NAME")
    arguments = parser.parse_args()
    labels, pairs, documents, store = labels_of(arguments.corpus, not arguments.words_only)
    if arguments.runs:
        runs = from_files(arguments.runs, pairs)
    else:
        scores = dict(systems_of_words(pairs, documents))
        if not arguments.words_only:
            scores |= systems_on_the_base(pairs, documents, store)
        runs = runs_of(scores, pairs)
    ranked, systems = ordered(runs), runs["system"].unique().sort().to_list()
    print(f"{arguments.corpus}: {pairs.height:,} judged pairs")
    for measure in arguments.measure or MEASURES:
        for is_expected in (False, True):
            if is_expected and not takes_expected_grades(parse_measure(measure)):
                continue
            values = values_of(ranked, labels, measure, systems, is_expected=is_expected)
            gain = "expected grades" if is_expected else "whole grades"
            print_agreement(f"{measure}, {gain}", values)
            if measure == "nDCG@10" and is_expected:
                print_values(systems, values)
    print_kin(runs, labels)


def print_values(systems: Sequence[str], values: Mapping[str, np.ndarray]) -> None:
    means = {name: each.mean(axis=1) for name, each in values.items()}
    print(f"  {'':28}{''.join(f'{name:>12}' for name in means)}")
    for row in np.argsort(-means["reference"]):
        print(f"  {systems[row]:28}{''.join(f'{each[row]:12.3f}' for each in means.values())}")


if __name__ == "__main__":
    main()
