"""`relabel plan --preview`: what it prints about the grades that would move, and its JSON object.

What belongs here: wording and layout. What does not: the sample and its answers
(running/preview_grades.py) and the statistics (benchmark/drift/).
"""

import math
from typing import Any

import rich.table
from rich.markup import escape

from relabel_assets.benchmark.drift.flips import Measured
from relabel_assets.benchmark.drift.orders import MIN_QUERIES
from relabel_assets.cli.console import ERR, OUT, is_plain
from relabel_assets.cli.printing.output_tables import print_table
from relabel_assets.plural import counted
from relabel_assets.running.preview_grades import GradePreview, unanswered
from relabel_assets.teacher.estimate import Estimate

_COLUMNS = ["grade", "pairs", "asked", "lower", "same", "higher", "share that moves", "mean change"]


def print_before(corpus: str, n_pairs: int, estimate: Estimate | None) -> None:
    """Print what is about to be asked, and what it is estimated to cost, on stderr."""
    if estimate is None:
        return
    if not estimate.n_to_send:
        cost = "no cost, the ledger has the answers"
    else:
        dollars = "of unknown price"
        if estimate.cost_usd is not None:
            dollars = f"about ${estimate.cost_usd:,.4f}, at most ${estimate.max_usd:,.4f}"
        cost = f"{counted(estimate.n_to_send, 'request')}, {dollars}"
    ERR.print(
        f"{corpus}: asking the teacher about {counted(n_pairs, 'pair')}: {cost}",
        highlight=False,
        soft_wrap=True,
    )


def print_preview(corpus: str, preview: GradePreview | None) -> None:
    """Print the moved grades by old grade, the estimates for all pairs, and what was paid."""
    if preview is None:
        _head(corpus, "recorded teacher: nothing is asked and nothing paid, so there is no preview")
        return
    if not preview.n_pairs:
        _head(
            corpus,
            "no grade would be asked again: rubric, prompt and teacher are those of the stored grades",
        )
        return
    _head(
        corpus,
        f"{len(preview.asked):,} of {counted(preview.n_pairs, 'pair')} whose grade would be asked again; "
        f"{_paid(preview)}",
    )
    if not preview.graded.is_empty():
        print_table(_COLUMNS, [_cells(row) for row in preview.flips.iter_rows(named=True)])
        for label, text in _estimates(preview):
            _line(label, text)
    for text in unanswered(preview):
        _line("no grade", text)
    for notice in preview.notices:
        _line("notice", notice)
    if n_kept := len(preview.kept):
        _line("kept", f"{counted(n_kept, 'grade')} would not be asked again")
    if preview.n_new:
        _line("new", f"{counted(preview.n_new, 'pair')} without a grade so far would be asked too")
    _line("", "A run does not pay for these answers again. What it would still pay is in the plan:")


def preview_facts(preview: GradePreview | None) -> dict[str, Any]:
    """The preview as a JSON object. Intervals are null where they cannot be told."""
    if preview is None:
        return {"is_recorded": True}
    orders, n_comparisons, n_queries = preview.orders
    return {
        "is_recorded": False,
        "pairs": preview.n_pairs,
        "asked": len(preview.asked),
        "graded": len(preview.graded),
        "from_ledger": preview.n_replayed,
        "spent_usd": preview.spent_usd if preview.is_priced else None,
        "grades": preview.flips.to_dicts() if preview.n_pairs else [],
        "moved_share": _ends(preview.moved_share),
        "mean_change": _ends(preview.mean_change),
        "ndcg_at_10_of_old_order": preview.ndcg,
        "changed_orders": _ends(orders),
        "order_comparisons": n_comparisons,
        "order_queries": n_queries,
        "without_grade": unanswered(preview),
        "kept": len(preview.kept),
        "new": preview.n_new,
    }


def _estimates(preview: GradePreview) -> list[tuple[str, str]]:
    """A line for each estimate about all pairs: moved grades, mean change, NDCG, orders."""
    missing = "cannot tell: no pair of some grade was answered"
    moved, change, n = preview.moved_share, preview.mean_change, preview.n_pairs
    lines = []
    if moved is None or change is None:
        lines += [("moved", missing)]
    else:
        few, many = math.floor(n * moved.low + 1e-9), math.ceil(n * moved.high - 1e-9)
        lines.append(
            (
                "moved",
                f"{n * moved.value:,.0f} of {n:,} grades [{few:,}, {many:,}], "
                f"{moved.value:.1%} [{moved.low:.1%}, {moved.high:.1%}]",
            )
        )
        lines.append(
            ("change", f"{change.value:+.2f} [{change.low:+.2f}, {change.high:+.2f}] in the mean")
        )
    lines.append(("NDCG@10", _ndcg(preview)))
    if (highest := max(preview.sizes)) > preview.max_grade:
        lines.append(
            (
                "scale",
                f"the best grade is {preview.max_grade} now, and old grades reach {highest}: a moved "
                "grade may mean the same",
            )
        )
    return lines


def _ndcg(preview: GradePreview) -> str:
    if preview.ndcg is not None:
        return f"{preview.ndcg:.3f} is what the order by old grades has under the new ones"
    orders, n_comparisons, n_queries = preview.orders
    why = "cannot tell: it needs all grades of a query"
    if orders is None:
        return (
            f"{why}. Nor can changed orders be told: the sample compares documents of "
            f"{counted(n_queries, 'query')}, and needs {MIN_QUERIES}. A larger --preview may tell; one of "
            f"all {preview.n_pairs:,} pairs tells NDCG"
        )
    return (
        f"{why}. Of two documents of a query with different grades, {orders.value:.1%} "
        f"[{orders.low:.1%}, {orders.high:.1%}] would lose their order "
        f"({counted(n_comparisons, 'comparison')}, {counted(n_queries, 'query')})"
    )


def _cells(row: dict[str, Any]) -> list[str]:
    counts = [row["old_grade"], row["n_pairs"], row["n_asked"], row["n_lower"]]
    counts += [row["n_asked"] - row["n_moved"], row["n_higher"]]
    if row["share"] is None:
        return [*(f"{count:,}" for count in counts), "cannot tell", "cannot tell"]
    share = f"{row['share']:.0%} [{row['ci_low']:.0%}, {row['ci_high']:.0%}]"
    return [*(f"{count:,}" for count in counts), share, f"{row['mean_change']:+.2f}"]


def _paid(preview: GradePreview) -> str:
    paid = f"${preview.spent_usd:,.4f} paid" if preview.is_priced else "of unknown price"
    return f"{preview.n_replayed:,} answered by the ledger, {paid}"


def _ends(measured: Measured | None) -> dict[str, float] | None:
    return None if measured is None else measured._asdict()


def _head(corpus: str, text: str) -> None:
    OUT.print(f"[bold]{corpus}[/]: preview: {escape(text)}", highlight=False, soft_wrap=is_plain())


def _line(label: str, text: str) -> None:
    """Print a labelled text: in a terminal with its further lines below its first, else as one line."""
    if is_plain():
        OUT.print(f"  {label:<10}{escape(text)}", highlight=False, soft_wrap=True)
        return
    line = rich.table.Table.grid(padding=(0, 0))
    line.add_column(width=12)
    line.add_column(overflow="fold")
    line.add_row(f"  {label}", escape(text))
    OUT.print(line, highlight=False)
