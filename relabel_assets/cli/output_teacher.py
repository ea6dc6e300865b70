"""What the commands about the teacher print: estimates, the ledger, files of requests.

What belongs here: turning these into text for a person. What does not: computing them, and what any other command
prints (terminal.py).
"""

from collections.abc import Sequence
from pathlib import Path

import rich.table

from relabel_assets.cli.output import OUT, print_problems
from relabel_assets.corpus.config import TeacherConfig
from relabel_assets.teacher.batch.files import Intake
from relabel_assets.teacher.estimate import ASSUMED_LATENCY_S, Estimate, Part
from relabel_assets.teacher.ledger.report import Group, LedgerReport

_PROBLEMS_SHOWN = 20


def print_recorded(corpus: str) -> None:
    OUT.print(f"[bold]{corpus}[/]: the teacher is recorded; nothing is asked and nothing is paid")


def print_estimate(
    corpus: str, n_pairs: int, found: Estimate, config: TeacherConfig, spent_usd: float, assumption: str
) -> None:
    """What grading takes; where each figure comes from; what the budget says to it."""
    OUT.print(f"[bold]{corpus}[/]: {n_pairs:,} pairs, {found.n_requests:,} requests to {_models(found)}")
    if assumption:
        _line("assumed", f"{assumption}. `relabel run -s +bm25_candidates -c {corpus}` makes it exact, where it can")
    if not _figures(found):
        return
    for line in _budget(found, config, spent_usd):
        _line("budget", line)


def print_queries_estimate(corpus: str, found: Estimate) -> None:
    """What writing queries takes, one request a seed document."""
    OUT.print(
        f"[bold]{corpus}[/]: queries of {found.n_requests:,} seed documents, {found.n_requests:,} requests to {_models(found)}"
    )
    _figures(found)


def _figures(found: Estimate) -> bool:
    """Tokens, dollars and minutes; False where there is nothing to send."""
    _line(
        "answered",
        f"{found.n_answered:,} in the ledger already, out in a batch or the same as another; {found.n_to_send:,} to send",
    )
    if not found.n_to_send:
        return False
    _line("tokens", f"{found.prompt_tokens:,} prompt, {found.completion_tokens:,} completion")
    for part in found.parts:
        _line("", _source(part))
    _line("dollars", _dollars(found))
    if found.minutes is None:
        _line("minutes", f"unknown: {found.slowest}; a batch takes up to 24 hours")
    else:
        _line("minutes", f"{found.minutes:,.1f}, set by {found.slowest}; retries not counted")
    return True


def _line(label: str, text: str) -> None:
    OUT.print(f"  {label:<10}{text}", highlight=False, soft_wrap=True)


def _models(found: Estimate) -> str:
    return ", ".join(part.load.model for part in found.parts)


def _source(part: Part) -> str:
    if part.is_seen:
        return (
            f"{part.load.model}: {part.bytes_per_token:.2f} bytes a token, "
            f"{part.completion_tokens / max(1, part.load.n_to_send):.0f} completion tokens and {part.latency_s:.1f} s a "
            f"reply, as seen in {part.n_replies_seen:,} replies of the ledger"
        )
    return (
        f"{part.load.model}: {part.bytes_per_token:g} bytes a token, "
        f"{part.completion_tokens / max(1, part.load.n_to_send):.0f} completion tokens and "
        f"{ASSUMED_LATENCY_S:g} s a reply, assumed: the ledger has too few of its replies"
    )


def _dollars(found: Estimate) -> str:
    if found.cost_usd is None or found.most_usd is None:
        return f"unknown: no price for {', '.join(found.unpriced)}. Set teacher.price_usd_per_million_tokens in corpus.yaml"
    return f"${found.cost_usd:,.4f}; at most ${found.most_usd:,.4f}, if every reply were as long as it may be"


def _budget(found: Estimate, config: TeacherConfig, spent_usd: float) -> list[str]:
    lines = []
    for name, amount, before in (
        ("budget_usd", config.budget_usd, spent_usd),
        ("run_budget_usd", config.run_budget_usd, 0.0),
    ):
        if amount is None:
            continue
        left = max(0.0, amount - before)
        said = f"{name} is ${amount:,.4f}" + (f", ${before:,.4f} spent, ${left:,.4f} left" if before else "")
        if found.cost_usd is None:
            said += ": it cannot be kept without a price, and grading will refuse to start"
        elif found.cost_usd > left:
            said += ": not enough, the rest of the pairs would be over_budget"
        lines.append(said)
    return lines or ["none is set: nothing but the work to do limits what is spent"]


def print_ledger(folder: Path, found: LedgerReport, *, is_thorough: bool) -> None:
    """The ledger's size and spend by corpus, purpose and model; then the lines that cannot be used."""
    size = f"{found.n_files:,} files, {found.n_bytes / 1e6:,.1f} MB, {found.n_lines:,} lines, {found.n_keys:,} keys"
    OUT.print(f"[bold]{folder}[/]: {size}", highlight=False, soft_wrap=True)
    if found.groups:
        table = rich.table.Table(
            "corpus", "purpose", "model", "requests", "responses", "answers", "statuses", "prompt\ntokens",
            "completion\ntokens", "spent", "unpriced",
        )  # fmt: skip
        for names, group in sorted(found.groups.items()):
            table.add_row(*(name or "-" for name in names), *_cells(group))
        OUT.print(table)
    if found.n_unasked:
        OUT.print(f"{found.n_unasked:,} responses have no request in the ledger: they were made elsewhere.")
    print_problems(found.problems[:_PROBLEMS_SHOWN])
    if len(found.problems) > _PROBLEMS_SHOWN:
        OUT.print(f"  and {len(found.problems) - _PROBLEMS_SHOWN:,} more")
    checked = "every key is its request's hash" if is_thorough else "`relabel ledger --verify` checks the keys too"
    OUT.print(f"{len(found.problems):,} lines cannot be used; {checked}", highlight=False)


def _cells(group: Group) -> list[str]:
    statuses = ", ".join(f"{n:,} x {outcome}" for outcome, n in group.outcomes.most_common())
    counts = (group.n_requests, group.n_responses, group.n_answers)
    tokens = (group.prompt_tokens, group.completion_tokens)
    return [
        *(f"{n:,}" for n in counts), statuses or "-", *(f"{n:,}" for n in tokens), f"${group.usd:,.4f}",
        f"{group.n_unpriced:,}",
    ]  # fmt: skip


def print_export(corpus: str, files: Sequence[tuple[Path, int]]) -> None:
    if not files:
        OUT.print(f"[bold]{corpus}[/]: nothing to ask: the ledger answers every pair")
    for path, n_requests in files:
        OUT.print(f"[bold]{corpus}[/]: {n_requests:,} requests in {path}", highlight=False, soft_wrap=True)


def print_intake(found: Intake) -> None:
    """What became of imported lines."""
    OUT.print(
        f"{found.n_answers:,} answers and {found.n_failures:,} failures put into the ledger; {found.n_known:,} were there "
        f"already; {len(found.problems):,} lines kept out, {found.n_unknown:,} of them never asked from here",
        highlight=False,
        soft_wrap=True,
    )
    print_problems(found.problems[:_PROBLEMS_SHOWN])
