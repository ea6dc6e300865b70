"""The labelers of a benchmark, in the order of its report.

What belongs here: their names, and those of their differences. What does not: their
grades (baselines.py, student/) and metrics (bootstrap.py, imported_labelers.py).
"""

import re
from collections.abc import Iterable

# The share of the teacher's grades that the student of a cascade knows. Not measured beyond a fifth: who
# can pay for more rarely needs a student.
CASCADES = {"cascade@5%": 0.05, "cascade@10%": 0.1, "cascade@20%": 0.2}
# The name of each paired difference: the labeler's metric minus the teacher's.
DIFFERENCES = {labeler: f"{labeler}-teacher" for labeler in ("student", *CASCADES)}
DIFFERENCE = DIFFERENCES["student"]
# With `calibrate: people`: each query by a calibration to people's grades of other queries.
PEOPLE = "student@people"
PEOPLE_DIFFERENCE = f"{PEOPLE}-student"
PEOPLE_LABELERS = (PEOPLE, PEOPLE_DIFFERENCE)
COMPARISONS = (*DIFFERENCES.values(), PEOPLE_DIFFERENCE)
# People themselves: the mean of their grades over the whole pool.
POOL_PEOPLE = "people"
LABELERS = ("teacher", "student", PEOPLE, *CASCADES, "base", "bm25", *COMPARISONS, POOL_PEOPLE)
# The slices and metrics of the whole pool, which people's sample with known chances is for.
POOL_SLICES = {"pool": "The whole pool", "new queries": "Queries like those of the pool"}
POOL_METRICS = ("ndcg@10", "precision@10", "kappa", "kappa_quadratic", "within_one", "mean_grade")
# Names that an imported labeler cannot have: they mean others here, in the view `labels`, or in options.
_TAKEN = (*LABELERS, "final", "reference", "people_ppi", "none")
_NAME = re.compile(r"[a-z0-9]([a-z0-9_.-]{0,62}[a-z0-9])?")


def is_labeler_name(name: str) -> bool:
    """Whether an imported labeler may have this name.

    >>> [is_labeler_name(name) for name in ("gpt-4o", "GPT", "student", "a" * 65, "../x")]
    [True, False, False, False, False]
    """
    return _NAME.fullmatch(name) is not None and name not in _TAKEN


def in_order(names: Iterable[str]) -> list[str]:
    """Labelers in the order of the report: our own, then imported ones by name.

    >>> in_order({"zoe", "bm25", "gpt-4o", "student"})
    ['student', 'bm25', 'gpt-4o', 'zoe']
    """
    present = set(names)
    return [*(name for name in LABELERS if name in present), *sorted(present - set(LABELERS))]
