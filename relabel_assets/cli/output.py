"""Printed output of the commands: problems, corpora, plans, outcomes of runs, next steps.

What belongs here: formatting of frames and outcomes for a terminal. What does not: their
computation, and what has a file of its own in printing/: the benchmark, the teacher's commands, results of
SQL queries.
"""

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import polars as pl
from rich.markup import escape

from relabel_assets.cli.console import ERR, OUT, is_debugging
from relabel_assets.cli.printing.output_tables import print_table
from relabel_assets.corpus.check import Checked
from relabel_assets.corpus.folders import Corpora
from relabel_assets.errors import Problem, RelabelError
from relabel_assets.graph.checks.all_checks import ALL_CHECKS
from relabel_assets.graph.checks.checks import NOTHING_SET_ASIDE
from relabel_assets.intake.one_input import for_each_corpus
from relabel_assets.intake.text import cut, one_line
from relabel_assets.labeling import PAID_BEFORE
from relabel_assets.plural import counted
from relabel_assets.review.people_grades import count_grades
from relabel_assets.review.store import FOLDER as REVIEWS
from relabel_assets.running.plan import Planned
from relabel_assets.running.runner import Outcome
from relabel_assets.upkeep.findings import Finding

_DESCRIPTION_CHARACTERS = 200  # of a corpus, in a table of all corpora


def print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        ERR.print_folded("  ", one_line(str(problem)), indent=4, style="yellow")


def print_check(corpus: str, checked: Checked) -> None:
    problems = checked.problems
    OUT.print(
        f"[bold]{corpus}[/]: "
        f"{counted(len(problems), 'problem') if problems else '[green]no problems[/]'}"
    )
    print_notes(checked.notes)
    print_problems(problems)


def print_notes(notes: Sequence[str]) -> None:
    """Print how files were read."""
    for note in notes:
        ERR.print_folded("  read ", one_line(note), indent=4)


def print_plan(corpus: str, planned: Sequence[Planned]) -> None:
    """Print a line for each stale table: its reason, its changed rows, and a note."""
    OUT.print(f"[bold]{corpus}[/]:{'' if planned else ' up to date'}")
    for table in planned:
        parts = [table.reason]
        changes = table.changes
        if changes:
            bound = "at most " if changes.is_upper_bound else ""
            counts = (
                f"{changes.added:,} new, {changes.changed:,} changed, {changes.removed:,} removed"
            )
            parts.append(f"{bound}{counts} rows")
        if table.note:
            parts.append(table.note)
        OUT.print(f"  {table.table}: {escape('; '.join(parts))}", highlight=False, soft_wrap=True)


def print_corpora(corpora: Corpora, names: Sequence[str]) -> None:
    """Print a row per corpus: the counts of its folder, or the error that makes it unusable."""
    rows = []

    def cells(name: str) -> list[str]:
        folder = corpora.open(name)
        counts = folder.summary()
        of_label = f", {counts.n_label_queries:,} label" if counts.n_label_queries else ""
        recorded = f", {counts.n_recorded_labels:,} grades" if counts.n_recorded_labels else ""
        reference, reviews = "", ""
        if counts.n_reference_labels:
            kind = folder.config.reference.stated_kind
            reference = f"{kind}, {counts.n_reference_labels:,} grades"
        if n_reviews := count_grades(folder.path / REVIEWS, max_grade=folder.rubric.max_grade):
            reviews = counted(n_reviews, "review")
        return [
            f"{counts.n_documents:,}",
            f"{counts.n_queries:,}" + of_label,
            folder.teacher_kind + recorded,
            "; ".join(filter(None, (reference, reviews))) or "none",
            cut(one_line(folder.config.description), _DESCRIPTION_CHARACTERS),
        ]

    def on_failure(name: str, error: RelabelError) -> None:
        rows.append([name, "-", "-", "-", "-", str(error)])

    for name, row in for_each_corpus(names, cells, on_failure):
        rows.append([name, *row])
    columns = ("corpus", "documents", "queries", "teacher", "reference", "description")
    print_table(columns, rows, are_named=True)


def print_nothing_to_do(corpora: Sequence[str]) -> None:
    """Print one line, however many corpora there are."""
    what = f"{corpora[0]} is" if len(corpora) == 1 else f"{len(corpora)} corpora are"
    OUT.print(
        f"Nothing to do: {what} up to date. Benchmark: relabel report",
        highlight=False,
        soft_wrap=True,
    )


def print_outcome(outcome: Outcome) -> None:
    """Print the failed steps and the failed checks of a run; with --debug the tracebacks too.

    What a table set aside in this run is one line. Its check says the same, and is printed where the run kept
    the table.
    """
    for step, message in outcome.failures.items():
        ERR.print(f"[red]{outcome.corpus} / {step} failed:[/] {escape(message)}", highlight=False)
        if is_debugging() and step in outcome.tracebacks:
            ERR.print(escape(outcome.tracebacks[step]), highlight=False, soft_wrap=True)
    if outcome.set_aside:
        counts = ", ".join(f"{n:,} of {table}" for table, n in outcome.set_aside.items())
        line = f"{outcome.corpus}: set aside {counts}. Why: relabel corpora check {outcome.corpus}"
        ERR.print(f"[yellow]{line}[/]", highlight=False, soft_wrap=True)
    meanings = check_meanings()
    told = {f"{table}: {NOTHING_SET_ASIDE}" for table in outcome.set_aside}
    for check, finding in outcome.findings.items():
        if check in told:
            continue
        lines = [f"[yellow]{outcome.corpus} / check {check} did not pass[/]"]
        lines += [f"  What it checks: {escape(meanings[check])}"] if check in meanings else []
        lines += [f"  {escape(line)}" for line in finding.splitlines() if line.strip()]
        for line in lines:
            ERR.print(line, highlight=False, soft_wrap=True)


