"""What was understood of a new corpus: counts, samples and languages.

What belongs here: looking at all documents once. What does not: finding problems (corpus/check.py), and
printing.
"""

from collections import Counter
from dataclasses import dataclass, field

import numpy as np
import polars as pl

from relabel_assets.corpus.folder import CorpusFolder, Counts
from relabel_assets.corpus.hygiene.language import language
from relabel_assets.errors import Problem
from relabel_assets.progress import Progress, silent

_SAMPLES = 3
_LANGUAGES_OF = 1000  # documents: their languages take a third of a second
_START_CHARACTERS = 200


@dataclass(frozen=True)
class Sample:
    """A document as it was read: its id, title, date, author and the start of its text."""

    doc_id: str
    title: str | None
    updated_at: str | None
    author: str | None
    start: str


@dataclass
class Overview:
    """A corpus in figures. `lengths`: the 50th and 95th percentile and the most characters of a document."""

    counts: Counts
    samples: list[Sample] = field(default_factory=list)
    languages: Counter[str] = field(default_factory=Counter)
    lengths: tuple[int, int, int] = (0, 0, 0)
    n_with_title: int = 0
    n_with_date: int = 0
    n_with_author: int = 0


def overview_of(folder: CorpusFolder, progress: Progress = silent) -> Overview:
    """The overview of a corpus whose documents can be read. Raises CorpusError and ConfigError."""
    problems: list[Problem] = []
    overview = Overview(folder.summary())
    lengths = list[int]()
    for frame in folder.document_batches(problems, progress):
        if len(overview.samples) < _SAMPLES:
            overview.samples += _samples(frame, _SAMPLES - len(overview.samples))
        for title, body in frame.select("title", "body").head(_LANGUAGES_OF - len(lengths)).rows():
            overview.languages[language(title, body) or "not known"] += 1
        lengths += frame["body"].str.len_chars().to_list()
        overview.n_with_title += frame["title"].count()
        overview.n_with_date += frame["updated_at"].count()
        overview.n_with_author += frame["author"].count()
    if lengths:
        middle, long = np.percentile(lengths, (50, 95))
        overview.lengths = (round(middle), round(long), max(lengths))
    return overview


def _samples(frame: pl.DataFrame, n: int) -> list[Sample]:
    return [
        Sample(
            row["doc_id"], row["title"], row["updated_at"], row["author"],
            " ".join(row["body"][:_START_CHARACTERS].split()),
        )
        for row in frame.head(n).iter_rows(named=True)
    ]  # fmt: skip
