"""What 1,000 labels cost: breaks, failed requests, unknown prices and cascades, by hand."""

from datetime import UTC, datetime, timedelta

import polars as pl
import pytest

from relabel_assets.benchmark.costs import LabelingCost, cost_sentences, labeling_costs
from relabel_assets.benchmark.labelers import CASCADES

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
NO_PRICES = {"person_usd_per_hour": None, "machine_usd_per_hour": None}
NO_REVIEWS = pl.DataFrame(schema={"assessor": pl.String, "reviewed_at": pl.Datetime("us", "UTC")})
STUDENT = pl.DataFrame({"latency_s": [0.01, 0.03]})


def teacher(
    *seconds: float, cost_usd: float | None = 0.002, latency_s: float = 1.0
) -> pl.DataFrame:
    """Grades that came so many seconds after noon."""
    return pl.DataFrame(
        {
            "grade": [1] * len(seconds),
            "cost_usd": [cost_usd] * len(seconds),
            "labeled_at": [NOON + timedelta(seconds=at) for at in seconds],
            "latency_s": [latency_s] * len(seconds),
        },
        schema_overrides={"cost_usd": pl.Float64, "labeled_at": pl.Datetime("us", "UTC")},
    )


def costs(
    of_teacher: pl.DataFrame, reviews: pl.DataFrame = NO_REVIEWS, **prices: float | None
) -> dict[str, LabelingCost]:
    found = labeling_costs(of_teacher, STUDENT, reviews, **{**NO_PRICES, **prices})
    return {cost.labeler: cost for cost in found}


def test_failed_requests_are_paid_for_by_the_grades_that_came() -> None:
    paid = pl.concat([teacher(1, 2), teacher(3).with_columns(grade=pl.lit(None, pl.Int64))])
    assert costs(paid)["teacher"].usd == 3.0


def test_requests_in_flight_together_share_their_time_and_a_break_counts_for_nobody() -> None:
    # From the first request at 0 s to the last response at 2 s: four labels. An hour later one of 1 s.
    assert costs(teacher(1, 1, 2, 2, 3600))["teacher"].seconds == pytest.approx(1000 * 3 / 5)


def test_a_cascade_costs_its_share_of_the_teachers_grades_and_the_students() -> None:
    found = costs(teacher(1, 2), machine_usd_per_hour=3.6)
    assert found["student"].usd == pytest.approx(0.02)  # 20 s
    for name, share in CASCADES.items():
        assert found[name].usd == pytest.approx(share * 2.0 + 0.02)
        assert found[name].seconds == pytest.approx(share * 1000 + 20)


def test_an_unknown_price_is_unknown_and_not_nothing() -> None:
    found = costs(teacher(1, cost_usd=None))
    assert {cost.usd for cost in found.values()} == {None}
    assert found["cascade@5%"].seconds is not None


def test_a_recorded_teacher_has_no_time() -> None:
    recorded = teacher(1).with_columns(
        labeled_at=pl.lit(None, pl.Datetime("us", "UTC")), latency_s=pl.lit(None, pl.Float64)
    )
    assert costs(recorded)["teacher"].seconds is None


def test_people_are_timed_from_grade_to_grade_of_one_assessor_without_breaks() -> None:
    at = [0, 10, 30, 4000, 4030, 5]
    reviews = pl.DataFrame(
        {
            "assessor": [*["ana"] * 5, "ben"],
            "reviewed_at": [NOON + timedelta(seconds=second) for second in at],
        },
        schema_overrides={"reviewed_at": pl.Datetime("us", "UTC")},
    )
    people = costs(teacher(1), reviews, person_usd_per_hour=36)["people"]
    assert (people.seconds, people.usd, people.n_labels) == (20_000, 200, 3)


def test_a_ratio_needs_both_sides() -> None:
    known, unknown = (LabelingCost("teacher", 1.0, 9.0, 1), LabelingCost("student", None, None, 0))
    assert cost_sentences([known, unknown]) == []
