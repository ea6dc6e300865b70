"""One corpus folder on disk: its settings, its files and their rows.

What belongs here: finding, opening and fingerprinting files. What does not: all folders together
(folders.py), and parsing the rows of a file (documents.py, queries.py, grades.py).
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import polars as pl

from relabel_assets.corpus import documents, grades, queries
from relabel_assets.corpus.config import CorpusConfig
from relabel_assets.corpus.config_file import parse_corpus_config
from relabel_assets.corpus.rows import ReadRows, json_objects
from relabel_assets.errors import ConfigError, CorpusError, Problem
from relabel_assets.prompts.prompt import Prompt
from relabel_assets.prompts.rubric import Rubric, default_rubric, parse_rubric
from relabel_assets.prompts.teacher_prompts import grading_prompt, queries_prompt

_DOCUMENT_FILES = ("documents.jsonl", "documents.csv", "documents.parquet", "corpus.jsonl")
# Pictures, styles and scripts of web pages: they are skipped without a problem.
_QUIET_SUFFIXES = (".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".ico", ".css", ".js")
# Not measured: some 26,000 pages. A log or a dump with the suffix .txt would fill the memory.
_MAX_FILE_BYTES = 64 * 1024 * 1024


@dataclass(frozen=True)
class Counts:
    """How many documents, queries and grades a corpus folder holds."""

    n_documents: int
    n_queries: int
    n_recorded_labels: int
    n_reference_labels: int


@dataclass(frozen=True)
class CorpusFolder:
    """One corpus folder. Methods parse its files on each call, so that no rows stay in memory."""

    name: str
    path: Path
    is_offline: bool = False  # sets teacher.mode to offline, whatever corpus.yaml says

    @cached_property
    def config(self) -> CorpusConfig:
        """The settings of corpus.yaml. Raises ConfigError for a malformed one."""
        text = self._text("corpus.yaml") if (self.path / "corpus.yaml").is_file() else ""
        config = parse_corpus_config(text, file=f"{self.name}/corpus.yaml")
        if config.name not in (None, self.name):
            raise ConfigError(
                f"{self.name}/corpus.yaml: name is {config.name!r}, and the folder is "
                f"{self.name!r}. Rename one of them, or leave name out."
            )
        if self.is_offline:
            teacher = config.teacher.model_copy(update={"mode": "offline"})
            return config.model_copy(update={"teacher": teacher})
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
        return grading_prompt(self.optional_text(file), file=f"{self.name}/{file}")

    @cached_property
    def queries_prompt(self) -> Prompt:
        """The corpus' own queries prompt, or the project's. Raises ConfigError for a malformed one."""
        file = self.config.queries.prompt
        return queries_prompt(self.optional_text(file), file=f"{self.name}/{file}")

    @property
    def teacher_kind(self) -> str:
        """recorded or openai. Default: recorded if there are recorded grades."""
        return self.config.teacher.kind or ("recorded" if self.has_recorded_labels else "openai")

    @property
    def has_queries(self) -> bool:
        """Whether the corpus provides its queries."""
        return (self.path / "queries.jsonl").is_file()

    @property
    def has_recorded_labels(self) -> bool:
        """Whether the corpus has grades of a recorded teacher."""
        return (self.path / "teacher_labels.jsonl").is_file()

    def read_text(self, file: str) -> str:
        """The text of a file that corpus.yaml names. Raises ConfigError if it is not in the folder."""
        path = (self.path / file).resolve()
        if not path.is_relative_to(self.path.resolve()):
            raise ConfigError(
                f"{self.name}/corpus.yaml: {file!r} is outside the corpus folder. "
                "Copy it into the folder."
            )
        if not path.is_file():
            raise ConfigError(
                f"{self.name}/corpus.yaml: there is no file {file!r} in the corpus folder."
            )
        return self._text(file)

    def optional_text(self, file: str | None) -> str | None:
        """As read_text; None without a file."""
        return self.read_text(file) if file else None

    def documents(self) -> ReadRows:
        """The documents: the columns of seed_docs without corpus.

        Raises CorpusError for a folder with no source of documents, or with more than one.
        """
        sources = self._document_sources()
        if len(sources) != 1:
            raise CorpusError(
                f"corpus {self.name!r}: documents must be in one of documents/, "
                f"{', '.join(_DOCUMENT_FILES)}; it has {' and '.join(sources) or 'none'}."
            )
        (source,) = sources
        problems: list[Problem] = []
        if source == "documents":
            files = self._document_files(problems)
            return documents.documents_from_files(files, folder=source, problems=problems)
        is_json = source.endswith(".jsonl")
        rows = self._json_rows(source, problems) if is_json else self._table_rows(source)
        return documents.documents_from_rows(rows, file=source, problems=problems)

    def queries(self) -> ReadRows:
        """The provided queries: query_id, text, intent, seed_doc_id and split. Empty without a file.

        `split` is NULL where neither the file nor BEIR's qrels/ give it.
        """
        problems: list[Problem] = []
        rows = self._json_rows("queries.jsonl", problems) if self.has_queries else []
        provided = queries.queries_from_rows(rows, file="queries.jsonl", problems=problems)
        if self._beir_qrels:
            judged = self._beir_benchmark_queries()
            is_benchmark = pl.col("split").is_null() & pl.col("query_id").is_in(judged)
            provided.frame = provided.frame.with_columns(
                split=pl.when(is_benchmark)
                .then(pl.lit("benchmark"))
                .otherwise(pl.col("split").fill_null("train"))
            )
        return provided

    def recorded_labels(self) -> ReadRows:
        """Recorded grades: query_id, doc_id, grade, rationale and model. Empty without a file."""
        problems: list[Problem] = []
        rows = self._json_rows("teacher_labels.jsonl", problems) if self.has_recorded_labels else []
        return grades.recorded_from_rows(
            rows, file="teacher_labels.jsonl", max_grade=self.rubric.max_grade, problems=problems
        )

    def reference_labels(self) -> ReadRows:
        """Reference grades: query_id, doc_id, assessor and grade. Empty without a file."""
        has_trec_file = (self.path / "reference_labels.qrels").is_file()
        files = ["reference_labels.qrels"] if has_trec_file else self._beir_qrels
        problems: list[Problem] = []
        frames = [pl.DataFrame(schema=grades.REFERENCE)]
        for file in files:
            with (self.path / file).open("rb") as lines:
                labels = grades.reference_from_qrels(
                    lines,
                    file=file,
                    max_grade=self.rubric.max_grade,
                    problems=problems,
                    is_beir=file.endswith(".tsv"),
                )
            frames.append(labels.frame)
        key = ["query_id", "doc_id", "assessor"]
        labels_once = pl.concat(frames).unique(key, keep="first", maintain_order=True)
        return ReadRows(labels_once, problems)

    def fingerprint(self, part: str) -> str:
        """SHA-256 of the names and contents of the files of one `part`.

        Parts: documents, queries, teacher_labels, reference_labels and everything.
        """
        patterns = {
            "documents": ("documents/**/*", *_DOCUMENT_FILES),
            "queries": ("queries.jsonl",),
            "teacher_labels": ("teacher_labels.jsonl",),
            "reference_labels": ("reference_labels.qrels", "qrels/*.tsv"),
            "everything": ("**/*",),
        }[part]
        digest = hashlib.sha256()
        paths = {path for pattern in patterns for path in self.path.glob(pattern)}
        for file in sorted(path for path in paths if path.is_file()):
            with file.open("rb") as content:
                inner = hashlib.file_digest(content, "sha256").hexdigest()
            digest.update(f"{file.relative_to(self.path).as_posix()}\0{inner}\n".encode())
        return digest.hexdigest()

    def summary(self) -> Counts:
        """The number of usable rows of each kind."""
        contents = (
            self.documents(),
            self.queries(),
            self.recorded_labels(),
            self.reference_labels(),
        )
        return Counts(*(rows.frame.height for rows in contents))

    @property
    def _beir_qrels(self) -> list[str]:
        """BEIR's files of reference grades, one for each split."""
        return [f"qrels/{file.name}" for file in sorted((self.path / "qrels").glob("*.tsv"))]

    def _beir_benchmark_queries(self) -> list[str]:
        """The queries with a grade in BEIR's test split, or in its first split without that."""
        files = self._beir_qrels
        file = "qrels/test.tsv" if "qrels/test.tsv" in files else files[0]
        with (self.path / file).open("rb") as lines:
            labels = grades.reference_from_qrels(
                lines, file=file, max_grade=self.rubric.max_grade, problems=[], is_beir=True
            )
        return labels.frame["query_id"].unique().to_list()

    def _document_sources(self) -> list[str]:
        """The folder and files that may hold the documents; a usable corpus has one."""
        sources = [file for file in _DOCUMENT_FILES if (self.path / file).is_file()]
        return (["documents"] if (self.path / "documents").is_dir() else []) + sources

    def _document_files(self, problems: list[Problem]) -> Iterator[tuple[str, bytes]]:
        """Each usable file of documents/: (path under it, content). Others are added to `problems`."""
        root = (self.path / "documents").resolve()
        for file in sorted(root.rglob("*")):
            relative = file.relative_to(root)
            is_hidden = any(part.startswith(".") for part in relative.parts)
            if is_hidden or not file.is_file() or file.suffix.lower() in _QUIET_SUFFIXES:
                continue
            fault = _fault(file, root)
            if fault is None:
                yield relative.as_posix(), file.read_bytes()
            else:
                problems.append(Problem(f"documents/{relative.as_posix()}", None, *fault))

    def _json_rows(
        self, file: str, problems: list[Problem]
    ) -> Iterator[tuple[int, dict[str, Any]]]:
        with (self.path / file).open("rb") as lines:
            yield from json_objects(lines, file=file, problems=problems)

    def _table_rows(self, file: str) -> Iterable[tuple[int, dict[str, Any]]]:
        """The rows of a CSV or Parquet file, each with its line or row number."""
        path = self.path / file
        try:
            if file.endswith(".csv"):  # line 1 is the header
                rows = pl.read_csv(path, infer_schema=False).iter_rows(named=True)
                return enumerate(rows, start=2)
            return enumerate(pl.read_parquet(path).iter_rows(named=True), start=1)
        except (pl.exceptions.PolarsError, OSError) as error:
            raise CorpusError(f"{self.name}/{file} cannot be read: {error}") from error

    def _text(self, file: str) -> str:
        try:
            return (self.path / file).read_text(encoding="utf-8-sig")
        except (UnicodeDecodeError, OSError) as error:
            message = f"{self.name}/{file}: cannot be read as UTF-8 text ({error})."
            raise ConfigError(message) from error


def _fault(file: Path, root: Path) -> tuple[str, str] | None:
    """Message and remedy for a file under `root` that cannot be a document; None for one that can."""
    if file.suffix.lower() not in documents.TEXT_SUFFIXES:
        allowed = ", ".join(documents.TEXT_SUFFIXES)
        return f"{file.suffix or 'no suffix'} is not read.", f"Formats: {allowed}."
    if not file.resolve().is_relative_to(root):
        return "it is a link out of the corpus.", "Copy the file into the corpus."
    n_bytes = file.stat().st_size
    if n_bytes > _MAX_FILE_BYTES:
        return f"it has {n_bytes:,} bytes.", f"At most {_MAX_FILE_BYTES:,}."
    return None
