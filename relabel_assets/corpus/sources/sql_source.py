"""The documents that a query of corpus.yaml gives.

What belongs here: when the query is run again, and where its rows are kept meanwhile. What does not: running
it (warehouse/source_query.py), and what makes a row a document (corpus/documents.py).

The rows are kept while the SQL and all that it may read are unchanged: the database, and the files of the
corpus folder and of `folders`, by size, times and inode.
"""

import hashlib
import json
import os
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from relabel_assets.corpus.caches.cache_file import CacheFile
from relabel_assets.corpus.caches.content_hashes import is_racy
from relabel_assets.corpus.config.documents_config import DocumentsConfig
from relabel_assets.corpus.documents import Document, documents_from_rows
from relabel_assets.corpus.rows import usable_rows
from relabel_assets.errors import CorpusError, Problem, WarehouseError
from relabel_assets.files import make_private
from relabel_assets.intake.one_input import problem_of
from relabel_assets.intake.regular_files import walk
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.tables.kinds import DOCUMENTS
from relabel_assets.intake.tables.reader import read_table
from relabel_assets.progress import Progress, silent, working_on

NAME = "documents.sql"  # in messages, as a file's name
_ROWS = "sql-rows.parquet"


@dataclass(frozen=True)
class SqlSource:
    """The query `config.sql` of the corpus `name` in `folder`. `cache`: where its rows are kept."""

    name: str
    folder: Path
    config: DocumentsConfig
    cache: Path | None = None

    def documents(
        self, problems: list[Problem], notes: list[str], progress: Progress = silent
    ) -> Iterator[Document]:
        """The document of each row. Others are added to `problems`, with the number of the row.

        Raises CorpusError where the query cannot be run, or gives no doc_id or no body.
        """
        with self._rows(progress) as (path, _), path.open("rb") as file:
            try:
                table = read_table(file, ".parquet", DOCUMENTS)
                notes += [f"{NAME}: {table.taken}"] if table.taken else []
                rows = usable_rows(table.rows, file=NAME, problems=problems)
                yield from documents_from_rows(rows, file=NAME, problems=problems)
            except SetAside as error:
                problem = problem_of(error, NAME)
                raise CorpusError(f"{self.name}/{problem}", problem) from error

    def fingerprint(self) -> str:
        """A digest of the rows, whatever their order; of the reason where the query cannot be run."""
        try:
            with (
                working_on(f"{self.name} / {NAME}") as progress,
                self._rows(progress) as (_, digest),
            ):
                return digest
        except CorpusError as error:
            return hashlib.sha256(str(error).encode()).hexdigest()

    @contextmanager
    def _rows(self, progress: Progress) -> Iterator[tuple[Path, str]]:
        """The Parquet file of the rows, and their digest. The query runs where they are not known."""
        state = self._state()
        with CacheFile(self.cache) as kept:
            known = self._known(kept, state)
            if known is None and self.cache is not None:
                make_private(self.cache)
                scratch = self.cache / f".{_ROWS}.{os.getpid()}.half"
                try:
                    digest = self._query(scratch, progress)
                    known = self._keep(kept, scratch, state, digest)
                finally:
                    scratch.unlink(missing_ok=True)
        if known is not None:
            yield known
            return
        with tempfile.TemporaryDirectory(prefix="relabel-rows-") as folder:
            yield Path(folder) / _ROWS, self._query(Path(folder) / _ROWS, progress)

    def _known(self, kept: CacheFile, state: str | None) -> tuple[Path, str] | None:
        """The rows of an earlier query, if all that it may read is as it was."""
        row = kept.row("select value from facts where name = ?", (NAME,))
        if row is None or self.cache is None or state is None:
            return None
        before, digest, size = json.loads(row[0])
        path = self.cache / _ROWS
        is_there = path.is_file() and path.stat().st_size == size
        return (path, digest) if before == state and is_there else None

    def _keep(
        self, kept: CacheFile, scratch: Path, state: str | None, digest: str
    ) -> tuple[Path, str]:
        """Keep the rows in `scratch` for the next look. Without a state they serve this one alone."""
        assert self.cache is not None
        path = self.cache / _ROWS
        value = json.dumps([state, digest, scratch.stat().st_size])
        scratch.replace(path)
        kept.put("insert or replace into facts values (?, ?)", (NAME, value))
        return path, digest

    def _query(self, out: Path, progress: Progress) -> str:
        from relabel_assets.warehouse.source_query import write_rows  # loads DuckDB's errors

        assert self.config.sql is not None
        try:
            return write_rows(
                self.config.sql,
                out,
                database=self._place(self.config.database) if self.config.database else None,
                folder=self.folder,
                folders=[self._place(folder) for folder in self.config.folders],
                progress=progress,
            )
        except WarehouseError as error:
            problem = Problem(NAME, None, str(error).rstrip("."), "")
            raise CorpusError(
                f"corpus {self.name!r}: {NAME} in corpus.yaml cannot be used: {error}", problem
            ) from error

    def _place(self, path: str) -> Path:
        return (self.folder / Path(path).expanduser()).absolute()

    def _state(self) -> str | None:
        """A hash of the query and of the status of all that it may read.

        None where a file was written just now: it may be written again and keep its status.
        """
        looked_at = time.time_ns()
        digest = hashlib.sha256(
            self.config.model_dump_json(include={"sql", "database", "folders"}).encode()
        )
        for path in self._may_read():
            try:
                status = path.lstat()
            except OSError as error:
                digest.update(os.fsencode(f"{path}\0{error.errno}\n"))
                continue
            facts = status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino
            if stat.S_ISREG(status.st_mode) and is_racy(facts, looked_at):
                return None
            digest.update(os.fsencode(f"{path}\0{facts}\n"))
        return digest.hexdigest()

    def _may_read(self) -> Iterator[Path]:
        if self.config.database:
            database = self._place(self.config.database)
            yield from (database, database.with_name(f"{database.name}.wal"))
        for root in (self.folder, *map(self._place, self.config.folders)):
            for name, _ in walk(root):
                yield root / name
