"""The decorator that turns a table's function into a Dagster asset and skips fresh partitions.

What belongs here: the decorator, and bringing one partition up to date. What does not: the rule of
freshness (recipe.py), what is logged (step_log.py), the metadata in the UI (catalog.py), and the rows of a
table (assets/).
"""

import hashlib
import json
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import dagster as dg

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.graph import catalog
from relabel_assets.graph.automation import WHEN_ITS_INPUTS_CHANGE
from relabel_assets.graph.failures import as_dagster_error, joint_error, log_traceback
from relabel_assets.graph.forecast import Forecast, Trial, computed_forecast
from relabel_assets.graph.inputs import Inputs
from relabel_assets.graph.partitions import CORPORA, FOLDER, GROUP
from relabel_assets.graph.preview import PREVIEWED, preview, texts_from
from relabel_assets.graph.project import Project
from relabel_assets.graph.recipe import RECIPES, Recipe, is_fresh
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.step_log import StepLog
from relabel_assets.intake.one_input import INPUT_ERRORS
from relabel_assets.plural import counted
from relabel_assets.progress import (
    Progress,
    working_on,
)
from relabel_assets.tables.table import Table
from relabel_assets.tables.tables import TABLES
from relabel_assets.warehouse.receipt import Receipt
from relabel_assets.warehouse.warehouse import Warehouse

FORCE_TAG = "relabel/force"
# A nightly run materializes every partition. Two days without one are a warning. Eight are a
# failure: the weekly run was missed too.
FRESHNESS = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(days=8), warn_window=timedelta(days=2)
)


def table_asset(
    *,
    code_version: str,
    kinds: set[str],
    settings: Callable[[CorpusFolder], Any] = lambda corpus: None,
    files: tuple[str, ...] = (),
    pool: str | None = None,
    forecast: Callable[[Trial], Forecast] = computed_forecast,
) -> Callable[[Callable[[Step], Rows]], dg.AssetsDefinition]:
    """A decorator that turns the function named after a table into the asset of that table.

    The rows depend on `settings`, a part of the corpus' configuration, and on `files`, parts of its
    folder. `pool` limits concurrent steps: "teacher" is the rate limit, "student" the machine's GPU.
    `forecast` predicts the changes for `relabel plan` where a teacher or a training computes the rows.
    A partition with unchanged inputs is kept, unless the run has the tag relabel/force.
    """

    def decorate(function: Callable[[Step], Rows]) -> dg.AssetsDefinition:
        table = TABLES[function.__name__]
        recipe = RECIPES[table.name] = Recipe(code_version, settings, files, function, forecast)

        @dg.asset(
            name=table.name,
            partitions_def=CORPORA,
            deps=[*table.reads, *([FOLDER] if files else [])],
            description=catalog.description(table),
            group_name=GROUP,
            kinds=kinds | {"duckdb"},
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
            except INPUT_ERRORS as error:
                raise as_dagster_error(error, context.retry_number) from error

        return compute

    return decorate


def _materialize(run: "_Run") -> dg.MaterializeResult:
    """Bring each partition of the run up to date.

    A failure does not stop the other partitions. Raises the error of the only partition, or the joint
    error of several.
    """
    names = run.context.partition_keys
    versions, errors = list[str](), dict[str, BaseException]()
    for name in names:
        try:
            receipt, metadata = run.bring_up_to_date(name)
            run.context.add_asset_metadata(metadata, partition_key=name)
        except INPUT_ERRORS as error:
            if len(names) == 1:
                raise
            errors[name] = error
            log_traceback(run.context.log, error)
        else:
            versions.append(receipt.content_hash)
    if errors:
        raise joint_error(errors, run.context.retry_number)
    # Dagster keeps one data version for all partitions of a run.
    if len(versions) == 1:
        return dg.MaterializeResult(data_version=dg.DataVersion(versions[0]))
    joint_version = hashlib.sha256("".join(versions).encode()).hexdigest()
    return dg.MaterializeResult(data_version=dg.DataVersion(joint_version))


@dataclass(frozen=True)
class _Run:
    """One table in one Dagster run."""

    context: dg.AssetExecutionContext
    table: Table
    recipe: Recipe
    warehouse: Warehouse
    project: Project

    @property
    def log(self) -> StepLog:
        return StepLog(self.context, self.table.name)

    def bring_up_to_date(self, name: str) -> tuple[Receipt, dict[str, Any]]:
        """Keep or compute the rows of corpus `name`; return their receipt and metadata."""
        corpus = self.project.corpora().open(name)
        receipts = self.warehouse.receipts()
        inputs = self.recipe.inputs(self.table, corpus, receipts)
        receipt = receipts.get((name, self.table.name))
        is_forced = self.context.run.tags.get(FORCE_TAG) == "true"
        if receipt and not is_forced and is_fresh(receipt, inputs.hash, self.project):
            return receipt, self._keep(receipt)
        with working_on(self.log.subject(name)) as shown:
            return self._compute(corpus, inputs, shown)

    def _keep(self, receipt: Receipt) -> dict[str, Any]:
        """Keep the rows; return the metadata of their last materialization."""
        self.log.line(
            receipt.corpus, f": unchanged, {counted(receipt.n_rows, 'row')}", rows=receipt.n_rows
        )
        self.warehouse.republish_stale([receipt])
        last = catalog.last_metadata(self.context.instance, self.table, receipt.corpus)
        last["unchanged_since"] = receipt.written_at.isoformat(timespec="seconds")
        return self._metadata(receipt, last)

    def _compute(
        self, corpus: CorpusFolder, inputs: Inputs, shown: Progress
    ) -> tuple[Receipt, dict[str, Any]]:
        """Compute the rows and replace the old ones; return their receipt and metadata."""
        started = time.monotonic()
        self.log.line(corpus.name, " ...")
        step = Step(
            self.table,
            corpus,
            self.warehouse,
            self.project,
            self.log.progress(corpus.name, shown),
        )
        rows = self.recipe.function(step)
        receipt = self.warehouse.replace(
            self.table.name,
            corpus.name,
            rows.frame,
            input_hash=inputs.hash,
            inputs=json.dumps(inputs.parts),
            n_unfinished=rows.n_unfinished,
            problems=rows.problems,
            files=rows.files,
            run_id=self.context.run_id,
            progress=step.progress,
        )
        # After the rows: a failed write keeps the files that the old rows name.
        for place in rows.obsolete:
            shutil.rmtree(self.project.home.inside(place), ignore_errors=True)
        seconds = time.monotonic() - started
        set_aside = f", {len(rows.problems)} set aside" if rows.problems else ""
        self.log.line(
            corpus.name,
            f": {counted(receipt.n_rows, 'row')} in {seconds:.1f} s{set_aside}",
            rows=receipt.n_rows,
            seconds=round(seconds, 3),
        )
        self.log.problems(corpus.name, rows.problems)
        self.log.notices(corpus.name, rows.notices)
        shown = dict(rows.metadata)
        texts = texts_from(self.warehouse, self.table, corpus.name)
        shown |= {
            "preview": preview(rows.frame.head(PREVIEWED), texts),
            "set_aside": len(rows.problems),
        }
        if rows.problems:
            shown["set_aside_because"] = catalog.problem_list(rows.problems)
            query = catalog.set_aside_query(corpus.name, self.table.name)
            shown["set_aside_all"] = f'relabel sql "{query}"'
        return receipt, self._metadata(receipt, shown | {"seconds": seconds})

    def _metadata(self, receipt: Receipt, shown: Mapping[str, Any]) -> dict[str, Any]:
        return catalog.metadata(self.table, receipt, self.project.home.path, shown)
