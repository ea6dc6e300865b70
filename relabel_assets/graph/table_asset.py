"""What every asset shares: how a table's function becomes a Dagster asset, and how it knows that nothing changed.

What belongs here: the decorator, and what a run says of a partition. What does not: how inputs are compared (inputs.py), what
the UI shows (catalog.py), and what any one table holds (assets/).
"""

import hashlib
import json
import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

import dagster as dg
import polars as pl

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import ConfigError, Problem, RelabelError
from relabel_assets.graph import catalog
from relabel_assets.graph.inputs import Inputs, plain
from relabel_assets.graph.partitions import CORPORA, FOLDER
from relabel_assets.graph.project import Project
from relabel_assets.progress import Progress
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Receipt, Warehouse

PROGRESS = logging.getLogger("relabel_assets.progress")
FORCE_TAG = "relabel/force"
# A nightly run touches every partition: two days without one is odd, eight are a fault.
FRESHNESS = dg.FreshnessPolicy.time_window(fail_window=timedelta(days=8), warn_window=timedelta(days=2))
# Dagster's eager starts a run for every table that was made again, though it be as before: a nightly run's, for instance.
FOLLOWS = dg.AutomationCondition.eager().replace(
    "any_deps_updated",
    dg.AutomationCondition.any_deps_match(
        dg.AutomationCondition.data_version_changed() | dg.AutomationCondition.will_be_requested()
    ),
)
# Dagster has it said in code, for all who launch a backfill; a setting says it where the code location is loaded.
_BACKFILLS = {"run_per_corpus": dg.BackfillPolicy.multi_run(1), "single_run": dg.BackfillPolicy.single_run()}
_BACKFILL = os.environ.get("RELABEL_BACKFILL") or "run_per_corpus"
if _BACKFILL not in _BACKFILLS:
    raise ConfigError(
        f"RELABEL_BACKFILL is {_BACKFILL!r}. It is {' or '.join(_BACKFILLS)}; the first if it is not set."
    )
_PROBLEMS_SHOWN = 20
_RETRIES, _FIRST_RETRY_S = 2, 5


@dataclass(frozen=True)
class Step:
    """What a table's function gets: its corpus, the tables before it, and the tools."""

    table: Table
    corpus: CorpusFolder
    warehouse: Warehouse
    project: Project
    progress: Progress

    def read(self, table: str) -> pl.DataFrame:
        """The corpus' rows of a table this one declares that it reads."""
        self._check(table)
        return self.warehouse.read(table, self.corpus.name)

    def read_column(self, table: str, column: str) -> pl.Series:
        """One column of `read`, for tables whose texts are not needed."""
        self._check(table)
        return self.warehouse.read(table, self.corpus.name, columns=[column])[column]

    def read_batches(self, table: str) -> Iterator[pl.DataFrame]:
        self._check(table)
        return self.warehouse.read_batches(table, self.corpus.name)

    def write_text(self, file: str, text: str) -> None:
        """Write a file of RELABEL_HOME whole or not at all."""
        path = self.project.home.path / file
        path.parent.mkdir(parents=True, exist_ok=True)
        half = path.with_name(f".{path.name}.half")
        half.write_text(text, encoding="utf-8")
        half.replace(path)

    @staticmethod
    def markdown(text: str) -> dg.MetadataValue:
        """Metadata that the UI shows as formatted text."""
        return dg.MetadataValue.md(text)

    def _check(self, table: str) -> None:
        if table not in self.table.reads:
            raise ValueError(f"{self.table.name} reads {table}, and tables.py does not say so")


