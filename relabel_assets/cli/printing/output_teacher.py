"""Printed output of the teacher's commands: estimates, the ledger, exports and imports.

What belongs here: their formatting for a terminal. What does not: their computation (teacher/), and
the output of other commands (output.py).
"""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rich.markup import escape

from relabel_assets.cli.console import ERR, OUT
from relabel_assets.cli.output import print_problems
from relabel_assets.cli.printing.output_tables import print_table
from relabel_assets.corpus.config.labels_config import LabelsConfig
from relabel_assets.corpus.config.teacher_config import TeacherConfig
from relabel_assets.errors import Problem
from relabel_assets.plural import counted
from relabel_assets.teacher.batch.response_files import ImportResult
from relabel_assets.teacher.estimate import ASSUMED_LATENCY_S, Estimate, ModelEstimate
from relabel_assets.teacher.ledger.report import Group, LedgerReport

if TYPE_CHECKING:
    from relabel_assets.labeling.bucket_questions import AskingPlan

_PROBLEMS_SHOWN = 20  # one screen
_LEDGER_COLUMNS = ["corpus", "purpose", "model", "requests", "responses", "answers", "statuses"]
_LEDGER_COLUMNS += ["prompt_tokens", "completion_tokens", "spent", "unpriced"]


def print_unpaid(corpus: str, kind: str) -> None:
    """Print that nothing is sent, because of the `kind` of teacher: recorded or none."""
    which = {
        "recorded": "recorded teacher, no requests, no costs",
        "none": "no teacher, so nothing is sent. Name one in corpus.yaml to see what it would cost, such "
        "as teacher: {kind: openai, model: gpt-4o-mini}",
    }
    OUT.print(f"[bold]{corpus}[/]: {escape(which[kind])}", highlight=False, soft_wrap=True)


def print_estimate(
    corpus: str,
    n_pairs: int,
    estimate: Estimate,
    config: TeacherConfig,
    spent_usd: float,
    assumption: str,
) -> None:
    """Print the estimate of grading, the source of each figure, and the state of the budgets."""
    OUT.print(
        f"[bold]{corpus}[/]: {n_pairs:,} pairs, {estimate.n_requests:,} {_asked(estimate)} to "
        f"{_models(estimate)}"
    )
    if assumption:
        _line(
            "assumed",
            f"{assumption}. For an exact estimate: relabel run -s +bm25_candidates -c {corpus}",
        )
    if not _figures(estimate):
        return
    for line in _budget(estimate, config, spent_usd):
        _line("budget", line)


def print_queries_estimate(corpus: str, estimate: Estimate) -> None:
    """Print the estimate of query writing, one request per seed document."""
    OUT.print(
        f"[bold]{corpus}[/]: queries from {estimate.n_requests:,} seed documents, "
        f"{estimate.n_requests:,} requests to {_models(estimate)}"
    )
    _figures(estimate)


def print_label_estimate(
    corpus: str, n_pairs: int, n_to_ask: int, estimate: Estimate | None, labels: LabelsConfig
) -> None:
    """Print what is still to be asked about the `n_pairs` of queries that only get labels, if any."""
    if not n_pairs:
        return
    about = f"{n_to_ask:,} of {counted(n_pairs, 'pair')} are to be asked about"
    OUT.print(f"[bold]{corpus}[/]: label queries: {about} (labels.ask is {labels.ask:g})")
    if estimate is None or not estimate.n_to_send:
        return
    _line("requests", f"{estimate.n_to_send:,} to {_models(estimate)}")
    _line("dollars", _dollars(estimate))
    if labels.budget_usd is not None:
        _line("budget", f"labels.budget_usd is ${labels.budget_usd:,.4f} over all runs")


def print_asking(plan: "AskingPlan") -> None:
    """Print what `relabel label --ask` is about to ask, and what it is estimated to cost."""
    some = "" if plan.is_exact else "some "
    rounds = f" in {plan.n_rounds} rounds" if plan.n_rounds > 1 else ""
    estimate = plan.estimate
    cost = "" if estimate is None else f", {counted(estimate.n_to_send, 'request')}: "
    if estimate is not None:
        cost += (
            "no cost, the ledger has the answers" if not estimate.n_to_send else _dollars(estimate)
        )
        cost += ", less what the ledger has" if rounds and estimate.n_to_send else ""
    ERR.print(
        f"asking {escape(plan.teacher)} about {some}{counted(plan.n_asked, 'pair')} of "
        f"{counted(plan.n_rows, 'row')}{rounds}{cost}",
        highlight=False,
        soft_wrap=True,
    )


def _figures(estimate: Estimate) -> bool:
    """Print tokens, dollars and minutes; return False if there is nothing to send."""
    to_send = f"{estimate.n_to_send:,} to send"
    if estimate.n_to_send < estimate.n_unanswered:
        to_send = f"{estimate.n_unanswered:,} to ask in {counted(estimate.n_to_send, 'request')}"
    _line(
        "answered",
        f"{estimate.n_answered:,} answered by the ledger, pending in a batch or equal to another; "
        f"{to_send}",
    )
    if not estimate.n_to_send:
        return False
    _line("tokens", f"{estimate.prompt_tokens:,} prompt, {estimate.completion_tokens:,} completion")
    for part in estimate.models:
        _line("", _source(part))
    _line("dollars", _dollars(estimate))
    if estimate.minutes is None:
        _line("minutes", f"unknown: {estimate.bottleneck}; a batch takes up to 24 hours")
    else:
        _line("minutes", f"{estimate.minutes:,.1f}, set by {estimate.bottleneck}; without retries")
    return True


def _line(label: str, text: str) -> None:
    OUT.print(f"  {label:<10}{escape(text)}", highlight=False, soft_wrap=True)


