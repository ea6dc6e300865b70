"""What the commands of `relabel review` print.

What belongs here: the address of the page, and tables of assessors. What does not: other commands'
output (output.py), and what is counted (review/).
"""

from collections.abc import Sequence

from rich.markup import escape

from relabel_assets.cli.console import ERR, OUT
from relabel_assets.cli.output import print_problems
from relabel_assets.cli.output_tables import print_table
from relabel_assets.errors import Problem
from relabel_assets.plural import counted
from relabel_assets.review.desk import Progress
from relabel_assets.review.pairs import PairsToReview
from relabel_assets.review.serving import Address

_COLUMNS = ("assessor", "graded", "skipped", "left", "seconds a pair", "last review (UTC)")


def print_address(pairs: PairsToReview, address: Address) -> None:
    """Print where the page is, on stdout, and what to know about it on stderr."""
    n_queries = len({query_id for query_id, _ in pairs.pairs})
    ERR.print(
        f"{counted(len(pairs.pairs), 'pair')} of {counted(n_queries, 'query')} of "
        f"{escape(pairs.corpus)}. Grades go to {escape(str(pairs.folder))}. Ctrl-C ends the page.",
        highlight=False,
        soft_wrap=True,
    )
    if not address.is_local:
        ERR.print(
            "Whoever has this address can read the documents and grade. It is not encrypted: use it in a "
            "network that you trust.",
            highlight=False,
            soft_wrap=True,
        )
    print(address.url, flush=True)


def print_progress(
    pairs: PairsToReview, progress: Sequence[Progress], problems: Sequence[Problem]
) -> None:
    """Print how far each assessor is, and the lines that could not be read."""
    print_problems(problems)
    if pairs.n_gone:
        OUT.print(
            f"{counted(pairs.n_gone, 'sampled pair')} of {pairs.corpus} have no query or document any more.",
            highlight=False,
        )
    if not progress:
        OUT.print(
            f"{pairs.corpus}: nobody has graded any of {counted(len(pairs.pairs), 'pair')} yet.",
            highlight=False,
        )
        return
    print_table(_COLUMNS, [_cells(one) for one in progress], title=pairs.corpus, are_named=True)


def _cells(progress: Progress) -> tuple[str, ...]:
    seconds, last = progress.seconds_per_review, progress.last_reviewed_at
    return (
        progress.assessor,
        f"{progress.n_graded:,}",
        f"{progress.n_skipped:,}",
        f"{progress.n_left:,}",
        "" if seconds is None else f"{seconds:.1f}",
        "" if last is None else f"{last:%Y-%m-%d %H:%M}",
    )
