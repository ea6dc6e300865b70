"""One corpus folder on disk: its settings, and the rows of its files.

What belongs here: what a corpus has, in one class. What does not: all folders together (folders.py), and the
reading: settings (folder_settings.py), documents (folder_documents.py), queries/ and grades/.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import polars as pl

from relabel_assets.corpus import folder_settings
from relabel_assets.corpus.config.config import CorpusConfig
from relabel_assets.corpus.corpus_files import CorpusFiles
from relabel_assets.corpus.folder_documents import FolderDocuments
from relabel_assets.corpus.grades import grade_files
from relabel_assets.corpus.grades.imported_files import imported_labels
from relabel_assets.corpus.part_files import FILES, name_for_messages
from relabel_assets.corpus.queries import query_file
from relabel_assets.corpus.rows import ReadRows
from relabel_assets.corpus.sources.source import Source
from relabel_assets.errors import Problem
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
    trial_model: str | None = None  # a live teacher in place of any, for an estimate
    cache: Path | None = None  # the folder of what earlier looks at its files found

    @property
    def source(self) -> Source | None:
        """Where the documents live, if corpus.yaml says so; None for documents in the folder."""
        return self._documents.source

    @property
    def files(self) -> CorpusFiles:
        """The files of the folder."""
        return CorpusFiles(self.name, self.path, self.cache)

    @cached_property
    def config(self) -> CorpusConfig:
        """The settings of corpus.yaml. Raises ConfigError for a malformed one."""
        stated = self._stated_config
        return folder_settings.offline(stated) if self.is_offline else stated

    @cached_property
    def _stated_config(self) -> CorpusConfig:
        """The settings of corpus.yaml, as they are written there, with the teacher of a trial."""
        stated = folder_settings.stated_config(self.files)
        return (
            folder_settings.with_teacher(stated, self.trial_model) if self.trial_model else stated
        )

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
        """none, recorded or openai (folder_settings.teacher_kind). Nothing is ever sent for none."""
        return folder_settings.teacher_kind(
            self._stated_config.teacher, has_recorded_labels=self.has_recorded_labels
        )

    def require_teacher(self) -> None:
        """Raises ConfigError where there is no teacher: nothing may be sent."""
        if self.teacher_kind == "none":
            raise folder_settings.no_teacher(self.files)

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
        """Whether the corpus provides the queries that teach and measure."""
        return query_file.has_queries(self.files)

    @property
    def has_recorded_labels(self) -> bool:
        """Whether the corpus has grades of a recorded teacher."""
        return any(map(self.files.has, FILES["teacher_labels"]))

    def file_of(self, part: str) -> str:
        """The file that messages about a part of part_files.py name, whether it is there or not."""
        return name_for_messages(part, self.files.holding(part))

    def read_text(self, file: str) -> str:
        """The text of a file that corpus.yaml names. Raises ConfigError if it cannot be read."""
        return folder_settings.named_text(self.files, file)

    def optional_text(self, file: str | None) -> str | None:
        """As read_text; None without a file."""
        return self.read_text(file) if file else None

    def documents(self, progress: Progress = silent) -> ReadRows:
        """The documents: the columns of seed_docs without corpus, by doc_id. All are in memory.

        Raises CorpusError as document_batches.
        """
        return self._documents.rows(progress)

    def document_ids(self, progress: Progress = silent) -> ReadRows:
        """The doc_id of each of `documents`, for who needs no texts: there may be more than fit in memory."""
        return self._documents.ids(progress)

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
        notes = [] if notes is None else notes
        yield from self._documents.batches(problems, notes, progress)

    @property
    def _documents(self) -> FolderDocuments:
        return FolderDocuments(self.files, self.config.documents)

    def queries(self) -> ReadRows:
        """The provided queries: query_id, text, intent, seed_doc_id and split. Empty without a file.

        `split` is NULL where neither the file nor BEIR's qrels/ give it. Raises CorpusError for two files.
        """
        provided = query_file.provided_queries(self.files)
        if self.files.beir_qrels:
            judged = grade_files.beir_benchmark_queries(self.files, max_grade=self.rubric.max_grade)
            provided.frame = query_file.with_beir_splits(provided.frame, judged)
        return provided

    def recorded_labels(self) -> ReadRows:
        """Recorded grades: query_id, doc_id, grade, rationale and model. Empty without a file.

        Raises CorpusError for two files.
        """
        return grade_files.recorded_labels(self.files, max_grade=self.rubric.max_grade)

    def reference_labels(self) -> ReadRows:
        """Reference grades: query_id, doc_id, assessor and grade. Empty without a file.

        Of the corpus' own file, and of what `relabel import` wrote into reference_labels/. Raises CorpusError
        for two files of its own.
        """
        return grade_files.reference_labels(self.files, max_grade=self.rubric.max_grade)

    def imported_labels(self) -> ReadRows:
        """The grades of imported labelers, with the columns of IMPORTED. Empty without a file."""
        return imported_labels(self.files, max_grade=self.rubric.max_grade)

    def fingerprint(self, part: str) -> str:
        """SHA-256 of the names and contents of the files of one `part`, and of dates that git gives them."""
        if part in ("documents", "everything"):
            return self._documents.fingerprint(part)
        return self.files.fingerprint(part)

    def summary(self, n_documents: int | None = None) -> Counts:
        """The number of usable rows of each kind. Give `n_documents` where they were read already."""
        queries = self.queries().frame
        if n_documents is None:
            n_documents = self.document_ids().frame.height
        return Counts(
            n_documents=n_documents,
            n_queries=queries.height,
            n_label_queries=queries.filter(pl.col("split") == "label").height,
            n_recorded_labels=self.recorded_labels().frame.height,
            n_reference_labels=self.reference_labels().frame.height,
        )
