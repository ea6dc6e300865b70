"""One draw of a corpus: its sample is brought to a size, and written if anything changed.

What belongs here: the order of reading, drawing and writing, under a lock. What does not: which pairs are
drawn (sampling.py, query_sampling.py), and reading the tables of the pool (running/review_pool.py).
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import filelock
import polars as pl

from relabel_assets.errors import CorpusError
from relabel_assets.review.draws.query_sampling import draw_queries
from relabel_assets.review.draws.sampling import draw_pairs
from relabel_assets.review.samples import FOLDER, last_draw, read_frame, write_frame

_PAIR = ["query_id", "doc_id"]
_WAIT_S = 10  # another draw takes a second or two


@dataclass(frozen=True)
class Draw:
    """What a draw did. `strata` has a row a stratum: stratum, n_stratum, n_drawn, and the mean chance."""

    strata: pl.DataFrame
    by: str
    n_pool: int
    n_wanted: int
    n_drawn: int
    n_new: int  # pairs drawn now
    n_joined: int  # pairs that joined the pool after an earlier draw
    n_left: int  # pairs that left it
    file: Path | None  # None where nothing changed


def draw_sample(
    reviews: Path, pool: pl.DataFrame, *, n: int, more: int | None = None, by: str | None = None
) -> Draw:
    """Bring the sample in the folder `reviews` of a corpus to `n` pairs of `pool`, or to `more` than it has.

    `by`: pair or query; None is that of the last draw, and pair at first. Nothing is written if the sample
    has as many already and the pool is the same. Raises CorpusError for a damaged sample, for another `by`
    than before, and while another draw is at work.

    >>> import tempfile
    >>> parts = ("by_grade", "by_teacher", "by_place", "by_confidence")
    >>> pool = pl.DataFrame({"query_id": "q", "doc_id": [f"d{i}" for i in range(10)], "need": 1.0})
    >>> pool = pool.with_columns(pl.lit("").alias(part) for part in parts)
    >>> with tempfile.TemporaryDirectory() as reviews:
    ...     [draw_sample(Path(reviews), pool, n=4).n_new for _ in range(2)]
    [4, 0]
    """
    folder = reviews / FOLDER
    try:
        folder.mkdir(parents=True, exist_ok=True)
        if not folder.resolve().is_relative_to(reviews.parent.resolve()):
            raise CorpusError(f"{folder} is a link out of the corpus. Put a folder in its place.")
        with filelock.FileLock(folder / ".lock", timeout=_WAIT_S):
            return _draw(reviews, pool, n, more, by)
    except filelock.Timeout as error:
        raise CorpusError(f"another draw is at work in {folder}. Run this again.") from error
    except OSError as error:
        raise CorpusError(
            f"the sample cannot be written to {folder}: {error.strerror}. Make the folder writable."
        ) from error


def _draw(reviews: Path, pool: pl.DataFrame, n: int, more: int | None, by: str | None) -> Draw:
    before = read_frame(reviews)
    design = before["by"][0] if before.height else by or "pair"
    if by not in (None, design):
        raise CorpusError(
            f"the sample in {reviews / FOLDER} was drawn by {design}, and chances of both kinds cannot be "
            f"joined. Leave --by out, or move that folder away and draw again: grades are kept."
        )
    present = before.filter("is_drawn").join(pool, on=_PAIR, how="semi")
    n_wanted = n if more is None else present.height + more
    draw_of = draw_pairs if design == "pair" else draw_queries
    after = draw_of(
        before,
        pool,
        n=n_wanted,
        drawn_at=datetime.now(UTC).isoformat(timespec="seconds"),
        draw=last_draw(reviews) + 1,
    ).sort(_PAIR)
    drawn = after.filter("is_drawn")
    is_changed = not after.equals(before.select(after.columns).sort(_PAIR))
    return Draw(
        strata=strata_table(after),
        by=design,
        n_pool=after.height,
        n_wanted=n_wanted,
        n_drawn=drawn.height,
        n_new=drawn.height - present.height,
        n_joined=after.join(before, on=_PAIR, how="anti").height if before.height else 0,
        n_left=before.join(pool, on=_PAIR, how="anti").height,
        file=write_frame(reviews, after) if is_changed else None,
    )


def strata_table(frame: pl.DataFrame) -> pl.DataFrame:
    """A row a stratum of a frame: stratum, n_stratum, n_drawn and the mean inclusion_prob.

    >>> strata_table(read_frame(Path("/nowhere"))).columns
    ['stratum', 'n_stratum', 'n_drawn', 'inclusion_prob']
    """
    return (
        frame.group_by("stratum")
        .agg(
            n_stratum=pl.len(),
            n_drawn=pl.col("is_drawn").sum(),
            inclusion_prob=pl.col("inclusion_prob").mean(),
        )
        .sort("stratum")
    )
