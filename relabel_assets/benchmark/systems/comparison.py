"""Systems compared by one measure: their rows of system_rankings, and two labelers side by side.

What belongs here: which queries and pairs are compared, and the numbers of each system. What does not: the
loop over measures and labelers, and kinship (rankings.py).
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

import numpy as np
import polars as pl
from numpy.typing import NDArray

from relabel_assets.benchmark.resampling import resamples
from relabel_assets.benchmark.systems.kinship import ExcessLead
from relabel_assets.benchmark.systems.order_agreement import order_agreement
from relabel_assets.benchmark.systems.system_values import (
    SystemValues,
    depth,
    holes,
    system_values,
    takes_expected_grades,
)
from relabel_assets.benchmark.systems.told_apart import rank_ranges, ranks_of

Gain = Literal["expected_grade", "grade"]
_PAIR = ["query_id", "doc_id"]
_INTERVAL = (2.5, 97.5)  # percentiles of the resamples: a 95 % interval
# Fewer queries say nothing about an order: an interval over 4 queries is a guess.
_MIN_QUERIES = 5
ROWS = {
    "system": pl.String,
    "measure": pl.String,
    "labeler": pl.String,
    "gain": pl.String,
    "value": pl.Float64,
    "ci_low": pl.Float64,
    "ci_high": pl.Float64,
    "rank": pl.Int64,
    "rank_from": pl.Int64,
    "rank_to": pl.Int64,
    "rank_without_related": pl.Int64,
    "behind_first": pl.Float64,
    "behind_first_low": pl.Float64,
    "behind_first_high": pl.Float64,
    "n_queries": pl.Int64,
    "n_unjudged": pl.Int64,
    "n_filled": pl.Int64,
    "is_related": pl.Boolean,
    "related_because": pl.String,
    "excess_lead": pl.Float64,
    "excess_lead_low": pl.Float64,
    "excess_lead_high": pl.Float64,
}
AGREEMENTS = {
    "measure": pl.String,
    "labeler": pl.String,
    "is_without_related": pl.Boolean,
    "statistic": pl.String,
    "value": pl.Float64,
    "low": pl.Float64,
    "high": pl.Float64,
    "n_systems": pl.Int64,
    "n_queries": pl.Int64,
}


@dataclass(frozen=True)
class Comparison:
    """The systems of one measure."""

    ranked: pl.DataFrame
    labels: Mapping[str, pl.DataFrame]
    measure: Any
    systems: list[str]
    gain: Gain
    n_resamples: int
    seed: int
    query_weights: Mapping[str, float] | None = None

    def gain_of(self, labels: pl.DataFrame) -> Gain:
        """The gain that the measure can use with these labels."""
        has_expected = "expected_grade" in labels and labels["expected_grade"].count() > 0
        is_expected = self.gain == "expected_grade" and takes_expected_grades(self.measure)
        return "expected_grade" if is_expected and has_expected else "grade"

    def values(self, labeler: str, labels: pl.DataFrame) -> SystemValues:
        """The values of each query, multiplied by its weight over the mean weight.

        So every mean over the queries is a weighted mean.
        """
        is_expected = self.gain_of(labels) == "expected_grade"
        values = system_values(
            self.ranked, labels, self.measure, systems=self.systems, is_expected=is_expected
        )
        if not self.query_weights or not values.query_ids:
            return values
        weights = np.array([self.query_weights.get(query, 1.0) for query in values.query_ids])
        return replace(values, values=values.values * weights / weights.mean())

    def beside_people(self, labeler: str) -> tuple[NDArray, NDArray] | None:
        """The (S, Q) values by the labeler and by the reference, on the pairs that both graded.

        None where these are of fewer than 5 queries, or the labeler is the reference.
        """
        reference = self.labels.get("reference")
        if reference is None or labeler == "reference":
            return None
        own = self.labels[labeler].join(reference, on=_PAIR, how="semi")
        by_labeler = self.values(labeler, own)
        by_people = self.values("reference", reference.join(own, on=_PAIR, how="semi"))
        both = [query for query in by_people.query_ids if query in set(by_labeler.query_ids)]
        if len(both) < _MIN_QUERIES:
            return None
        mine, theirs = (
            each.values[:, [each.query_ids.index(query) for query in both]]
            for each in (by_labeler, by_people)
        )
        return mine, theirs

    def rows(
        self,
        labeler: str,
        values: SystemValues,
        smallest: float,
        kin: Mapping[str, str],
        leads: Sequence[ExcessLead] | None,
    ) -> pl.DataFrame:
        """The rows of one labeler, the best system first."""
        n_queries = len(values.query_ids)
        if not n_queries:
            return pl.DataFrame(schema=ROWS)
        weights = resamples(n_queries, self.n_resamples, self.seed)
        drawn = weights @ values.values.T / n_queries  # (1 + R, S)
        means, order = drawn[0], np.argsort(-drawn[0], kind="stable")
        difference = drawn - drawn[:, order[:1]]
        low, high = np.percentile(drawn[1:], _INTERVAL, axis=0)
        behind_low, behind_high = np.percentile(difference[1:], _INTERVAL, axis=0)
        ranges = rank_ranges(means, smallest)
        is_related = np.array([system in kin for system in self.systems])
        n_better = (means[None, ~is_related] > means[:, None]).sum(axis=1)
        filled = self._n_filled(labeler, values)
        return pl.DataFrame(
            {
                "system": self.systems,
                "measure": [str(self.measure)] * len(means),
                "labeler": [labeler] * len(means),
                "gain": [self.gain_of(self.labels[labeler])] * len(means),
                "value": means,
                "ci_low": low,
                "ci_high": high,
                "rank": ranks_of(means),
                "rank_from": ranges[:, 0],
                "rank_to": ranges[:, 1],
                "rank_without_related": [
                    None if related else 1 + int(better)
                    for related, better in zip(is_related, n_better, strict=True)
                ],
                "behind_first": difference[0],
                "behind_first_low": behind_low,
                "behind_first_high": behind_high,
                "n_queries": [n_queries] * len(means),
                "n_unjudged": values.n_unjudged,
                "n_filled": [filled.get(system, 0) for system in self.systems],
                "is_related": is_related,
                "related_because": [kin.get(system) for system in self.systems],
                "excess_lead": [lead.value for lead in leads] if leads else None,
                "excess_lead_low": [lead.low for lead in leads] if leads else None,
                "excess_lead_high": [lead.high for lead in leads] if leads else None,
            },
            schema=ROWS,
        ).sort("rank", "system")

    def _n_filled(self, labeler: str, values: SystemValues) -> dict[str, int]:
        """How many documents that the measure looks at were graded only to fill a hole."""
        labels = self.labels[labeler]
        if "is_filled" not in labels.columns:
            return {}
        counted = labels.filter(
            ~pl.col("is_filled") & pl.col("query_id").is_in(list(values.query_ids))
        )
        filled = labels.filter("is_filled").select(_PAIR)
        found = holes(self.ranked, counted, depth(self.measure)).join(filled, on=_PAIR, how="semi")
        return dict(found.group_by("system").len().iter_rows())

    def agreements(self, labeler: str, kin: Mapping[str, str]) -> list[pl.DataFrame]:
        """The agreement of the labeler's order with the reference's, with and without related systems."""
        both = self.beside_people(labeler)
        if both is None:
            return []
        unrelated = [row for row, system in enumerate(self.systems) if system not in kin]
        chosen = {False: list(range(len(self.systems)))}
        if len(unrelated) < len(self.systems):
            chosen[True] = unrelated
        return [
            pl.DataFrame(
                {
                    "measure": str(self.measure),
                    "labeler": labeler,
                    "is_without_related": is_without,
                    **asdict(agreement),
                    "n_systems": len(rows),
                    "n_queries": both[0].shape[1],
                },
                schema=AGREEMENTS,
            )
            for is_without, rows in chosen.items()
            for agreement in order_agreement(
                both[0][rows], both[1][rows], n_resamples=self.n_resamples, seed=self.seed
            )
        ]