@dataclass(frozen=True)
class Rows:
    """What a table's function returns: the new partition, and what to say about it."""

    frame: pl.DataFrame
    metadata: Mapping[str, Any] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    n_unfinished: int = 0
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class Recipe:
    """What a table's rows follow from, beside the tables it reads: code, settings and files of the corpus."""

    code_version: str
    settings: Callable[[CorpusFolder], Any]
    files: tuple[str, ...]
    function: Callable[[Step], Rows]

    def inputs(self, table: Table, corpus: CorpusFolder, receipts: Mapping[tuple[str, str], Receipt]) -> Inputs:
        """Everything that the rows of `table` follow from; an upstream table never made counts as empty."""
        upstream = {name: receipts.get((corpus.name, name)) for name in table.reads}
        return Inputs(
            {
                "code": self.code_version,
                "settings": plain(self.settings(corpus)),
                "files": {part: corpus.fingerprint(part) for part in self.files},
                "tables": {name: receipt.content_hash if receipt else None for name, receipt in upstream.items()},
            }
        )


# Filled by table_asset: the recipe behind each table, for `relabel run` to see what would be done before it is.
RECIPES: dict[str, Recipe] = {}


def table_asset(
    *,
    code_version: str,
    group: str,
    kinds: set[str],
    settings: Callable[[CorpusFolder], Any] = lambda corpus: None,
    files: tuple[str, ...] = (),
    pool: str | None = None,
) -> Callable[[Callable[[Step], Rows]], dg.AssetsDefinition]:
    """Make the asset of the table that `function` is named after.

    `settings` gives the part of the corpus' configuration that the rows depend on, `files` the parts of its folder; `pool` is
    what it shares with other runs: the teacher's rate limit, or the machine's GPU.
    A partition whose inputs are what they were is left as it is, unless the run carries the tag relabel/force.
    """

    def decorate(function: Callable[[Step], Rows]) -> dg.AssetsDefinition:
        table = TABLES[function.__name__]
        recipe = RECIPES[table.name] = Recipe(code_version, settings, files, function)

        @dg.asset(
            name=table.name,
            partitions_def=CORPORA,
            deps=[*table.reads, *([FOLDER] if files else [])],
            description=catalog.description(table),
            group_name=group,
            kinds=kinds | {"duckdb"},
            owners=["team:search"],
            tags={"resource": pool or "cpu"},
            code_version=code_version,
            pool=pool,
            backfill_policy=_BACKFILLS[_BACKFILL],
            automation_condition=FOLLOWS,
            freshness_policy=FRESHNESS,
            metadata={
                "dagster/column_schema": catalog.column_schema(table),
                "dagster/table_name": f"warehouse.main.{table.name}",
            },
        )
        def compute(context: dg.AssetExecutionContext, warehouse: Warehouse, project: Project) -> dg.MaterializeResult:
            try:
                return _materialize(context, table, recipe, warehouse, project)
            except RelabelError as error:
                raise dg.Failure(str(error), allow_retries=False) from error
            except Exception as error:
                # Not a RetryPolicy: Dagster has it repeat a step that was stopped with Ctrl-C or from the UI.
                wait_s = _FIRST_RETRY_S * 2**context.retry_number
                raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=wait_s) from error

        return compute

    return decorate


def is_fresh(receipt: Receipt | None, input_hash: str, project: Project) -> bool:
    """Whether a partition's rows are what its inputs give: same inputs, nothing unfinished, its files still there."""
    return (
        receipt is not None
        and receipt.input_hash == input_hash
        and receipt.n_unfinished == 0
        and all((project.home.path / file).exists() for file in receipt.files)
    )


def logged_progress(
    what: str, also: Callable[[str], object] | None = None, *, about: Mapping[str, str] | None = None
) -> Progress:
    """A callback that logs at most every five seconds, to the terminal and to `also`; `about` goes with machine-read lines."""
    last = {"at": time.monotonic()}

    def report(step: str, done: int, total: int, note: str = "") -> None:
        now = time.monotonic()
        if now - last["at"] < 5:
            return
        last["at"] = now
        share = f"{done:,}/{total:,}" if total else f"{done:,}"
        line = f"{what}: {step} {share} {note}".rstrip()
        if also:
            also(line)
        PROGRESS.info("  %s", line, extra=about)

    return report


