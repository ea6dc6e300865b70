"""Rankings of systems: values by each labeler with intervals, ranks, kinship, agreement with people.

What belongs here: what is compared with what, on which queries and pairs, and the rows of
system_rankings. What does not: each statistic (its own module here), and words and plots (ranking_words.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import polars as pl

from relabel_assets.benchmark.pool.pool_estimates import Pool
from relabel_assets.benchmark.systems.comparison import AGREEMENTS, ROWS, Comparison, Gain
from relabel_assets.benchmark.systems.kinship import ExcessLead, excess_leads
from relabel_assets.benchmark.systems.pool_ranking import PPI, PPI_MEASURE, pool_ranking
from relabel_assets.benchmark.systems.system_values import ordered, parse_measure
from relabel_assets.benchmark.systems.told_apart import smallest_difference
from relabel_assets.progress import Progress, silent

# In this order they are shown. `final` has the grades to use, of people, teacher or student.
SYSTEM_LABELERS = ("final", "student", "teacher", "reference", PPI)
DEFAULT_MEASURE = "nDCG@10"


@dataclass(frozen=True)
class Rankings:
    """The `rows` of system_rankings, and what is about all systems together.

    `agreements` has the columns of AGREEMENTS: the order by each labeler beside the order by the reference
    labels. `smallest` is the smallest difference that shows, by measure and labeler.
    """

    rows: pl.DataFrame
    agreements: pl.DataFrame
    smallest: dict[tuple[str, str], float]


def rank_systems(
    runs: pl.DataFrame,
    labels: Mapping[str, pl.DataFrame],
    *,
    measures: Sequence[str] = (DEFAULT_MEASURE,),
    kin: Mapping[str, Mapping[str, str]] | None = None,
    gain: Gain = "expected_grade",
    pool: Pool | None = None,
    query_weights: Mapping[str, float] | None = None,
    n_resamples: int = 2000,
    seed: int = 13,
    progress: Progress = silent,
) -> Rankings:
    """Every system's value of each of `measures` by each labeler, on that labeler's own queries.

    `runs`: system, query_id, doc_id, score. `labels`, by labeler: query_id, doc_id, grade and perhaps
    expected_grade and is_filled. `kin`, by labeler: why a system is related to it. `gain` is for measures
    that take expected grades (nDCG); the others use whole grades. Intervals are percentiles of a paired
    bootstrap over queries (Sakai 2006). Queries weigh by `query_weights`; one that is not there weighs 1.

    With a `pool`, whose sample people graded with known chances, nDCG@10 is estimated from it too, as that
    of the labeler people_ppi.

    Agreement and kinship compare a labeler with the labeler `reference` on the pairs that both graded.
    Kinship is measured for student and teacher; `final` has people's own grades for those pairs, and takes
    over the kin of both. Raises UnknownMeasureError.

    >>> runs = pl.DataFrame({"system": ["a", "b"], "query_id": "q", "doc_id": ["d1", "d2"], "score": 1.0})
    >>> labels = pl.DataFrame({"query_id": "q", "doc_id": ["d1", "d2"], "grade": [1, 3]})
    >>> ranked = rank_systems(runs, {"student": labels}).rows
    >>> ranked.select("system", "value", "rank").rows()
    [('b', 0.8262346571285599, 1), ('a', 0.27541155237618664, 2)]
    """
    ranked, names = ordered(runs), runs["system"].unique().sort().to_list()
    related = {labeler: dict((kin or {}).get(labeler, {})) for labeler in labels}
    rows, agreements = list[pl.DataFrame](), list[pl.DataFrame]()
    smallest = dict[tuple[str, str], float]()
    n_done, n_all = 0, len(measures) * len(labels)
    for name in measures:
        measure = parse_measure(name)
        comparison = Comparison(
            ranked, labels, measure, names, gain, n_resamples, seed, query_weights
        )
        leads = _leads(comparison, related)
        for labeler in SYSTEM_LABELERS:
            if labeler not in labels:
                continue
            values = comparison.values(labeler, labels[labeler])
            key = (str(measure), labeler)
            smallest[key] = smallest_difference(values.values)
            rows.append(
                comparison.rows(
                    labeler, values, smallest[key], related[labeler], leads.get(labeler)
                )
            )
            agreements += comparison.agreements(labeler, related[labeler])
            n_done += 1
            progress("ranking systems, by labeler", n_done, n_all)
        if pool is not None and str(measure) == PPI_MEASURE:
            rows.append(pool_ranking(ranked, pool, names))
    return Rankings(
        pl.concat([pl.DataFrame(schema=ROWS), *rows]),
        pl.concat([pl.DataFrame(schema=AGREEMENTS), *agreements]),
        smallest,
    )


def _leads(comparison: Comparison, kin: dict[str, dict[str, str]]) -> dict[str, list[ExcessLead]]:
    """The excess leads by student and teacher. Detected kin are added to `kin`, of `final` too."""
    leads: dict[str, list[ExcessLead]] = {}
    for labeler in ("student", "teacher"):
        both = comparison.beside_people(labeler) if labeler in kin else None
        if both is None:
            continue
        is_known = np.array([system in kin[labeler] for system in comparison.systems])
        leads[labeler] = excess_leads(
            *both, is_known, n_resamples=comparison.n_resamples, seed=comparison.seed
        )
        for system, lead in zip(comparison.systems, leads[labeler], strict=True):
            if lead.is_detected:
                kin[labeler].setdefault(
                    system,
                    f"detected: its lead by {labeler} is {lead.value:.3f} [{lead.low:.3f}, "
                    f"{lead.high:.3f}] above the lead by the reference",
                )
    if "final" in kin:
        for labeler in leads:
            kin["final"] = kin[labeler] | kin["final"]
    return leads
