"""A run of a corpus that people reviewed, without a qrels file."""

from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from relabel_assets.review.draws.draw import draw_sample
from relabel_assets.review.draws.strata import pool_of
from relabel_assets.review.review import Review, content_hash
from relabel_assets.review.samples import read_samples
from relabel_assets.review.store import append_review
from relabel_assets.running import runner
from relabel_assets_tests.builders import make

pytestmark = pytest.mark.slow

PAIR = ["query_id", "doc_id"]
TABLES = ["seed_docs", "synthetic_queries", "reference_labels", "bm25_candidates", "review_samples"]


def draw(reviews: Path, candidates: pl.DataFrame) -> None:
    """A sample of the benchmark pairs, from a student that gives each document the grade 1."""
    pool = candidates.filter(pl.col("query_id").is_in(["q12", "q13", "q14", "q15"])).select(PAIR)
    graded = pool.with_columns(
        grade=1, expected_grade=1.0, grade_probs=pl.lit([0.2, 0.6, 0.2], pl.List(pl.Float64))
    )
    draw_sample(reviews, pool_of(pool, graded, graded.select(*PAIR, "grade")), n=10)


def test_reviews_are_reference_labels_with_the_chance_of_their_pair_and_bring_no_candidate(
    home: Path,
) -> None:
    (home / "data" / "tiny" / "reference_labels.qrels").unlink()
    reviews = home / "data" / "tiny" / "reviews"
    assert make(*TABLES).is_success  # type: ignore[union-attr]
    _, warehouse = runner.from_environment()
    before = warehouse.read("bm25_candidates", "tiny")
    draw(reviews, before)
    pair = read_samples(reviews).row(0, named=True)
    query, document = (
        warehouse.texts("tiny", name, pl.Series([pair[name]])).row(0, named=True) for name in PAIR
    )
    at = datetime(2026, 5, 4, tzinfo=UTC)
    given = {"grade": 2, "content_hash": content_hash(query["text"], document)}
    review = Review("grade", pair["query_id"], pair["doc_id"], "ana", at, **given)  # type: ignore[arg-type]
    append_review(reviews, review)
    assert make(*TABLES).is_success  # type: ignore[union-attr]
    assert warehouse.read("review_samples", "tiny").height == 10
    columns = ["assessor", "grade", "kind", "reviewed_at", "inclusion_prob"]
    (row,) = warehouse.read("reference_labels", "tiny").select(*PAIR, *columns).rows()
    chance = pair["inclusion_prob"]
    assert row == (pair["query_id"], pair["doc_id"], "ana", 2, "human", at, chance)
    assert warehouse.read("bm25_candidates", "tiny").equals(before)
    assert make(*TABLES) is None
