"""The preview of new grades: a sample of the pairs that a run would ask again, paid for on request.

What belongs here: which pairs, the sample, and asking about it. What does not: the statistics
(benchmark/drift/), sending and budgets (teacher/), and printing (cli/printing/preview_output.py).

Answers go to the ledger as those of a run do, so a run does not pay for them again.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import polars as pl

from relabel_assets.benchmark.drift.flips import Measured, flip_table, mean_change, moved_share
from relabel_assets.benchmark.drift.orders import changed_orders, old_order_ndcg
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import ConfigError
from relabel_assets.graph.project import Project
from relabel_assets.labeling.asked_teacher import LiveTeacher
from relabel_assets.plural import counted
from relabel_assets.progress import working_on
from relabel_assets.review.draws.allocation import allocate
from relabel_assets.review.draws.sampling import random_number
from relabel_assets.running.candidate_pairs import candidate_pairs
from relabel_assets.running.plan import stale_tables
from relabel_assets.teacher.estimate import Estimate
from relabel_assets.warehouse.warehouse import Warehouse

_PAIR = ["query_id", "doc_id"]
# What a stored grade was asked with. An answer with other values is another version's.
_VERSION = ["request_key", "teacher_model", "prompt_hash"]
_PAIRS_BEFORE = ["seed_docs", "synthetic_queries", "bm25_candidates"]
_LEAST_OF_A_GRADE = 5  # not measured: with fewer, Wilson's interval spans most of 0 to 1
_SEED = 13


@dataclass(frozen=True)
class GradePreview:
    """What a preview found. `asked` has a row a sampled pair: old_grade, new_grade, status, its ids.

    `sizes`: the number of pairs with each old grade that a run would ask again. `kept` has those with
    old_grade that keep it, as nothing about them changed.
    """

    asked: pl.DataFrame
    sizes: Mapping[int, int]
    kept: pl.DataFrame
    n_new: int  # candidates that have no grade yet
    max_grade: int  # of the rubric as it is now
    spent_usd: float
    is_priced: bool = True  # False: what was sent has no known price
    notices: tuple[str, ...] = ()

    @property
    def n_pairs(self) -> int:
        return sum(self.sizes.values())

    @property
    def graded(self) -> pl.DataFrame:
        return self.asked.filter(pl.col("new_grade").is_not_null())

    @property
    def n_replayed(self) -> int:
        """The sampled pairs that the ledger answered at no cost."""
        return self.asked.filter("is_replayed").height

    @property
    def flips(self) -> pl.DataFrame:
        return flip_table(self.graded, self.sizes)

    @property
    def moved_share(self) -> Measured | None:
        return moved_share(self.flips)

    @property
    def mean_change(self) -> Measured | None:
        return mean_change(self.graded, self.sizes)

    @property
    def orders(self) -> tuple[Measured | None, int, int]:
        return changed_orders(self.graded, self.sizes)

    @property
    def ndcg(self) -> float | None:
        """NDCG@10 of the old order by the new grades; None unless every pair was asked."""
        if self.graded.height < self.n_pairs:
            return None
        columns = [*_PAIR, "old_grade", "new_grade"]
        kept = self.kept.with_columns(new_grade="old_grade")
        return old_order_ndcg(pl.concat([self.graded.select(columns), kept.select(columns)]))


def preview_grades(
    project: Project,
    warehouse: Warehouse,
    corpus: str,
    n: int,
    announce: Callable[[int, Estimate | None], None] = lambda n, estimate: None,
) -> GradePreview | None:
    """Ask the teacher of `corpus`, as it is set now, about `n` pairs whose grade a run would ask again.

    None for a recorded teacher: nothing is asked. `announce` gets the number of sampled pairs and the
    estimated cost before anything is sent. Within the corpus' budgets; a pair without an answer has its
    status. Raises ConfigError where the pairs themselves would change, or answers take hours, and
    TeacherError if the teacher cannot be asked.
    """
    folder = project.corpora().open(corpus)
    folder.require_teacher()
    if folder.teacher_kind == "recorded":
        return None
    _check(project, warehouse, folder)
    pairs, teacher = candidate_pairs(warehouse, corpus), project.teacher()
    with working_on(f"{corpus} / preview") as progress:
        # Asked offline, each pair has the key of its request and what the ledger answers.
        offline = LiveTeacher(teacher, replace(folder, is_offline=True))
        present = offline.grade(pairs, progress)
        stored = warehouse.read("teacher_labels", corpus).filter(pl.col("grade").is_not_null())
        again = asked_again(stored, present)
        sample = draw_sample(again, n)
        chosen = pairs.join(sample, on=_PAIR, how="semi", maintain_order="left")
        live = LiveTeacher(teacher, folder)
        estimate = live.estimate(chosen, chosen.height) if chosen.height else None
        announce(chosen.height, estimate)
        answers = live.grade(chosen, progress) if chosen.height else present.clear()
    new = answers.select(*_PAIR, "status", "status_reason", new_grade="grade")
    asked = sample.join(new, on=_PAIR, how="left", maintain_order="left")
    return GradePreview(
        asked,
        dict(again.group_by("old_grade").len().sort("old_grade").iter_rows()),
        kept=_kept(stored, pairs, again),
        n_new=pairs.join(stored, on=_PAIR, how="anti").height,
        max_grade=folder.rubric.max_grade,
        spent_usd=live.spent_usd,
        is_priced=estimate is None or estimate.cost_usd is not None,
        notices=tuple(teacher.notices) if chosen.height else (),
    )


def _check(project: Project, warehouse: Warehouse, folder: CorpusFolder) -> None:
    """Refuse a preview whose answers a run would not use, or that would take hours."""
    mode = folder.config.teacher.mode
    if mode != "live":
        raise ConfigError(
            f"--preview: teacher.mode of corpus {folder.name!r} is {mode}, and a preview asks at once. "
            "Set it to live for the preview; a later run finds its answers in the ledger in any mode."
        )
    if warehouse.read("teacher_labels", folder.name).is_empty():
        raise ConfigError(
            f"--preview: corpus {folder.name!r} has no grades yet that new ones could be compared with. "
            f"For the cost of all: relabel estimate -c {folder.name}"
        )
    stale = stale_tables(project, warehouse, folder.name, _PAIRS_BEFORE)
    if stale:
        reasons = "; ".join(f"{table} ({reason})" for table, reason in stale.items())
        raise ConfigError(
            f"--preview: a run of corpus {folder.name!r} would make its pairs again before it grades "
            f"them: {reasons}. Answers about the present pairs might be paid for in vain. Make the pairs "
            f"first: relabel run -c {folder.name} -s +bm25_candidates"
        )


def asked_again(stored: pl.DataFrame, present: pl.DataFrame) -> pl.DataFrame:
    """The pairs whose stored grade was asked otherwise than now, with old_grade and is_replayed.

    `stored` and `present` are rows of teacher_labels: with grades, and as the ledger alone answers now.

    >>> stored = pl.DataFrame({"query_id": "q", "doc_id": ["a", "b"], "grade": [1, 2], "status": "ok",
    ...     "request_key": ["k1", "k2"], "teacher_model": "m", "prompt_hash": "h"})
    >>> present = stored.with_columns(request_key=pl.Series(["k1", "k3"]), status=pl.lit("failed"))
    >>> asked_again(stored, present.with_columns(status=pl.Series(["ok", "failed"]))).rows()
    [('q', 'b', 2, False)]
    """
    both = stored.select(*_PAIR, *_VERSION, old_grade="grade").join(
        present.select(*_PAIR, *_VERSION, "status"), on=_PAIR, suffix="_now", maintain_order="left"
    )
    differs = pl.any_horizontal(pl.col(name).ne_missing(pl.col(f"{name}_now")) for name in _VERSION)
    is_replayed = pl.col("status") == "ok"
    # With more votes a pair's first request stays the same, and others are still to be sent.
    asked = both.filter(differs | (pl.col("status") == "failed"))
    return asked.select(*_PAIR, "old_grade", is_replayed=is_replayed)


def _kept(stored: pl.DataFrame, pairs: pl.DataFrame, again: pl.DataFrame) -> pl.DataFrame:
    grades = stored.select(*_PAIR, old_grade="grade").join(pairs, on=_PAIR, how="semi")
    return grades.join(again, on=_PAIR, how="anti")


def draw_sample(pairs: pl.DataFrame, n: int) -> pl.DataFrame:
    """`n` of `pairs`, in proportion to how often each old_grade occurs, at least 5 of each if `n` allows.

    The same pairs for the same `n`, and a larger `n` keeps those of a smaller one: each pair has a
    permanent random number, and those with the smallest are drawn.

    >>> pairs = pl.DataFrame({"query_id": "q", "doc_id": [str(i) for i in range(100)],
    ...                       "old_grade": [0] * 90 + [1] * 10})
    >>> draw_sample(pairs, 20)["old_grade"].value_counts(sort=True).rows()
    [(0, 15), (1, 5)]
    """
    grades = pairs["old_grade"].unique().sort().to_list()
    if not grades:
        return pairs
    sizes = [pairs.filter(pl.col("old_grade") == grade).height for grade in grades]
    least = [min(_LEAST_OF_A_GRADE, n // len(grades))] * len(grades)
    counts = allocate(sizes, [1.0] * len(grades), least, min(n, pairs.height))
    numbers = [random_number(_SEED, *pair) for pair in pairs.select(_PAIR).iter_rows()]
    ordered = pairs.with_columns(number=pl.Series(numbers, dtype=pl.Float64)).sort("number")
    drawn = [
        ordered.filter(pl.col("old_grade") == grade).head(count)
        for grade, count in zip(grades, counts, strict=True)
    ]
    return pl.concat(drawn).drop("number")


def unanswered(preview: GradePreview) -> list[str]:
    """A line for each reason why sampled pairs got no grade.

    >>> asked = pl.DataFrame({"new_grade": [None, 1], "status": ["over_budget", "ok"],
    ...                       "status_reason": ["the budget is spent", None]})
    >>> unanswered(GradePreview(asked, {}, asked.clear(), 0, 3, 0.0))
    ['1 pair over_budget: the budget is spent']
    """
    without = preview.asked.filter(pl.col("new_grade").is_null())
    counts = without.group_by("status", "status_reason").len().sort("len", descending=True)
    return [
        f"{counted(n, 'pair')} {status}: {reason or 'no reason given'}"
        for status, reason, n in counts.iter_rows()
    ]
