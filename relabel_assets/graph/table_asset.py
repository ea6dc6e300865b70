"""The decorator that makes a table's function a Dagster asset, and leaves alone what is fresh.

What belongs here: the decorator, and bringing one partition up to date. What does not: whether a
partition is fresh (recipe.py), what the UI shows (catalog.py), and what any one table holds
(assets/).
"""

import hashlib
import json
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import Problem, RelabelError
from relabel_assets.graph import catalog
from relabel_assets.graph.automation import WHEN_ITS_INPUTS_CHANGE
from relabel_assets.graph.forecast import Forecast, Trial, by_making
from relabel_assets.graph.inputs import Inputs
from relabel_assets.graph.partitions import CORPORA, FOLDER
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import RECIPES, Recipe, is_fresh
from relabel_assets.graph.step import Rows, Step
from relabel_assets.progress import Progress
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.warehouse import Receipt, Warehouse

PROGRESS = logging.getLogger("relabel_assets.progress")
FORCE_TAG = "relabel/force"
# A nightly run materializes every partition: two days without one deserve a look, eight are a
# fault.
FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=8), warn_window=timedelta(days=2)
)
_PROBLEMS_SHOWN = 20
_RETRIES, _FIRST_RETRY_S = 2, 5
_SECONDS_BETWEEN_LINES = 5


def table_asset(
    *,
    code_version: str,
    group: str,
    kinds: set[str],
    settings: Callable[[CorpusFolder], Any] = lambda corpus: None,
    files: tuple[str, ...] = (),
    pool: str | None = None,
    forecast: Callable[[Trial], Forecast] = by_making,
) -> Callable[[Callable[[Step], Rows]], dg.AssetsDefinition]:
    """Make the asset of the table that `function` is named after.

    `settings` gives the part of the corpus' configuration that the rows depend on, `files` the
    parts of its folder; `pool` is what it shares with other runs: the teacher's rate limit, or the
    machine's GPU. `forecast` is for a table that a teacher or a training makes: what can be said of
    its rows before (`relabel plan`). A partition whose inputs are what they were is left as it is,
    unless the run carries the tag relabel/force.
    """

    def decorate(function: Callable[[Step], Rows]) -> dg.AssetsDefinition:
        table = TABLES[function.__name__]
        recipe = RECIPES[table.name] = Recipe(code_version, settings, files, function, forecast)

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
            automation_condition=WHEN_ITS_INPUTS_CHANGE,
            freshness_policy=FRESHNESS,
            metadata={
                "dagster/column_schema": catalog.column_schema(table),
                "dagster/table_name": f"warehouse.main.{table.name}",
            },
        )
        def compute(
            context: dg.AssetExecutionContext, warehouse: Warehouse, project: Project
        ) -> dg.MaterializeResult:
            try:
                return _materialize(_Run(context, table, recipe, warehouse, project))
            except RelabelError as error:
                raise dg.Failure(str(error), allow_retries=False) from error
            except Exception as error:
                # Not a RetryPolicy: with one, Dagster repeats a step that Ctrl-C or the UI stopped.
                wait_s = _FIRST_RETRY_S * 2**context.retry_number
                raise dg.RetryRequested(max_retries=_RETRIES, seconds_to_wait=wait_s) from error

        return compute

    return decorate


def logged_progress(
    what: str,
    also: Callable[[str], object] | None = None,
    *,
    about: Mapping[str, str] | None = None,
) -> Progress:
    """A callback that logs at most every five seconds: a line, and `about` for machines."""
    last_at = time.monotonic()

    def report(step: str, done: int, total: int, note: str = "") -> None:
        nonlocal last_at
        now = time.monotonic()
        if now - last_at < _SECONDS_BETWEEN_LINES:
            return
        last_at = now
        share = f"{done:,}/{total:,}" if total else f"{done:,}"
        line = f"{what}: {step} {share} {note}".rstrip()
        if also:
            also(line)
        PROGRESS.info("  %s", line, extra=about)

    return report


