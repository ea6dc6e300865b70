"""A student and a set of labels as folders of the hub's shape: student/ and labels/.

What belongs here: which files they have. What does not: their cards (cards.py), and sending (sending.py).
"""

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.errors import ConfigError, StudentError
from relabel_assets.exchange.formats.plain_tables import flat
from relabel_assets.exchange.hub.cards import Facts, dataset_card, model_card
from relabel_assets.intake.one_input import reason_of

STUDENT, LABELS = "student", "labels"
_CARD = "README.md"
_FILE_ROWS = 500_000  # documents a file
# A late-interaction student's vectors and word counts of the corpus' documents.
_EVIDENCE = "evidence.safetensors"


@dataclass(frozen=True)
class Package:
    """What is pushed. `student` is the row of student_model, and `source` its folder; None: no student.

    `labels` has the columns of JUDGMENTS; None: no labels.
    """

    facts: Facts
    documents: Callable[[], Iterator[pl.DataFrame]]
    student: Mapping[str, Any] | None = None
    source: Path | None = None
    labels: pl.DataFrame | None = None

    @property
    def knows_corpus(self) -> bool:
        """Whether the student's files hold vectors and word counts of the documents."""
        return self.source is not None and (self.source / _EVIDENCE).exists()

    def require_shareable(self) -> None:
        """Raise ConfigError for a student from which parts of the documents can be guessed."""
        if self.knows_corpus and not self.facts.has_texts:
            raise ConfigError(
                f"the student holds vectors and word counts of the documents ({_EVIDENCE}), from which parts "
                "of their texts can be guessed. Nothing was sent. Push the labels alone (--only labels), or "
                "say that the texts may leave (--with-texts)."
            )

    def write(self, folder: Path) -> None:
        """Write student/ and labels/ into `folder`. Raises StudentError."""
        if self.student is not None and self.source is not None:
            known = self.knows_corpus
            place = folder / STUDENT
            write_student(place, self.source, self.facts, self.student, knows_corpus=known)
        if self.labels is not None:
            write_labels(folder / LABELS, self.labels, self.facts, self.documents)


def write_student(
    folder: Path, source: Path, facts: Facts, student: Mapping[str, Any], *, knows_corpus: bool
) -> None:
    """Copy the student in `source` into `folder`, with its card. Raises StudentError without one.

    >>> import tempfile
    >>> facts = Facts("demo", "", "", pl.DataFrame({"slice": [], "metric": []}), False)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     source = Path(name) / "s1"
    ...     source.mkdir()
    ...     _ = (source / "README.md").write_text("# Student s1")
    ...     write_student(Path(name) / "out", source, facts, {"base_model": "x"}, knows_corpus=False)
    ...     (Path(name) / "out" / "README.md").read_text().startswith("---")
    True
    """
    try:
        existing = (source / _CARD).read_text(encoding="utf-8")
        shutil.copytree(source, folder, ignore=shutil.ignore_patterns(_CARD))
    except (OSError, shutil.Error, UnicodeDecodeError) as error:
        message = f"the student in {source} cannot be copied: {reason_of(error)}."
        raise StudentError(message) from error
    card = model_card(existing, facts, student, knows_corpus=knows_corpus)
    (folder / _CARD).write_text(card, encoding="utf-8")


def write_labels(
    folder: Path,
    labels: pl.DataFrame,
    facts: Facts,
    documents: Callable[[], Iterator[pl.DataFrame]],
) -> None:
    """Write `labels`, with the columns of JUDGMENTS, as a file a split, and their card.

    The titles and texts of documents are left out, unless `facts` has_texts: then `documents` gives them.

    >>> import tempfile
    >>> from relabel_assets.exchange.judgments import judgments_frame
    >>> labels = judgments_frame([{"query_id": "q", "doc_id": "d", "grade": 2, "split": "train"}])
    >>> facts = Facts("demo", "", "", pl.DataFrame({"slice": [], "metric": []}), False)
    >>> with tempfile.TemporaryDirectory() as name:
    ...     write_labels(Path(name) / "labels", labels, facts, lambda: iter(()))
    ...     [file.name for file in (Path(name) / "labels" / "data").iterdir()]
    ['train.parquet']
    """
    (folder / "data").mkdir(parents=True)
    rows = flat(labels).rename({"text": "query"}).drop("title")
    names = []
    for split in rows["split"].unique().sort():
        names.append(f"data/{split}.parquet")
        rows.filter(split=split).drop("split").write_parquet(folder / names[-1])
    if facts.has_texts:
        _write_documents(folder, documents)
    (folder / _CARD).write_text(dataset_card(facts, labels, names), encoding="utf-8")


def _write_documents(folder: Path, documents: Callable[[], Iterator[pl.DataFrame]]) -> None:
    """documents/N.parquet: doc_id, title and body."""
    (folder / "documents").mkdir()
    pending, n_rows, number = list[pl.DataFrame](), 0, 0
    for frame in documents():
        pending.append(frame.select("doc_id", "title", "body"))
        n_rows += frame.height
        if n_rows >= _FILE_ROWS:
            pl.concat(pending).write_parquet(folder / "documents" / f"{number}.parquet")
            pending, n_rows, number = [], 0, number + 1
    if pending:
        pl.concat(pending).write_parquet(folder / "documents" / f"{number}.parquet")
