"""The columns of seed_docs that follow from all documents together, and what they say about the corpus.

What belongs here: putting the parts of this folder together. What does not: each of them (duplicates.py,
language.py, boilerplate.py), and reading the documents (corpus/folder.py).
"""

from collections import Counter
from typing import Any

import polars as pl

from relabel_assets.corpus.config.documents_config import DocumentsConfig
from relabel_assets.corpus.documents import with_bodies
from relabel_assets.corpus.hygiene.boilerplate import Paragraphs, without_paragraphs
from relabel_assets.corpus.hygiene.duplicates import Duplicates
from relabel_assets.corpus.hygiene.language import language
from relabel_assets.intake.text import cut
from relabel_assets.plural import counted
from relabel_assets.progress import Progress, silent

_SHOWN = 10  # clusters or paragraphs in a note: a glance
_SHOWN_CHARACTERS = 200
_ROWS_BETWEEN_REPORTS = 500  # half a second


class DocumentFacts:
    """The facts of a corpus' documents, which are added and then completed, a frame at a time.

    >>> rows = [{"doc_id": d, "title": "Leave", "body": "Ask HR.", "content_hash": "0"} for d in "ba"]
    >>> facts = DocumentFacts(DocumentsConfig())
    >>> facts.add(pl.DataFrame(rows))
    >>> facts.completed(pl.DataFrame(rows))["duplicate_of"].to_list(), facts.notes()[0][:37]
    (['a', None], '1 document with the text of another o')
    """

    def __init__(self, config: DocumentsConfig, progress: Progress = silent) -> None:
        self._config, self._progress = config, progress
        self._n_added = self._n_completed = 0
        self._duplicates, self._paragraphs = Duplicates(), Paragraphs()
        self._languages: Counter[str] = Counter()

    def add(self, documents: pl.DataFrame) -> None:
        """Add `documents` (doc_id, title, body): once, before the first is completed."""
        for part in documents.iter_slices(_ROWS_BETWEEN_REPORTS):
            self._duplicates.add(part)
            self._n_added += part.height
            self._progress("comparing, documents", self._n_added, 0)
        self._paragraphs.add(documents)

    def completed(self, documents: pl.DataFrame) -> pl.DataFrame:
        """`documents` (rows of seed_docs) with `language` and `duplicate_of`.

        With boilerplate: drop, the paragraphs that most documents repeat are left out of their bodies,
        and content_hash is that of what is left.
        """
        if self._config.boilerplate == "drop" and (repeated := {*self._paragraphs.repeated()}):
            documents = with_bodies(
                documents, lambda row: without_paragraphs(row["body"], repeated)
            )
        languages = list[str | None]()
        for part in documents.select("title", "body").iter_slices(_ROWS_BETWEEN_REPORTS):
            languages += [language(title, body) for title, body in part.iter_rows()]
            self._n_completed += part.height
            self._progress("naming languages, documents", self._n_completed, self._n_added)
        self._languages.update(code for code in languages if code)
        return documents.with_columns(
            pl.Series("language", languages, dtype=pl.String),
            self._duplicates.of(documents["doc_id"]),
        )

    def metadata(self) -> dict[str, Any]:
        """What the UI shows of all documents: counts, and the first examples."""
        near, repeated = self._duplicates.near(), self._paragraphs.repeated()
        languages = sorted(self._languages.items(), key=lambda item: (-item[1], item[0]))
        shown: dict[str, Any] = {
            "same_text": self._duplicates.n_same,
            "nearly_same_text": sum(len(cluster) - 1 for cluster in near),
            "repeated_paragraphs": len(repeated),
            "languages": ", ".join(f"{code} {n:,}" for code, n in languages) or "none known",
        }
        if near:
            shown["nearly_same"] = "\n".join(" = ".join(cluster) for cluster in near[:_SHOWN])
        if repeated:
            shown["repeated"] = "\n".join(
                f"{n:,}: {cut(text, _SHOWN_CHARACTERS)}"
                for text, n in list(repeated.items())[:_SHOWN]
            )
        return shown

    def notes(self) -> list[str]:
        """Sentences for `relabel corpora check`. None of them is a problem."""
        notes, near = list[str](), self._duplicates.near()
        if n_same := self._duplicates.n_same:
            documents = counted(n_same, "document")
            notes.append(
                f"{documents} with the text of another one, graded once: duplicate_of in seed_docs."
            )
        if near:
            documents = counted(sum(len(cluster) - 1 for cluster in near), "document")
            example = " and ".join(cut(doc_id, _SHOWN_CHARACTERS) for doc_id in near[0][:2])
            notes.append(
                f"{documents} with nearly the text of another one, such as {example}. Each is graded."
            )
        if (repeated := self._paragraphs.repeated()) and self._config.boilerplate == "keep":
            text, n = next(iter(repeated.items()))
            paragraphs = counted(len(repeated), "paragraph")
            notes.append(
                f"{paragraphs} in over half of the documents, such as {cut(text, 60)!r} in {n:,}. "
                "documents: {boilerplate: drop} in corpus.yaml leaves them out."
            )
        return notes
