"""Asset checks on what student and labels are worth: training, gate, who graded, whom people speak for.

What belongs here: the checks that tell a reader whether to trust a student and its labels. What does
not: checks of rows (checks.py), the gate's rule and the limits of a training (benchmark/).
"""

from collections.abc import Callable, Sequence
from functools import cache, partial

import dagster as dg
import polars as pl

from relabel_assets.benchmark.gates.gate import GateResult, gate
from relabel_assets.benchmark.gates.grade_shift import bulk_means, bulk_shift, grade_shift
from relabel_assets.benchmark.gates.training_limits import MIN_TRAIN_PAIRS, training_limits
from relabel_assets.benchmark.pool.people_gate import replacement_gate
from relabel_assets.benchmark.probes.false_high import MARGIN, fooled
from relabel_assets.corpus.config.config import GateConfig
from relabel_assets.corpus.pairs import of_label_queries
from relabel_assets.graph.checks.check_results import Results, check_results
from relabel_assets.graph.checks.checks import WARN, check_specs, ungraded_pairs
from relabel_assets.graph.project import Project
from relabel_assets.plural import counted
from relabel_assets.warehouse.warehouse import Warehouse


@dg.multi_asset_check(
    specs=check_specs(
        "student_model",
        student_learned_from_enough=f"The current student learned from at least {MIN_TRAIN_PAIRS} "
        "graded pairs, has seen every grade of the rubric, and has dev pairs.",
    )
)
def student_learned_from_enough(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Results:
    find = partial(limits_of_student, warehouse)
    check = "student_learned_from_enough"
    yield from check_results(context, "student_model", check, find, severity=WARN)


def limits_of_student(warehouse: Warehouse, corpus: str) -> list[str]:
    """A sentence for each limit of the current student; one if there is no student."""
    students = warehouse.read("student_model", corpus).filter("is_current")
    if students.is_empty():
        return ["No student was trained."]
    return training_limits(students.row(0, named=True))


def _report_check(
    name: str, description: str, find: Callable[[pl.DataFrame, GateConfig], list[str]]
) -> dg.AssetChecksDefinition:
    """A check that warns of what `find` finds in benchmark_report, by the gate's settings."""

    @dg.multi_asset_check(name=name, specs=check_specs("benchmark_report", **{name: description}))
    def report_check(
        context: dg.AssetCheckExecutionContext, warehouse: Warehouse, project: Project
    ) -> Results:
        def of_corpus(corpus: str) -> list[str]:
            settings = project.corpora().open(corpus).config.gate
            return find(warehouse.read("benchmark_report", corpus), settings)

        yield from check_results(context, "benchmark_report", name, of_corpus, severity=WARN)

    return report_check


def unproven_margins(report: pl.DataFrame, settings: GateConfig) -> list[str]:
    """A sentence for each metric in which the student did not pass, measured or not."""
    return _not_passed(gate(report, **settings.by_reference))


def unproven_replacement(report: pl.DataFrame, settings: GateConfig) -> list[str]:
    """A sentence for each metric in which the student was not shown to replace its teacher."""
    return _not_passed(replacement_gate(report, **settings.by_people))


def _not_passed(results: Sequence[GateResult]) -> list[str]:
    return [result.sentence for result in results if result.verdict != "passed"]


student_is_as_good_as_teacher = _report_check(
    "student_is_as_good_as_teacher",
    "The student is as good as its teacher, within the margins in corpus.yaml (non-inferiority), and this "
    "was measured on enough queries and pairs to tell.",
    unproven_margins,
)
student_can_replace_teacher = _report_check(
    "student_can_replace_teacher",
    "By the sample that people graded, the student may replace its teacher, within the margins in "
    "corpus.yaml. If it cannot be told: about how many more grades would tell. Without a sample, by the "
    "reference labels.",
    unproven_replacement,
)
student_grades_are_not_shifted = _report_check(
    "student_grades_are_not_shifted",
    "On benchmark queries the student's mean grade is that of its teacher, or at least not shown to be 0.1 "
    "of a grade off.",
    lambda report, settings: grade_shift(report, min_queries=settings.min_queries),
)
probes_fool_no_labeler = _report_check(
    "probes_fool_no_labeler",
    "Documents that are made to fool a grader get a high grade hardly more often than honest irrelevant "
    "ones of about the same length. Fails where the whole 95 % interval is more than "
    f"{MARGIN:.0%} above the rate of the honest ones.",
    lambda report, settings: fooled(report),
)


@dg.multi_asset_check(
    specs=check_specs(
        "student_labels",
        new_queries_are_graded_like_training="The mean grade that the student expects of queries that taught "
        "it nothing, beside that of training: the two are not shown to be 0.2 of a grade apart. Nothing is "
        "corrected by it: known grades of these queries correct a shift.",
    )
)
def new_queries_are_graded_like_training(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse, project: Project
) -> Results:
    pairs = cache(partial(new_and_training, warehouse))  # for the finding and for the note

    def find(corpus: str) -> list[str]:
        min_queries = project.corpora().open(corpus).config.gate.min_queries
        return bulk_shift(*pairs(corpus), min_queries=min_queries)

    yield from check_results(
        context,
        "student_labels",
        "new_queries_are_graded_like_training",
        find,
        severity=WARN,
        note=lambda corpus: bulk_means(*pairs(corpus)),
    )


def new_and_training(warehouse: Warehouse, corpus: str) -> tuple[pl.DataFrame, pl.DataFrame]:
    """The student's labels of queries that taught nobody, and of those that did.

    Pairs that are candidates only because somebody judged them are left out: training has none.
    """
    pair = ["query_id", "doc_id"]
    queries = warehouse.read("synthetic_queries", corpus, columns=["query_id", "split"])
    candidates = warehouse.read("bm25_candidates", corpus, columns=[*pair, "source"])
    labels = warehouse.read("student_labels", corpus, columns=[*pair, "expected_grade"]).join(
        candidates.filter(pl.col("source") != "judged"), on=pair, how="semi"
    )
    teach = queries.filter(pl.col("split").is_in(["train", "dev"]))
    return (
        labels.join(teach, on="query_id", how="anti"),
        labels.join(teach, on="query_id", how="semi"),
    )


@dg.multi_asset_check(
    specs=check_specs(
        "asked_labels",
        chosen_pairs_are_graded="The teacher graded every pair that the student chose. The others are "
        "counted by reason: refused, failed, unparseable, over budget. The student grades them, and the "
        "next run asks again.",
    )
)
def chosen_pairs_are_graded(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Results:
    find = partial(ungraded_pairs, warehouse, table="asked_labels")
    yield from check_results(
        context, "asked_labels", "chosen_pairs_are_graded", find, severity=WARN
    )


@dg.multi_asset_check(
    specs=check_specs(
        "final_labels",
        every_candidate_has_a_label="Every candidate has a final label. Says who graded: people, the "
        "teacher, the student that knew other grades of the query, the student alone.",
    )
)
def every_candidate_has_a_label(
    context: dg.AssetCheckExecutionContext, warehouse: Warehouse
) -> Results:
    find, note = partial(unlabeled_candidates, warehouse), partial(who_graded, warehouse)
    check = "every_candidate_has_a_label"
    yield from check_results(context, "final_labels", check, find, severity=WARN, note=note)


def unlabeled_candidates(warehouse: Warehouse, corpus: str) -> list[str]:
    """A line with the number of candidates without a final label; no line for none."""
    pairs = warehouse.read("bm25_candidates", corpus, columns=["query_id", "doc_id"])
    labels = warehouse.read("final_labels", corpus, columns=["query_id", "doc_id"])
    n_missing = pairs.join(labels, on=["query_id", "doc_id"], how="anti").height
    return [f"{counted(n_missing, 'candidate')} without a final label"] if n_missing else []


def who_graded(warehouse: Warehouse, corpus: str) -> str:
    """Who graded which share of the pairs: of all queries, and of those that only get labels."""
    labels = warehouse.read("final_labels", corpus, columns=["query_id", "labeler", "n_known"])
    queries = warehouse.read("synthetic_queries", corpus, columns=["query_id", "split"])
    of_label = of_label_queries(labels, queries)
    parts = [f"{counted(labels.height, 'pair')}: {_by_labeler(labels)}."]
    if not of_label.is_empty():
        parts.append(
            f"Of label queries {counted(of_label.height, 'pair')}: {_by_labeler(of_label)}."
        )
    return " ".join(parts)


def _by_labeler(labels: pl.DataFrame) -> str:
    """For example "10.0 % teacher, 90.0 % student knowing others"."""
    is_knowing = (pl.col("labeler") == "student") & (pl.col("n_known") > 0)
    named = labels.select(
        who=pl.when(is_knowing)
        .then(pl.lit("student knowing others"))
        .otherwise(pl.col("labeler").replace({"student": "student alone"}))
    )
    counts = named["who"].value_counts().sort("who").iter_rows()
    return ", ".join(f"{100 * n / max(1, labels.height):.1f} % {who}" for who, n in counts)


@dg.multi_asset_check(
    specs=check_specs(
        "review_samples",
        sample_covers_the_pool="Every candidate of the sampled splits had a chance to be drawn for people. "
        "If pairs came or went since the last draw, draw again: what was drawn stays.",
    )
)
def sample_covers_the_pool(context: dg.AssetCheckExecutionContext, warehouse: Warehouse) -> Results:
    find = partial(pool_changes, warehouse)
    yield from check_results(
        context, "review_samples", "sample_covers_the_pool", find, severity=WARN
    )


def pool_changes(warehouse: Warehouse, corpus: str) -> list[str]:
    """A line where the pool has another number of pairs than at the last draw; none before a draw."""
    samples = warehouse.read("review_samples", corpus)
    if samples.is_empty():
        return []
    n_then = samples.select("stratum", "n_stratum").unique()["n_stratum"].sum()
    queries = warehouse.read("synthetic_queries", corpus, columns=["query_id", "split"])
    splits = queries.join(samples, on="query_id", how="semi")["split"].unique()
    candidates = warehouse.read("bm25_candidates", corpus, columns=["query_id"])
    pool = queries.filter(pl.col("split").is_in(splits.implode()))
    n_now = candidates.join(pool, on="query_id", how="semi").height
    if n_now == n_then:
        return []
    return [
        f"the pool has {counted(n_now, 'pair')} and had {n_then:,} when the sample was drawn. "
        f"Run: relabel review sample -c {corpus}"
    ]


GATE_CHECKS: list[dg.AssetChecksDefinition] = [
    student_learned_from_enough,
    student_is_as_good_as_teacher,
    student_can_replace_teacher,
    student_grades_are_not_shifted,
    probes_fool_no_labeler,
    new_queries_are_graded_like_training,
    chosen_pairs_are_graded,
    every_candidate_has_a_label,
    sample_covers_the_pool,
]
