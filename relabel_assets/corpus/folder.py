"""One corpus folder on disk: its settings, and the rows of its files.

What belongs here: which rows a corpus has. What does not: all folders together (folders.py), opening
files (corpus_files.py), and parsing the rows of a file (documents.py, queries.py, grades.py).
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import polars as pl

from relabel_assets.corpus import documents
from relabel_assets.corpus.caches.parsed_files import parsed_files
from relabel_assets.corpus.config.config import CorpusConfig
from relabel_assets.corpus.config.config_file import parse_corpus_config
from relabel_assets.corpus.corpus_files import CorpusFiles, is_beir
from relabel_assets.corpus.documents import Document
from relabel_assets.corpus.documents_folder.file_documents import documents_from_files
from relabel_assets.corpus.documents_folder.git_dates import LastChange, last_changes
from relabel_assets.corpus.grades import grades
from relabel_assets.corpus.grades.imported_files import imported_labels, imported_reference
from relabel_assets.corpus.hygiene.shown_metadata import with_shown_metadata
from relabel_assets.corpus.parts import FILES, PLAIN_QRELS, SETTINGS, name_for_messages
from relabel_assets.corpus.queries import queries
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.corpus.sources.source import Source, source_of
from relabel_assets.errors import ConfigError, CorpusError, Problem
from relabel_assets.intake.input_limits import MAX_FIELD_CHARACTERS
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.intake.regular_files import numbered_lines
from relabel_assets.intake.tables.kinds import (
    DOCUMENTS,
    QUERIES,
    REFERENCE_LABELS,
    TEACHER_LABELS,
)
from relabel_assets.intake.text import printable, shown
from relabel_assets.progress import Progress, silent
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.prompts.rubric import Rubric, default_rubric, parse_rubric
from relabel_assets.prompts.teacher_prompts import decisions_prompt, grading_prompt, queries_prompt


@dataclass(frozen=True)
class Counts:
    """How many documents, queries and grades a corpus folder holds."""

    n_documents: int
    n_queries: int
    n_label_queries: int  # of n_queries
    n_recorded_labels: int
    n_reference_labels: int


@dataclass(frozen=True)
class CorpusFolder:
    """One corpus folder. Methods parse its files on each call, so that no rows stay in memory."""

    name: str
    path: Path
    is_offline: bool = False  # sets teacher.mode to offline, whatever corpus.yaml says
    cache: Path | None = None  # the folder of what earlier looks at its files found

    @property
    def source(self) -> Source | None:
        """Where the documents live, if corpus.yaml says so; None for documents in the folder."""
        return source_of(self.name, self.path, self.config.documents, self.cache)

    @property
    def files(self) -> CorpusFiles:
        """The files of the folder."""
        return CorpusFiles(self.name, self.path, self.cache)

    @cached_property
    def config(self) -> CorpusConfig:
        """The settings of corpus.yaml. Raises ConfigError for a malformed one."""
        config = self._stated_config
        if self.is_offline:
            teacher = config.teacher.model_copy(update={"mode": "offline"})
            return config.model_copy(update={"teacher": teacher})
        return config

    @cached_property
    def _stated_config(self) -> CorpusConfig:
        """The settings of corpus.yaml, as they are written there."""
        file = self.files.settings
        text = self.files.text(file) if file else ""
        config = parse_corpus_config(text, file=f"{self.name}/{file or SETTINGS[0]}")
        if config.name not in (None, self.name):
            raise ConfigError(
                f"{self.name}/{file}: name is {config.name!r}, and the folder is "
                f"{self.name!r}. Rename one of them, or leave name out."
            )
        return config

    @cached_property
    def rubric(self) -> Rubric:
        """The corpus' own rubric, or the project's. Raises ConfigError for a malformed one."""
        file = self.config.rubric
        if file is None:
            return default_rubric()
        return parse_rubric(self.read_text(file), file=f"{self.name}/{file}")

    @cached_property
    def grading_prompt(self) -> Prompt:
        """The corpus' own grading prompt, or the project's. Raises ConfigError for a malformed one."""
        file = self.config.teacher.prompt
        parse = decisions_prompt if self.config.teacher.api == "decisions" else grading_prompt
        return parse(self.optional_text(file), file=f"{self.name}/{file}")

    @cached_property
    def queries_prompt(self) -> Prompt:
        """The corpus' own queries prompt, or the project's. Raises ConfigError for a malformed one."""
        file = self.config.queries.prompt
        return queries_prompt(self.optional_text(file), file=f"{self.name}/{file}")

    @property
    def teacher_kind(self) -> str:
        """none, recorded or openai. Default: recorded if there are recorded grades.

        Without them it is openai where corpus.yaml has any setting of a teacher. Nothing is ever sent for
        none.
        """
        teacher = self._stated_config.teacher
        if teacher.kind or self.has_recorded_labels:
            return teacher.kind or "recorded"
        return "openai" if teacher.is_named else "none"

    def require_teacher(self) -> None:
        """Raises ConfigError where there is no teacher: nothing may be sent."""
        if self.teacher_kind == "none":
            raise ConfigError(
                f"corpus {self.name!r} has no teacher, so nothing is sent. Name one in "
                f"{self.name}/{self.files.settings or SETTINGS[0]}, such as "
                "teacher: {kind: openai, model: gpt-4o-mini, budget_usd: 5}, or put grades in "
                "teacher_labels.jsonl."
            )

    @property
    def teacher_inputs(self) -> dict[str, object]:
        """What the teacher's grades depend on, beside the pairs. A recorded teacher's prompt is a note.

        The number of probes changes no grade of a candidate.
        """
        kind, prompt = self.teacher_kind, None
        teacher = self.config.teacher.model_dump(mode="json", exclude={"probes"})
        if kind == "openai":
            prompt = self.optional_text(self.config.teacher.prompt)
        return {"kind": kind, "teacher": teacher, "rubric": self.rubric, "prompt": prompt}

    @cached_property
    def has_queries(self) -> bool:
        """Whether the corpus provides the queries that teach and measure.

        A file of label queries alone provides none. One with a row that cannot be used may.
        """
        file = self.files.holding("queries")
        if file is None:
            return False
        problems, n_label = list[Problem](), 0
        with self.files.table(file, QUERIES, problems, []) as rows:
            for _, row in rows:
                if row.get("split") != "label":
                    return True
                n_label += 1
        return bool(problems) or not n_label

    @property
    def has_recorded_labels(self) -> bool:
        """Whether the corpus has grades of a recorded teacher."""
        return any(map(self.files.has, FILES["teacher_labels"]))

    def file_of(self, part: str) -> str:
        """The file that messages about a part of parts.py name, whether it is there or not."""
        return name_for_messages(part, self.files.holding(part))

    def read_text(self, file: str) -> str:
        """The text of a file that corpus.yaml names. Raises ConfigError if it cannot be read."""
        try:
            return self.files.text(file)
        except ConfigError as error:
            raise ConfigError(f"{self.name}/corpus.yaml names {shown(file)}. {error}") from error

    def optional_text(self, file: str | None) -> str | None:
        """As read_text; None without a file."""
        return self.read_text(file) if file else None

    def documents(self, progress: Progress = silent) -> ReadRows:
        """The documents: the columns of seed_docs without corpus, by doc_id. All are in memory.

        Raises CorpusError as document_batches.
        """
        problems: list[Problem] = []
        notes: list[str] = []
        frames = self.document_batches(problems, progress, notes)
        frame = pl.concat([documents.empty_frame(), *frames], rechunk=True)
        return ReadRows(frame.sort("doc_id"), problems, notes)

    def document_ids(self, progress: Progress = silent) -> ReadRows:
        """The doc_id of each of `documents`, for who needs no texts: there may be more than fit in memory."""
        problems, notes = list[Problem](), list[str]()
        frames = [
            frame.select("doc_id") for frame in self.document_batches(problems, progress, notes)
        ]
        frame = pl.concat([documents.empty_frame().select("doc_id"), *frames])
        return ReadRows(frame.sort("doc_id"), problems, notes)

    def document_batches(
        self,
        problems: list[Problem],
        progress: Progress = silent,
        notes: list[str] | None = None,
    ) -> Iterator[pl.DataFrame]:
        """The documents in frames of some thousand, in the order of the files. Others are `problems`.

        `notes` gets sentences on how a table was read.

        Raises CorpusError for a folder with no source of documents, or with more than one.
        """
        sources = self.files.document_sources()
        sources += [self.config.documents.source] if self.config.documents.source else []
        if len(sources) != 1:
            raise CorpusError(
                f"corpus {self.name!r}: documents must be in one of documents/, documents.jsonl, "
                f"documents.csv and the like; it has {' and '.join(sources) or 'none'}. "
                + ("Keep one of them." if sources else f"Put files in {self.name}/documents/.")
            )
        (source,) = sources
        notes = [] if notes is None else notes
        rows = self._documents(source, problems, notes, progress)
        shown = self.config.documents.show
        yield from with_shown_metadata(documents.frames_of(rows), shown, notes)

    def _documents(
        self, source: str, problems: list[Problem], notes: list[str], progress: Progress
    ) -> Iterator[Document]:
        """The documents of the folder documents/, of a file of rows, or of where corpus.yaml says."""
        if self.source is not None:
            yield from self.source.documents(problems, notes, progress)
            return
        if source == "documents":
            files = self.files.document_files(problems, progress)
            changes = self._last_changes(problems)
            with parsed_files(self.cache) as read:
                yield from documents_from_files(
                    files, folder=source, problems=problems, changes=changes, read=read
                )
            return
        with self.files.table(source, DOCUMENTS, problems, notes, progress) as rows:
            yield from documents.documents_from_rows(rows, file=source, problems=problems)

    def _last_changes(self, problems: list[Problem]) -> dict[str, LastChange]:
        """The last change of each file of documents/ by git, where documents.git_dates is on."""
        if self.config.documents.git_dates:
            with costs_itself(problems, "corpus.yaml"):
                return last_changes(self.path / "documents", self.files.document_names())
        return {}

    def queries(self) -> ReadRows:
        """The provided queries: query_id, text, intent, seed_doc_id and split. Empty without a file.

        `split` is NULL where neither the file nor BEIR's qrels/ give it. Raises CorpusError for two files.
        """
        problems, notes = list[Problem](), list[str]()
        file = self.files.holding("queries")
        with self.files.table(file, QUERIES, problems, notes) as rows:
            provided = queries.queries_from_rows(rows, file=file or "", problems=problems)
        provided.notes = notes
        if self.files.beir_qrels:
            judged = self._beir_benchmark_queries()
            is_benchmark = pl.col("split").is_null() & pl.col("query_id").is_in(judged)
            provided.frame = provided.frame.with_columns(
                split=pl.when(is_benchmark)
                .then(pl.lit("benchmark"))
                .otherwise(pl.col("split").fill_null("train"))
            )
        return provided

    def recorded_labels(self) -> ReadRows:
        """Recorded grades: query_id, doc_id, grade, rationale and model. Empty without a file.

        Raises CorpusError for two files.
        """
        problems, notes = list[Problem](), list[str]()
        file, max_grade = self.files.holding("teacher_labels"), self.rubric.max_grade
        with self.files.table(file, TEACHER_LABELS, problems, notes) as rows:
            recorded = grades.recorded_from_rows(
                rows, file=file or "", max_grade=max_grade, problems=problems
            )
        recorded.notes = notes
        return recorded

    def reference_labels(self) -> ReadRows:
        """Reference grades: query_id, doc_id, assessor and grade. Empty without a file.

        Of the corpus' own file, and of what `relabel import` wrote into reference_labels/. Raises CorpusError
        for two files of its own.
        """
        file = self.files.holding("reference_labels")
        files = [file] if file else self.files.beir_qrels
        problems, notes = list[Problem](), list[str]()
        frames = [pl.DataFrame(schema=grades.REFERENCE)]
        frames += [self._qrels(file, problems, notes) for file in files]
        imported = imported_reference(self.files, max_grade=self.rubric.max_grade)
        frames.append(imported.frame)
        problems += imported.problems
        key = ["query_id", "doc_id", "assessor"]
        labels_once = pl.concat(frames).unique(key, keep="first", maintain_order=True)
        return ReadRows(labels_once, problems, notes)

    def imported_labels(self) -> ReadRows:
        """The grades of imported labelers, with the columns of IMPORTED. Empty without a file."""
        return imported_labels(self.files, max_grade=self.rubric.max_grade)

    def fingerprint(self, part: str) -> str:
        """SHA-256 of the names and contents of the files of one `part`, and of dates that git gives them."""
        if part == "documents" and self.source is not None:
            return self.source.fingerprint()
        of_files = self.files.fingerprint(part)
        if part not in ("documents", "everything") or not self.config.documents.git_dates:
            return of_files
        changes = sorted(self._last_changes([]).items())
        return hashlib.sha256(f"{of_files} {changes}".encode("utf-8", "replace")).hexdigest()

    def summary(self) -> Counts:
        """The number of usable rows of each kind."""
        queries = self.queries().frame
        return Counts(
            n_documents=self.document_ids().frame.height,
            n_queries=queries.height,
            n_label_queries=queries.filter(pl.col("split") == "label").height,
            n_recorded_labels=self.recorded_labels().frame.height,
            n_reference_labels=self.reference_labels().frame.height,
        )

    def _beir_benchmark_queries(self) -> list[str]:
        """The queries with a grade in BEIR's test split, or in its first split without that."""
        files = self.files.beir_qrels
        file = "qrels/test.tsv" if "qrels/test.tsv" in files else files[0]
        return self._qrels(file, [], [])["query_id"].unique().to_list()

    def _qrels(self, file: str, problems: list[Problem], notes: list[str]) -> pl.DataFrame:
        """The reference grades of one file: a table, or lines of TREC or BEIR."""
        max_grade, shown_name = self.rubric.max_grade, printable(file)
        if not is_beir(file) and not self._is_plain_qrels(file):
            with self.files.table(file, REFERENCE_LABELS, problems, notes) as rows:
                return grades.reference_from_rows(
                    rows, file=shown_name, max_grade=max_grade, problems=problems
                ).frame
        with self.files.opened(file) as opened:
            return grades.reference_from_qrels(
                numbered_lines(opened),
                file=shown_name,
                max_grade=max_grade,
                problems=problems,
                is_beir=is_beir(file),
            ).frame

    def _is_plain_qrels(self, file: str) -> bool:
        """Whether a file is TREC's, by its ending; of qrels.tsv, by its first line."""
        if not file.endswith(".tsv"):
            return PurePosixPath(file).suffix in PLAIN_QRELS
        with self.files.opened(file) as opened:
            return grades.is_trec(opened.readline(MAX_FIELD_CHARACTERS))
