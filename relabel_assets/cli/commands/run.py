"""Running the graph: `relabel run`, `relabel plan`, `relabel report`, `relabel ui`."""

from functools import partial
from typing import TYPE_CHECKING, Annotated, Any

import typer

from relabel_assets.cli.options import (
    CorpusOption,
    FormatOption,
    OutputFormat,
    SelectOption,
    chosen_corpora,
)
from relabel_assets.cli.progress_display import show_progress

if TYPE_CHECKING:
    from relabel_assets.graph.project import Project
    from relabel_assets.warehouse.warehouse import Warehouse


def run(
    corpus: CorpusOption = None,
    select: SelectOption = None,
    force: Annotated[
        bool, typer.Option("--force", help="Compute the rows again even if no input changed.")
    ] = False,
    next_steps: Annotated[
        bool, typer.Option("--next-steps", help="Print suggested next commands.")
    ] = False,
    log_format: Annotated[
        OutputFormat,
        typer.Option(
            "--log-format",
            help="The progress lines on stderr: text, or one JSON object a line.",
        ),
    ] = OutputFormat.TEXT,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Bring the tables of each corpus up to date with a Dagster run. Unchanged tables are kept.

    - `relabel run`: all corpora

    - `relabel run -c support_desk -s +student_model`: one corpus, up to its student

    - `relabel run --force -s student_model+`: train again, and grade and measure again

    - `relabel run --format json 2> progress.log | jq .status`
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.each_corpus import EachCorpus
    from relabel_assets.cli.printing import output_json, output_report
    from relabel_assets.running import runner

    is_json = output_format is OutputFormat.JSON
    project, warehouse = runner.from_environment()
    show_progress(log_format)
    corpora = project.corpora()
    output.print_problems(corpora.refused())
    names = chosen_corpora(corpus, project.data_path, corpora.names())
    tables = runner.select_tables(select)

    def bring_up_to_date(name: str) -> runner.Outcome | None:
        outcome = runner.bring_up_to_date(project, warehouse, name, tables, is_forced=force)
        if outcome:
            output.print_outcome(outcome)
        return outcome

    each, outcomes = EachCorpus(), list[runner.Outcome]()
    for name, outcome in each.of(names, bring_up_to_date):
        outcomes += [outcome] if outcome else []
        if is_json:
            output_json.print_json(name, output_json.of_outcome(outcome))
    failed = {outcome.corpus for outcome in outcomes if not outcome.is_success} | {*each.failures}
    if is_json:
        output_json.print_failures(each.failures)
    elif not outcomes and not each.failures:
        output.print_nothing_to_do(names)
    elif "benchmark_report" in tables:
        output_report.print_report(
            project, warehouse, [outcome.corpus for outcome in outcomes], each
        )
    if next_steps and not is_json:
        output.print_next_steps(names[0])
    if failed:
        output.ERR.print(
            f"[red]Failed:[/] {', '.join(sorted(failed))}. Finished work is kept; run the same "
            "command again to continue."
        )
        raise typer.Exit(1)


def plan(
    corpus: CorpusOption = None,
    select: SelectOption = None,
    preview: Annotated[
        int | None,
        typer.Option(
            "--preview",
            metavar="N",
            min=10,
            help="Ask the teacher, as it is set now, about N pairs of each corpus whose grade a run would "
            "ask again, and pay for them. Shows how many grades move. A run does not pay for them again.",
        ),
    ] = None,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Show the tables that `relabel run` would compute, with reasons and changed rows. Changes nothing.

    Requests with an answer in the ledger are not counted. Changes that depend on a new answer of the
    teacher or on a new student are shown as unknown. Nothing is sent or paid without --preview.

    - `relabel plan -c support_desk`: one corpus

    - `relabel plan -s +teacher_labels`: the tables that the teacher's grades are made from, and these

    - `relabel plan -c support_desk --preview 50`: after a change of rubric, prompt or model, what it does
    to 50 grades, before the rest is paid

    - `relabel plan --format json | jq '.tables[].table'`
    """
    from relabel_assets.cli import output
    from relabel_assets.cli.each_corpus import EachCorpus
    from relabel_assets.cli.printing import output_json
    from relabel_assets.running import plan as planning
    from relabel_assets.running import runner

    is_json = output_format is OutputFormat.JSON
    project, warehouse = runner.from_environment()
    corpora = project.corpora()
    output.print_problems(corpora.refused())
    names = chosen_corpora(corpus, project.data_path, corpora.names())
    tables = runner.select_tables(select)
    each = EachCorpus()

    def previewed_plan(name: str) -> tuple[dict[str, Any], list[planning.Planned]]:
        """The plan after the preview: it counts what is still to be paid."""
        found = {} if preview is None else _preview(project, warehouse, name, preview, is_json)
        return found, planning.plan(project, warehouse, name, tables)

    for name, (found, planned) in each.of(names, previewed_plan):
        if is_json:
            output_json.print_json(name, output_json.of_plan(planned) | found)
        else:
            output.print_plan(name, planned)
    if is_json:
        output_json.print_failures(each.failures)
    each.exit_if_failed()


def _preview(
    project: "Project", warehouse: "Warehouse", corpus: str, n: int, is_json: bool
) -> dict[str, Any]:
    """Ask about `n` pairs of `corpus`, print what moves unless `is_json`, and return it for JSON."""
    from relabel_assets.cli.printing import preview_output
    from relabel_assets.running.preview_grades import preview_grades

    show_progress()
    found = preview_grades(
        project, warehouse, corpus, n, partial(preview_output.print_before, corpus)
    )
    if not is_json:
        preview_output.print_preview(corpus, found)
    return {"preview": preview_output.preview_facts(found)}


def report(
    corpus: CorpusOption = None,
    is_opened: Annotated[
        bool, typer.Option("--open", help="Open the report as a page in the browser.")
    ] = False,
    output_format: FormatOption = OutputFormat.TEXT,
) -> None:
    """Print the benchmark of teacher, student, untrained base and BM25, with 95 % intervals.

    - `relabel report -c support_desk`: one corpus

    - `relabel report -c support_desk --open`: the whole report, as a page that needs no network

    - `relabel report --format json | jq '.metrics[] | select(.metric == "ndcg@10")'`
    """
    from relabel_assets.cli.each_corpus import EachCorpus
    from relabel_assets.cli.printing import output_json, output_report
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    names = chosen_corpora(corpus, project.data_path, project.corpora().names())
    each = EachCorpus()
    if output_format is OutputFormat.JSON:
        for name, record in each.of(
            names, lambda name: output_json.of_report(project, warehouse, name)
        ):
            output_json.print_json(name, record)
        output_json.print_failures(each.failures)
    else:
        output_report.print_report(project, warehouse, names, each)
    if is_opened:
        output_report.open_pages(project, names)
    each.exit_if_failed()


def ui(
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port on 127.0.0.1.")] = 3000,
) -> None:
    """Open the graph in the Dagster UI, with RELABEL_HOME as its home. Ctrl-C ends it."""
    from relabel_assets.cli import output
    from relabel_assets.running import runner, web_ui

    if not web_ui.is_free(port):
        raise typer.BadParameter(
            f"port {port} of 127.0.0.1 is in use, perhaps by another `relabel ui`. "
            f"Choose another: relabel ui --port {port % 65535 + 1}",
            param_hint="--port",
        )
    project, _ = runner.from_environment()
    output.ERR.print("Starting the Dagster UI. Ctrl-C ends it.")
    web_ui.serve(project, port, announce=lambda address: print(address, flush=True))