def check_meanings() -> dict[str, str]:
    """What each check asks for, by its table and name, as in `Outcome.findings`."""
    specs = (spec for checks in ALL_CHECKS for spec in checks.check_specs)
    return {
        f"{spec.asset_key.to_user_string()}: {spec.name}": spec.description or "" for spec in specs
    }


def print_next_steps(corpus: str) -> None:
    """Print commands that can be pasted as they stand, into a new shell in this folder."""
    command = this_command()
    query = (
        "select query, title, teacher_grade, student_grade from label_disagreements "
        f"where corpus = '{corpus}' limit 5"
    )
    steps = {
        "See what the labels say, in SQL:": f'{command} sql "{query}"',
        "Open the graph in a browser, at http://127.0.0.1:3000 (Ctrl-C ends it):": f"{command} ui",
    }
    OUT.print("\n[bold]Next[/]")
    for what, line in steps.items():
        OUT.print(f"  {what}", highlight=False, soft_wrap=True)
        OUT.print(f"    [cyan]{escape(line)}[/]", highlight=False, soft_wrap=True)
    OUT.print("  Your own documents: README.md, Bring your own documents", highlight=False)


def this_command() -> str:
    """`relabel` as it was called, with the variables that say where its state and corpora are.

    Where it is not on the PATH, as after `make demo`, that is its path.
    """
    name = sys.argv[0] if "/" in sys.argv[0] else "relabel"
    variables = ("RELABEL_HOME", "RELABEL_DATA")
    settings = [
        f"{name}={shlex.quote(os.environ[name])}" for name in variables if os.environ.get(name)
    ]
    return " ".join([*settings, shlex.quote(name)])


def print_findings(findings: Sequence[Finding]) -> None:
    """Print a line for each check of RELABEL_HOME: ok, repaired, or its problem."""
    for finding in findings:
        if not finding.problem:
            verdict = "[green]ok[/]"
        elif finding.is_fixed:
            verdict = "[green]repaired[/]"
        else:
            verdict = "[red]problem[/]"
        detail = finding.problem or finding.note
        text = f"{finding.subject}: {detail}" if detail else finding.subject
        OUT.print(f"{verdict}  {escape(text)}", highlight=False, soft_wrap=True)


def print_backup(out: Path, sizes: dict[str, int]) -> None:
    parts = ", ".join(f"{name} {size / 1e6:,.1f} MB" for name, size in sizes.items())
    OUT.print(
        f"{escape(str(out))}: {out.stat().st_size / 1e6:,.1f} MB ({parts})",
        highlight=False,
        soft_wrap=True,
    )


def print_labeled(out: Path, counts: pl.DataFrame, documents: Mapping[str, int]) -> None:
    """Print the number of rows, of rows without a grade by reason, and of documents that were read.

    `documents` are the counts of a VectorStore, without any where no document was needed.
    """
    OUT.print(
        f"{counts['rows'].sum():,} rows in {escape(str(out))}", highlight=False, soft_wrap=True
    )
    without_grade = counts.filter(pl.col("status") != "ok").select("status_reason", "rows")
    for reason, n_rows in without_grade.iter_rows():
        ERR.print(
            f"  [yellow]{n_rows:,} without a grade: {escape(str(reason))}[/]", highlight=False
        )
    if "teacher_status" in counts.columns:
        _print_answers(counts)
    if documents:
        n_read, n_from_store = documents["documents_read"], documents["documents_from_store"]
        ERR.print(
            f"  {counted(n_read, 'document')} read, {n_from_store:,} from the store",
            highlight=False,
        )


def _print_answers(counts: pl.DataFrame) -> None:
    """Print who graded: the teacher, why it did not grade others that it was asked about, and people."""
    by_status = counts.drop_nulls("teacher_status").group_by("teacher_status")
    n_rows = dict(by_status.agg(pl.col("rows").sum()).iter_rows())
    n_paid_before, n_answered = n_rows.pop(PAID_BEFORE, 0), n_rows.get("ok", 0)
    n_asked = sum(n_rows.values())
    if n_asked:
        ERR.print(
            f"  the teacher graded {n_answered:,} of {counted(n_asked, 'row')} asked about, "
            "the student the others",
            highlight=False,
        )
    if n_asked > n_answered:
        n_rows.pop("ok", None)
        reasons = ", ".join(f"{n:,} {status}" for status, n in sorted(n_rows.items()))
        ERR.print(
            f"  [yellow]{n_asked - n_answered:,} of {counted(n_asked, 'row')} asked about had no "
            f"answer: {reasons}[/]",
            highlight=False,
        )
    if n_paid_before:
        ERR.print(
            f"  {counted(n_paid_before, 'row')} more with the teacher's grade: the ledger had it",
            highlight=False,
        )
    n_of_people = int(counts.filter(pl.col("labeler") == "people")["rows"].sum())
    if n_of_people:
        ERR.print(
            f"  {counted(n_of_people, 'row')} with the grade of people (not to be measured against it)",
            highlight=False,
        )