def _materialize(run: "_Run") -> dg.MaterializeResult:
    """Bring the run's partition up to date. A run over several brings up to date each that it can.

    Raises RelabelError, after all were tried, with what went wrong for each.
    """
    names = run.context.partition_keys
    versions, failures = list[str](), list[str]()
    for name in names:
        try:
            receipt, metadata = run.bring_up_to_date(name)
        except RelabelError as error:
            if len(names) == 1:
                raise
            failures.append(f"{name}: {error}")
        else:
            run.context.add_asset_metadata(metadata, partition_key=name)
            versions.append(receipt.content_hash)
    if failures:
        raise RelabelError("\n".join(failures))
    # Dagster keeps one data version for all partitions of a run.
    if len(versions) == 1:
        return dg.MaterializeResult(data_version=dg.DataVersion(versions[0]))
    all_of_them = hashlib.sha256("".join(versions).encode()).hexdigest()
    return dg.MaterializeResult(data_version=dg.DataVersion(all_of_them))


@dataclass(frozen=True)
class _Run:
    """One table in one Dagster run."""

    context: dg.AssetExecutionContext
    table: Table
    recipe: Recipe
    warehouse: Warehouse
    project: Project

    def bring_up_to_date(self, name: str) -> tuple[Receipt, dict[str, Any]]:
        """Make the rows of corpus `name` what their inputs give; its receipt, and metadata."""
        corpus = self.project.corpora().open(name)
        receipts = self.warehouse.receipts()
        inputs = self.recipe.inputs(self.table, corpus, receipts)
        receipt = receipts.get((name, self.table.name))
        is_forced = self.context.run.tags.get(FORCE_TAG) == "true"
        if receipt and not is_forced and is_fresh(receipt, inputs.hash, self.project):
            return receipt, self._keep(receipt)
        return self._make(corpus, inputs)

    def _keep(self, receipt: Receipt) -> dict[str, Any]:
        """Leave the rows as they are; the metadata is that of the last materialization."""
        self._log(receipt.corpus, f": unchanged, {receipt.n_rows} rows", rows=receipt.n_rows)
        self.warehouse.republish_stale([receipt])
        last = catalog.last_metadata(self.context.instance, self.table, receipt.corpus)
        last["unchanged_since"] = receipt.written_at.isoformat(timespec="seconds")
        return self._metadata(receipt, last)

    def _make(self, corpus: CorpusFolder, inputs: Inputs) -> tuple[Receipt, dict[str, Any]]:
        """Compute the rows and put them in the place of the old ones."""
        started = time.monotonic()
        self._log(corpus.name, " ...")
        rows = self.recipe.function(self._step(corpus))
        receipt = self.warehouse.replace(
            self.table.name,
            corpus.name,
            rows.frame,
            input_hash=inputs.hash,
            inputs=json.dumps(inputs.parts),
            n_unfinished=rows.n_unfinished,
            n_set_aside=len(rows.problems),
            files=rows.files,
            run_id=self.context.run_id,
        )
        seconds = time.monotonic() - started
        n_set_aside = f", {len(rows.problems)} set aside" if rows.problems else ""
        self._log(
            corpus.name,
            f": {receipt.n_rows} rows in {seconds:.1f} s{n_set_aside}",
            rows=receipt.n_rows,
            seconds=round(seconds, 3),
        )
        self._log_problems(corpus.name, rows.problems)
        shown = dict(rows.metadata)
        shown |= {"preview": catalog.preview(rows.frame), "set_aside": len(rows.problems)}
        if rows.problems:
            shown["set_aside_because"] = catalog.problem_list(rows.problems)
        return receipt, self._metadata(receipt, shown | {"seconds": seconds})

    def _step(self, corpus: CorpusFolder) -> Step:
        progress = logged_progress(
            f"{corpus.name} / {self.table.name}",
            self.context.log.info,
            about=self._about(corpus.name),
        )
        return Step(self.table, corpus, self.warehouse, self.project, progress)

    def _metadata(self, receipt: Receipt, shown: Mapping[str, Any]) -> dict[str, Any]:
        return catalog.metadata(self.table, receipt, self.project.home.path, shown)

    def _about(self, corpus: str) -> dict[str, str]:
        """What goes with every line for machines (logs.py)."""
        return {"corpus": corpus, "asset": self.table.name, "run": self.context.run_id}

    def _log(self, corpus: str, text: str, **figures: float) -> None:
        """A line for the terminal, with figures for machines."""
        about = self._about(corpus) | figures
        PROGRESS.info("%s / %s%s", corpus, self.table.name, text, extra=about)

    def _log_problems(self, corpus: str, problems: list[Problem]) -> None:
        for problem in problems[:_PROBLEMS_SHOWN]:
            self.context.log.warning(f"set aside: {problem}")
            PROGRESS.warning("  set aside: %s/%s", corpus, problem, extra=self._about(corpus))