def _materialize(
    context: dg.AssetExecutionContext, table: Table, recipe: Recipe, warehouse: Warehouse, project: Project
) -> dg.MaterializeResult:
    """Bring the run's partition up to date; or, in a single run over several, each of them, whatever becomes of the others.

    Raises RelabelError for what went wrong with any of them, after all were tried.
    """
    made, failed = [], list[str]()
    for name in context.partition_keys:
        try:
            receipt, metadata = _bring_up_to_date(context, table, recipe, warehouse, project, name)
        except RelabelError as error:
            if len(context.partition_keys) == 1:
                raise
            failed.append(f"{name}: {error}")
        else:
            context.add_asset_metadata(metadata, partition_key=name)
            made.append(receipt.content_hash)
    if failed:
        raise RelabelError("\n".join(failed))
    # Dagster keeps one data version for all partitions of a run.
    version = made[0] if len(made) == 1 else hashlib.sha256("".join(made).encode()).hexdigest()
    return dg.MaterializeResult(data_version=dg.DataVersion(version))


def _bring_up_to_date(
    context: dg.AssetExecutionContext, table: Table, recipe: Recipe, warehouse: Warehouse, project: Project, name: str
) -> tuple[Receipt, dict[str, Any]]:
    """The receipt of corpus `name`, whose rows are what their inputs give now, and what the UI is to show."""
    about = {"corpus": name, "asset": table.name, "run": context.run_id}
    corpus = project.corpora().open(name)
    receipts = warehouse.receipts()
    inputs = recipe.inputs(table, corpus, receipts)
    receipt = receipts.get((corpus.name, table.name))
    if receipt and is_fresh(receipt, inputs.hash, project) and context.run.tags.get(FORCE_TAG) != "true":
        PROGRESS.info(
            "%s / %s: unchanged, %d rows",
            corpus.name,
            table.name,
            receipt.n_rows,
            extra=about | {"rows": receipt.n_rows},
        )
        warehouse.catch_up([receipt])
        before = catalog.said_before(context.instance, table, corpus.name)
        said = before | {"unchanged_since": receipt.written_at.isoformat(timespec="seconds")}
        return receipt, catalog.metadata(table, receipt, project.home.path, said)
    started = time.monotonic()
    PROGRESS.info("%s / %s ...", corpus.name, table.name, extra=about)
    what = f"{corpus.name} / {table.name}"
    step = Step(table, corpus, warehouse, project, logged_progress(what, context.log.info, about=about))
    rows = recipe.function(step)
    receipt = warehouse.replace(
        table.name,
        corpus.name,
        rows.frame,
        input_hash=inputs.hash,
        inputs=json.dumps(inputs.parts),
        n_unfinished=rows.n_unfinished,
        n_set_aside=len(rows.problems),
        files=rows.files,
        run_id=context.run_id,
    )
    seconds = time.monotonic() - started
    PROGRESS.info(
        "%s / %s: %d rows in %.1f s%s", corpus.name, table.name, receipt.n_rows, seconds, _aside(rows.problems),
        extra=about | {"rows": receipt.n_rows, "seconds": round(seconds, 3)},
    )  # fmt: skip
    for problem in rows.problems[:_PROBLEMS_SHOWN]:
        context.log.warning(f"set aside: {problem}")
        PROGRESS.warning("  set aside: %s/%s", corpus.name, problem, extra=about)
    said = dict(rows.metadata) | {"preview": catalog.preview(rows.frame), "set_aside": len(rows.problems)}
    if rows.problems:
        said["set_aside_because"] = catalog.problem_list(rows.problems)
    return receipt, catalog.metadata(table, receipt, project.home.path, said | {"seconds": seconds})


def _aside(problems: list[Problem]) -> str:
    return f", {len(problems)} set aside" if problems else ""
