"""What a run would do before it does it: which tables it would make again, why, and how many of their rows change.

What belongs here: telling fresh partitions from stale ones, and counting on a copy of the warehouse. What does not:
running (runner.py), a teacher's tokens and dollars (core/estimate.py), printing (terminal.py).

A live teacher answers from its ledger alone here. What cannot be known before it is asked, or before a student is
trained, is said and not guessed.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import polars as pl

from relabel_assets import definitions  # noqa: F401 (its assets fill RECIPES)
from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.pairs import training_pairs, with_texts
from relabel_assets.errors import RelabelError
from relabel_assets.graph.inputs import Inputs
from relabel_assets.graph.project import Project
from relabel_assets.graph.table_asset import RECIPES, Step, is_fresh
from relabel_assets.progress import silent
from relabel_assets.student import corpus_sample, student_id, training_set_hash
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.teacher.estimate import Estimate
from relabel_assets.teacher.query_writer import estimate_queries
from relabel_assets.teacher.query_writing import queries_prompt
from relabel_assets.teacher.teacher import GradingQuestions
from relabel_assets.warehouse.warehouse import Receipt, Warehouse

_NOT_ASKED = "failed"  # the status of a pair that a teacher in mode offline could not answer from its ledger


@dataclass(frozen=True)
class Changes:
    """How many rows of a partition a run would add, change and remove. `is_most`: at most so many, known only after."""

    added: int
    changed: int
    removed: int
    is_most: bool = False


@dataclass(frozen=True)
class Planned:
    """A table that would be made again. `changes` is None where nothing can be said of its rows; `note` is what else is known."""

    table: str
    reason: str
    changes: Changes | None = None
    note: str = ""


def stale_tables(project: Project, warehouse: Warehouse, corpus: str, tables: Sequence[str]) -> dict[str, str]:
    """The tables of `tables` whose rows are not what their inputs would give, and why; with all of these that read them.

    Raises CorpusError or ConfigError where the corpus folder cannot be used.
    """
    folder = project.corpora().open(corpus)
    receipts = warehouse.receipts()
    stale: dict[str, str] = {}
    for name in (name for name in TABLES if name in tables):
        parents = [parent for parent in TABLES[name].reads if parent in stale]
        reason = _why(project, receipts.get((corpus, name)), RECIPES[name].inputs(TABLES[name], folder, receipts))
        if reason or parents:
            stale[name] = reason or f"if {' or '.join(parents)} changes"
    return stale


def plan(project: Project, warehouse: Warehouse, corpus: str, tables: Sequence[str]) -> list[Planned]:
    """What a run over `tables` would do, table by table; nothing is written and nobody is asked.

    The tables are made in a copy of the warehouse, which is thrown away, as far as they follow without a teacher or a model.
    Raises CorpusError or ConfigError where the corpus folder cannot be used.
    """
    folder = project.corpora().open(corpus)
    with tempfile.TemporaryDirectory(prefix="relabel-plan-") as scratch:
        copied = Warehouse.at(Path(scratch) / "warehouse.duckdb")
        if Path(warehouse.database).exists():
            warehouse.copy_to(Path(copied.database))
        forecast = _Forecast(project, folder, copied)
        return [found for name in TABLES if name in tables and (found := forecast.of(TABLES[name]))]


def changes(table: Table, before: pl.DataFrame, after: pl.DataFrame) -> Changes:
    """What differs between two versions of a partition, in the columns that count."""
    key = [name for name in table.key if name != "corpus"]
    columns = [name for name in table.stable_columns if name != "corpus"]

    def hashed(rows: pl.DataFrame) -> pl.DataFrame:
        return rows.select(*key, content=rows.select(columns).hash_rows(seed=7))

    both = hashed(before).join(hashed(after), on=key, how="inner", suffix="_after")
    n_changed = both.filter(pl.col("content") != pl.col("content_after")).height
    return Changes(after.height - both.height, n_changed, before.height - both.height)


def _why(project: Project, receipt: Receipt | None, inputs: Inputs) -> str | None:
    """Why a partition would be made again; None where it would not."""
    if receipt is None:
        return "never made"
    if receipt.n_unfinished:
        return f"{receipt.n_unfinished:,} pieces of work are unfinished"
    if receipt.input_hash != inputs.hash:
        return f"changed: {inputs.changed_since(receipt)}"
    return None if is_fresh(receipt, inputs.hash, project) else f"gone: {', '.join(receipt.files)}"


class _Forecast:
    """A corpus' tables, made one after the other in a copy of the warehouse. `unknown` are those whose rows cannot be
    told, or not all of them."""

    def __init__(self, project: Project, folder: CorpusFolder, warehouse: Warehouse) -> None:
        self.project, self.folder, self.warehouse = project, folder, warehouse
        self.offline = replace(folder, is_offline=True)
        self.unknown: set[str] = set()
        self.retrained = False

    def of(self, table: Table) -> Planned | None:
        receipts = self.warehouse.receipts()
        inputs = RECIPES[table.name].inputs(table, self.folder, receipts)
        unknown = [name for name in table.reads if name in self.unknown]
        reason = _why(self.project, receipts.get((self.folder.name, table.name)), inputs)
        if reason is None and not unknown:
            return None
        reason = reason or f"if {' or '.join(unknown)} changes"
        count = {
            "synthetic_queries": self._queries,
            "teacher_labels": self._labels,
            "student_model": self._student,
            "student_labels": self._student_labels,
            "benchmark_report": self._report,
        }.get(table.name, self._made)
        try:
            found, note = count(table, inputs, bool(unknown))
        except RelabelError as error:
            found, note = None, f"it would fail: {error}"
            self.unknown.add(table.name)
        return Planned(table.name, reason, found, note)

    def _read(self, table: str) -> pl.DataFrame:
        return self.warehouse.read(table, self.folder.name)

    def _made(self, table: Table, inputs: Inputs, is_partial: bool) -> tuple[Changes | None, str]:
        """Make the rows in the copy, from the ledger where a teacher is asked."""
        before = self._read(table.name)
        rows = RECIPES[table.name].function(Step(table, self.offline, self.warehouse, self.project, silent))
        self.warehouse.replace(
            table.name, self.folder.name, rows.frame, input_hash=inputs.hash, n_unfinished=rows.n_unfinished
        )
        if is_partial:
            self.unknown.add(table.name)
            return None, "its rows are known after the teacher's answer"
        return changes(table, before, self._read(table.name)), ""

    def _queries(self, table: Table, inputs: Inputs, is_partial: bool) -> tuple[Changes | None, str]:
        folder, queries = self.folder, self.folder.config.queries
        if folder.has_queries or folder.teacher_kind != "openai":
            return self._made(table, inputs, is_partial)
        prompt = queries_prompt(
            folder.read_text(queries.prompt) if queries.prompt else None, file=queries.prompt or "the queries prompt"
        )
        load = estimate_queries(
            self.project.teacher(), self._read("seed_docs"), corpus=folder.name, config=folder.config.teacher,
            queries=queries, prompt=prompt,
        )  # fmt: skip
        if load.n_to_send == 0:
            return self._made(table, inputs, is_partial)
        found = Changes(0, 0, self._read(table.name).height)
        if load.n_answered:
            found = self._made(table, inputs, False)[0] or found
        self.unknown.add(table.name)
        most = replace(found, added=found.added + load.n_to_send * queries.per_document, is_most=True)
        return most, f"the teacher is asked about {load.n_to_send:,} documents{_dollars(load)}"

    def _labels(self, table: Table, inputs: Inputs, is_partial: bool) -> tuple[Changes | None, str]:
        before = self._read(table.name)
        found, note = self._made(table, inputs, is_partial)
        if self.folder.teacher_kind == "recorded":
            return found, note
        after = self._read(table.name)
        asked = after.filter(pl.col("status") == _NOT_ASKED).select("query_id", "doc_id")
        if asked.is_empty():
            return found, note
        self.unknown.add(table.name)
        # Whatever is answered, an asked pair's row is another: its request, its attempts or its status.
        is_asked = pl.struct("query_id", "doc_id").is_in(
            asked.select(pl.struct("query_id", "doc_id")).to_series().implode()
        )
        settled = changes(table, before.filter(~is_asked), after.filter(~is_asked))
        again = before.join(asked, on=["query_id", "doc_id"], how="semi").height
        pairs = with_texts(asked, self._read("synthetic_queries"), self._read("seed_docs"))
        config = self.folder.config.teacher
        prompt = self.folder.read_text(config.prompt) if config.prompt else None
        questions = GradingQuestions(pairs, config, self.folder.rubric, prompt)
        load = self.project.teacher().estimate(questions, corpus=self.folder.name)
        said = f"the teacher is asked about {asked.height:,} pairs with {load.n_to_send:,} requests{_dollars(load)}"
        if is_partial:
            return None, f"{said} at least; {note}"
        return Changes(settled.added + asked.height - again, settled.changed + again, settled.removed), said

    def _student(self, table: Table, inputs: Inputs, is_partial: bool) -> tuple[Changes, str]:
        earlier = self._read(table.name)
        current = earlier.filter("is_current")["model_id"].to_list()
        is_there = all(
            (self.project.home.path / path / "student.json").is_file() for path in earlier.filter("is_current")["path"]
        )
        if is_partial:
            self.unknown.add(table.name)
            return Changes(
                1, len(current), 0, is_most=True
            ), "a student is trained if its pairs' grades or texts changed"
        documents = self._read("seed_docs")
        pairs = training_pairs(self._read("teacher_labels"), self._read("synthetic_queries"), documents)
        config, rubric = self.folder.config.student, self.folder.rubric
        model_id = student_id(training_set_hash(pairs, corpus_sample(documents, config)), config, rubric)
        if [model_id] == current and is_there:
            return Changes(0, 0, 0), f"the student {model_id} stays"
        self.retrained = True
        self.unknown.add(table.name)
        is_known = model_id in earlier["model_id"]
        found = Changes(int(not is_known), len({*current, model_id} if is_known else current), 0)
        return found, f"a student is trained on {pairs.height:,} pairs"

    def _student_labels(self, table: Table, inputs: Inputs, is_partial: bool) -> tuple[Changes, str]:
        """Every row names its student: a new one changes them all. The same one may grade as before."""
        key = ["query_id", "doc_id"]
        before, after = self._read(table.name).select(key), self._read("bm25_candidates").select(key)
        n_both = before.join(after, on=key, how="semi").height
        self.unknown.add(table.name)
        is_exact = self.retrained and "bm25_candidates" not in self.unknown
        return (
            Changes(after.height - n_both, n_both, before.height - n_both, is_most=not is_exact),
            "the student's grades are known after",
        )

    def _report(self, table: Table, inputs: Inputs, is_partial: bool) -> tuple[Changes | None, str]:
        n_rows = self._read(table.name).height
        return (Changes(0, n_rows, 0, is_most=True) if n_rows else None), "the figures are known after"


def _dollars(load: Estimate) -> str:
    return "" if load.cost_usd is None else f", about ${load.cost_usd:.4f}"
