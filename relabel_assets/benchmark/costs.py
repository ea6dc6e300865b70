"""What labels cost: dollars and seconds for 1,000 labels of teacher, student, cascades and people.

What belongs here: these figures, from the tables of a corpus. What does not: the prices of a model
(teacher/prices.py), quality (bootstrap.py), and the wording of the report (report/).
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta

import polars as pl

from relabel_assets.benchmark.labelers import CASCADES

# The paper's ratios of teacher to student (arXiv 2601.03211): requests per minute, and dollars.
PAPER_SPEEDUP, PAPER_SAVING = 17, 19
# A longer time without a label is a break. Not measured: no teacher needs 10 minutes for a pair, and no
# person reads one document for 10 minutes.
_BREAK = timedelta(minutes=10)


@dataclass(frozen=True)
class LabelingCost:
    """The cost of 1,000 labels of one labeler. An unknown figure is None.

    `n_labels` is how many the time was measured on.
    """

    labeler: str
    usd: float | None
    seconds: float | None
    n_labels: int


def labeling_costs(
    teacher: pl.DataFrame,
    student: pl.DataFrame,
    reviews: pl.DataFrame,
    *,
    person_usd_per_hour: float | None,
    machine_usd_per_hour: float | None,
    labelers: Iterable[str] = CASCADES,
) -> list[LabelingCost]:
    """The costs of teacher, student, those cascades that are among `labelers`, and people, in this order.

    `teacher` has grade, cost_usd, labeled_at and latency_s, of all attempts that are recorded. `student`
    has latency_s: seconds of this machine for each label. `reviews` has assessor and reviewed_at.

    A cascade costs its share of the teacher's, and the student's. Its time is their sum: the student
    chooses before the teacher is asked.

    >>> from datetime import UTC, datetime
    >>> at = [datetime(2026, 1, 1, 12, 0, second, tzinfo=UTC) for second in (2, 4)]
    >>> teacher = pl.DataFrame(
    ...     {"grade": [3, 0], "cost_usd": 0.002, "labeled_at": at, "latency_s": 2.0})
    >>> student = pl.DataFrame({"latency_s": [0.01, 0.01]})
    >>> reviews = pl.DataFrame({"assessor": "ana", "reviewed_at": at})
    >>> costs = labeling_costs(teacher, student, reviews, person_usd_per_hour=36,
    ...     machine_usd_per_hour=None, labelers=["cascade@10%"])
    >>> [(cost.labeler, cost.usd, cost.seconds) for cost in costs]
    ... # doctest: +NORMALIZE_WHITESPACE
    [('teacher', 2.0, 2000.0), ('student', None, 10.0), ('cascade@10%', None, 210.0),
     ('people', 20.0, 2000.0)]
    """
    of_teacher = LabelingCost("teacher", _usd_of_teacher(teacher), *_time_of_teacher(teacher))
    timed = student["latency_s"].drop_nulls()
    seconds = 1000 * float(timed.to_numpy().mean()) if timed.len() else None
    of_student = LabelingCost("student", _wage(seconds, machine_usd_per_hour), seconds, timed.len())
    of_cascades = [
        LabelingCost(
            labeler,
            _weighted(share, of_teacher.usd, of_student.usd),
            _weighted(share, of_teacher.seconds, of_student.seconds),
            of_teacher.n_labels,
        )
        for labeler, share in CASCADES.items()
        if labeler in set(labelers)
    ]
    by_person, n_timed = _time_of_people(reviews)
    people = LabelingCost("people", _wage(by_person, person_usd_per_hour), by_person, n_timed)
    return [of_teacher, of_student, *of_cascades, people]


def cost_sentences(costs: Iterable[LabelingCost]) -> list[str]:
    """How much faster and cheaper than its teacher the student is, beside the paper's figures.

    >>> teacher, student = (
    ...     LabelingCost("teacher", 2.0, 100.0, 500), LabelingCost("student", 0.02, 5.0, 500))
    >>> cost_sentences([teacher, student])
    ... # doctest: +NORMALIZE_WHITESPACE
    ['The student labels 1,000 pairs in 5.0 s on this machine, the teacher in 100 s: 20 times as fast
      (the paper: 17 times).',
     'The student costs $0.02 for 1,000 pairs, the teacher $2.00: 100 times as cheap (the paper: 19 times).']
    """
    by_labeler = {cost.labeler: cost for cost in costs}
    if not {"teacher", "student"} <= {*by_labeler}:
        return []
    teacher, student, sentences = by_labeler["teacher"], by_labeler["student"], []
    if teacher.seconds and student.seconds:
        ratio = _ratio(teacher.seconds / student.seconds)
        sentences.append(
            f"The student labels 1,000 pairs in {seconds_text(student.seconds)} on this machine, the "
            f"teacher in {seconds_text(teacher.seconds)}: {ratio} times as fast (the paper: "
            f"{PAPER_SPEEDUP} times)."
        )
    if teacher.usd and student.usd:
        sentences.append(
            f"The student costs {usd_text(student.usd)} for 1,000 pairs, the teacher "
            f"{usd_text(teacher.usd)}: {_ratio(teacher.usd / student.usd)} times as cheap (the paper: "
            f"{PAPER_SAVING} times)."
        )
    return sentences


def usd_text(usd: float) -> str:
    """Dollars with the digits that matter.

    >>> usd_text(12.3), usd_text(0.0123), usd_text(0.00042)
    ('$12.30', '$0.012', '$0.00042')
    """
    return f"${usd:.2f}" if usd >= 1 or round(usd, 2) == usd else f"${usd:.2g}"


def seconds_text(seconds: float) -> str:
    """A duration as people say it.

    >>> seconds_text(4.21), seconds_text(250), seconds_text(5400)
    ('4.2 s', '250 s', '1.5 h')
    """
    if seconds < 10:
        return f"{seconds:.1f} s"
    return f"{seconds:,.0f} s" if seconds < 3600 else f"{seconds / 3600:,.1f} h"


def _usd_of_teacher(teacher: pl.DataFrame) -> float | None:
    """Dollars for 1,000 grades. Failed pairs cost too: their price is on the grades that came."""
    priced = teacher.drop_nulls("cost_usd")
    n_graded = int(priced["grade"].count())
    return 1000 * float(priced["cost_usd"].to_numpy().sum()) / n_graded if n_graded else None


def _time_of_teacher(teacher: pl.DataFrame) -> tuple[float | None, int]:
    """Seconds for 1,000 grades, as they came with the requests in flight then, and on how many.

    Counted from the first request of a stretch without a break to its last response.
    """
    timed = teacher.drop_nulls(["labeled_at", "latency_s", "grade"]).sort("labeled_at")
    if timed.is_empty():
        return None, 0
    gap = pl.col("labeled_at").diff()
    lead = pl.duration(microseconds=pl.col("latency_s") * 1e6)
    spent = pl.when(gap.is_null() | (gap > _BREAK)).then(lead).otherwise(gap)
    seconds = timed.select(spent.sum().dt.total_microseconds()).item() / 1e6
    return (1000 * seconds / timed.height if seconds else None), timed.height


def _time_of_people(reviews: pl.DataFrame) -> tuple[float | None, int]:
    """Seconds for 1,000 grades: of one person, the mean time from a grade to the next without breaks."""
    timed = reviews.drop_nulls("reviewed_at").sort("assessor", "reviewed_at")
    if timed.is_empty():
        return None, 0
    gaps = timed.select(gap=pl.col("reviewed_at").diff().over("assessor"))
    worked = gaps.filter(pl.col("gap") > timedelta(0), pl.col("gap") <= _BREAK)
    if worked.is_empty():
        return None, 0
    mean = worked.select(pl.col("gap").dt.total_microseconds().cast(pl.Float64).mean()).item()
    return 1000 * mean / 1e6, worked.height


def _wage(seconds: float | None, usd_per_hour: float | None) -> float | None:
    return None if None in (seconds, usd_per_hour) else seconds * usd_per_hour / 3600  # type: ignore[operator]


def _weighted(share: float, of_teacher: float | None, of_student: float | None) -> float | None:
    """A cascade's cost. Unknown if one of the two is."""
    return None if of_teacher is None or of_student is None else share * of_teacher + of_student


def _ratio(ratio: float) -> str:
    return f"{ratio:.1f}" if ratio < 10 else f"{ratio:,.0f}"