def _asked(estimate: Estimate) -> str:
    """What is counted: a request has one question, unless some share theirs."""
    return "questions" if estimate.n_to_send < estimate.n_unanswered else "requests"


def _models(estimate: Estimate) -> str:
    return escape(", ".join(part.model for part in estimate.models))


def _source(part: ModelEstimate) -> str:
    """The figures behind a model's estimate: measured on the ledger, or assumed."""
    reply_tokens = part.completion_tokens / max(1, part.workload.n_to_send)
    if part.is_measured:
        return (
            f"{part.model}: {part.bytes_per_token:.2f} bytes a token, {reply_tokens:.0f} completion "
            f"tokens and {part.latency_s:.1f} s a reply, measured on {part.n_replies_observed:,} "
            "replies in the ledger"
        )
    return (
        f"{part.model}: {part.bytes_per_token:g} bytes a token, {reply_tokens:.0f} completion tokens "
        f"and {ASSUMED_LATENCY_S:g} s a reply, assumed: the ledger has too few replies of this model"
    )


def _dollars(estimate: Estimate) -> str:
    if estimate.cost_usd is None or estimate.max_usd is None:
        models = ", ".join(estimate.unpriced_models)
        return f"unknown: no price for {models}. Set teacher.price_usd_per_million_tokens in corpus.yaml"
    maximum = f"at most ${estimate.max_usd:,.4f}, if every reply has its maximum length"
    return f"${estimate.cost_usd:,.4f}; {maximum}"


def _budget(estimate: Estimate, config: TeacherConfig, spent_usd: float) -> list[str]:
    """A line for each budget: its amount, and whether the estimate exceeds it."""
    lines = []
    for name, amount, before in (
        ("budget_usd", config.budget_usd, spent_usd),
        ("run_budget_usd", config.run_budget_usd, 0.0),
    ):
        if amount is None:
            continue
        left = max(0.0, amount - before)
        line = f"{name} is ${amount:,.4f}"
        if before:
            line += f", ${before:,.4f} spent, ${left:,.4f} left"
        if estimate.cost_usd is None:
            line += ": it cannot be enforced without a price, so grading will not start"
        elif estimate.cost_usd > left:
            line += ": too low, the remaining pairs would get the status over_budget"
        lines.append(line)
    return lines or ["none is set: spending has no limit"]


def print_ledger(folder: Path, report: LedgerReport, *, is_thorough: bool) -> None:
    """Print the ledger's size, the spend by corpus, purpose and model, and the unusable lines."""
    size = (
        f"{counted(report.n_files, 'file')}, {report.n_bytes / 1e6:,.1f} MB, "
        f"{counted(report.n_lines, 'line')}, {counted(report.n_keys, 'key')}"
    )
    OUT.print(f"[bold]{escape(str(folder))}[/]: {size}", highlight=False, soft_wrap=True)
    if report.groups:
        rows = [[*names, *_cells(group)] for names, group in sorted(report.groups.items())]
        print_table(_LEDGER_COLUMNS, rows)
    if report.n_unasked:
        OUT.print(
            f"{report.n_unasked:,} responses have no request in the ledger: another tool sent theirs."
        )
    _print_first(report.problems)
    checked = "`relabel ledger --verify` also checks keys and chains, and the replies in answers"
    if is_thorough:
        _print_first(report.unusable)
        checked = (
            f"{counted(len(report.unusable), 'answer')} without a usable reply; "
            f"{counted(report.n_unchained, 'line')} without a chain: of an earlier version, of another "
            "tool, or torn"
        )
    OUT.print(f"{counted(len(report.problems), 'faulty line')}; {checked}", highlight=False)


def _print_first(problems: Sequence[Problem]) -> None:
    """Print the first problems, and the number of the others."""
    print_problems(problems[:_PROBLEMS_SHOWN])
    if len(problems) > _PROBLEMS_SHOWN:
        OUT.print(f"  and {len(problems) - _PROBLEMS_SHOWN:,} more")


def _cells(group: Group) -> list[str]:
    """A group of the ledger as cells of `_LEDGER_COLUMNS`, without its names."""
    statuses = ", ".join(f"{n:,} x {outcome}" for outcome, n in group.outcomes.most_common())
    return [
        f"{group.n_requests:,}",
        f"{group.n_responses:,}",
        f"{group.n_answers:,}",
        statuses or "-",
        f"{group.prompt_tokens:,}",
        f"{group.completion_tokens:,}",
        f"${group.usd:,.4f}",
        f"{group.n_unpriced:,}",
    ]


def print_export(corpus: str, files: Sequence[tuple[Path, int]], redacted: str = "") -> None:
    if redacted:
        OUT.print(f"[bold]{corpus}[/]: {escape(redacted)}", highlight=False, soft_wrap=True)
    if not files:
        OUT.print(f"[bold]{corpus}[/]: nothing to export: the ledger answers every pair")
    for path, n_requests in files:
        OUT.print(
            f"[bold]{corpus}[/]: {n_requests:,} requests in {escape(str(path))}",
            highlight=False,
            soft_wrap=True,
        )


def print_import(result: ImportResult) -> None:
    """Print the number of imported, known and refused lines, and the first refused ones."""
    added = (
        f"{counted(result.n_answers, 'answer')} and {counted(result.n_failures, 'failure')} "
        "added to the ledger"
    )
    refused = (
        f"{counted(len(result.problems), 'line')} skipped, {result.n_unknown:,} of them responses to "
        "unknown requests"
    )
    OUT.print(
        f"{added}; {result.n_known:,} already existed; {refused}", highlight=False, soft_wrap=True
    )
    print_problems(result.problems[:_PROBLEMS_SHOWN])
