"""Ranking the systems of a corpus by all its labelers: for the asset and for `relabel evaluate`.

What belongs here: which tables a labeler's grades are in, and which models it is made of. What does not:
the statistics (benchmark/systems/), reading runs (corpus/runs/), and new grades (fill.py).
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

import polars as pl

from relabel_assets.benchmark.bootstrap import median_grades
from relabel_assets.benchmark.pool.pool_estimates import Pool, drawn_grades, pool_with_sample
from relabel_assets.benchmark.resampling import query_weights
from relabel_assets.benchmark.systems.comparison import Gain
from relabel_assets.benchmark.systems.kinship import declared_kin
from relabel_assets.benchmark.systems.rankings import DEFAULT_MEASURE, Rankings, rank_systems
from relabel_assets.benchmark.systems.system_values import UnknownMeasureError
from relabel_assets.corpus.config.config import CorpusConfig
from relabel_assets.corpus.runs.kin_file import SystemOrigin
from relabel_assets.corpus.runs.run_files import with_known_queries
from relabel_assets.corpus.runs.system_files import Systems
from relabel_assets.errors import ConfigError, Problem
from relabel_assets.progress import Progress, silent

Read = Callable[[str], pl.DataFrame]  # the rows of a table
_PAIR = ["query_id", "doc_id"]
_LABELS = [*_PAIR, "grade", "expected_grade"]


def stated_teachers(config: CorpusConfig) -> list[str]:
    """The model of the teacher that corpus.yaml names, if it names one."""
    teacher = config.teacher
    return [teacher.model] if "model" in teacher.model_fields_set else []


@dataclass(frozen=True)
class Evaluation:
    """The rankings of the systems of a corpus, and all that was set aside of their runs."""

    rankings: Rankings
    problems: list[Problem]


def labels_of(read: Read) -> dict[str, pl.DataFrame]:
    """The grades of each labeler that has any: query_id, doc_id, grade and expected_grade.

    Reference labels are the median of their assessors, as in benchmark_report.
    """
    teacher = pl.concat(read(table).select(_LABELS) for table in ("teacher_labels", "asked_labels"))
    labels = {
        "final": read("final_labels").select(_LABELS),
        "student": read("student_labels").select(_LABELS),
        "teacher": teacher.drop_nulls("grade").unique(_PAIR, keep="first", maintain_order=True),
        "reference": median_grades(read("reference_labels")),
    }
    return {labeler: frame for labeler, frame in labels.items() if not frame.is_empty()}


def pool_of(read: Read, n_grades: int) -> Pool | None:
    """The candidates of the queries that people's sample was drawn from, with their grades; None without.

    There is none where nothing was drawn, and where people graded too few of the drawn pairs.
    """
    samples, queries = read("review_samples"), read("synthetic_queries")
    if samples.is_empty():
        return None
    splits = queries.join(samples, on="query_id", how="semi")["split"].unique()
    of_pool = queries.filter(pl.col("split").is_in(splits.implode()))
    pairs = read("student_labels").join(of_pool, on="query_id", how="semi")
    people = drawn_grades(samples, read("reference_labels"))
    pairs = pairs.select(*_PAIR, "grade_probs")
    pool = pool_with_sample(pairs, people, query_weights(queries), n_grades=n_grades)
    return None if isinstance(pool, str) else pool


def kin_of(
    read: Read,
    origins: Mapping[str, SystemOrigin],
    related: Collection[str],
    teacher_models: Collection[str],
) -> dict[str, dict[str, str]]:
    """Why systems are related to student, teacher and final labels, as far as somebody says so.

    `related` are the systems that the user calls related, `teacher_models` those that the settings name.
    """
    model = read("student_model").filter("is_current")
    teachers = {*teacher_models, *read("teacher_labels")["teacher_model"].drop_nulls().unique()}
    named = dict.fromkeys(related, "declared with --related")
    stated = {name: origin.model_dump() for name, origin in origins.items()}
    of_teacher = declared_kin(stated, teachers=teachers) | named
    of_student = declared_kin(stated, base_models=model["base_model"].to_list(), teachers=teachers)
    of_student |= named
    return {"student": of_student, "teacher": of_teacher, "final": of_teacher | of_student}


def evaluate_systems(
    systems: Systems,
    read: Read,
    *,
    n_grades: int,
    teacher_models: Collection[str] = (),
    measures: Sequence[str] = (DEFAULT_MEASURE,),
    gain: Gain = "expected_grade",
    related: Collection[str] = (),
    filled: pl.DataFrame | None = None,
    progress: Progress = silent,
) -> Evaluation:
    """Rank `systems` by each labeler with grades in the tables that `read` gives.

    `filled` has the student's grades of holes: they are labels of student and final, marked is_filled.
    Raises ConfigError for an unknown measure, and for a system in `related` without a run.
    """
    queries = read("synthetic_queries")
    known = with_known_queries(
        systems.runs,
        queries["query_id"],
        read("seed_docs")["doc_id"],
    )
    if unknown := sorted(set(related) - set(systems.runs.systems)):
        raise ConfigError(
            f"--related {', '.join(unknown)}: there is no such run. Systems: "
            f"{', '.join(systems.runs.systems)}."
        )
    labels = labels_of(read)
    if filled is not None:
        for labeler in ("student", "final"):
            own = labels[labeler].with_columns(is_filled=pl.lit(False))
            new = filled.join(own, on=_PAIR, how="anti").with_columns(is_filled=pl.lit(True))
            labels[labeler] = pl.concat([own, new.select(own.columns).cast(own.schema)])
    try:
        rankings = rank_systems(
            known.frame,
            labels,
            measures=measures,
            kin=kin_of(read, systems.origins, related, teacher_models),
            gain=gain,
            pool=pool_of(read, n_grades),
            query_weights=query_weights(queries),
            progress=progress,
        )
    except UnknownMeasureError as error:
        raise ConfigError(str(error)) from error
    return Evaluation(rankings, known.problems)
