"""What was understood of a new corpus: counts, samples and languages.

What belongs here: looking at all documents once. What does not: finding problems (corpus/check.py), and
printing.
"""

from collections import Counter
from dataclasses import dataclass

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


@dataclass(frozen=True)
class Overview:
    """A corpus in figures. `lengths`: the 50th and 95th percentile and the most characters of a document.

    `languages` counts those of the first 1,000 documents.
    """

    counts: Counts
    samples: list[Sample]
    languages: Counter[str]
    lengths: tuple[int, int, int]
    n_with_title: int
    n_with_date: int
    n_with_author: int


def overview_of(folder: CorpusFolder, progress: Progress = silent) -> Overview:
    """The overview of a corpus whose documents can be read. Raises CorpusError and ConfigError."""
    problems: list[Problem] = []
    samples, lengths = list[Sample](), list[int]()
    languages, stated = Counter[str](), Counter[str]()
    for frame in folder.document_batches(problems, progress):
        samples += _samples(frame, _SAMPLES - len(samples))
        n_named = max(0, _LANGUAGES_OF - len(lengths))
        for title, body in frame.select("title", "body").head(n_named).rows():
            languages[language(title, body) or "not known"] += 1
        lengths += frame["body"].str.len_chars().to_list()
        stated.update({name: frame[name].count() for name in ("title", "updated_at", "author")})
    middle, long = np.percentile(lengths or [0], (50, 95))
    return Overview(
        folder.summary(len(lengths)),
        samples,
        languages,
        (round(middle), round(long), max(lengths, default=0)),
        n_with_title=stated["title"],
        n_with_date=stated["updated_at"],
        n_with_author=stated["author"],
    )


def _samples(frame: pl.DataFrame, n: int) -> list[Sample]:
    return [
        Sample(
            row["doc_id"], row["title"], row["updated_at"], row["author"],
            " ".join(row["body"][:_START_CHARACTERS].split()),
        )
        for row in frame.head(n).iter_rows(named=True)
    ]  # fmt: skip
