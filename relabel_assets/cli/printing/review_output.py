"""What the commands of `relabel review` print.

What belongs here: samples, the address of the page, and tables of assessors. What does not: other commands'
output (output.py), and what is counted (review/).
"""

import math
from collections.abc import Iterator, Sequence
from pathlib import Path

from rich.markup import escape

from relabel_assets.benchmark.agreement import Agreement
from relabel_assets.cli.console import ERR, OUT
from relabel_assets.cli.output import print_problems
from relabel_assets.cli.printing.output_tables import print_table
from relabel_assets.errors import Problem
from relabel_assets.plural import counted
from relabel_assets.review.draws.draw import Draw
from relabel_assets.review.forms.import_answers import Imported
from relabel_assets.review.page.desk import Progress
from relabel_assets.review.page.serving import Address
from relabel_assets.review.pairs_to_review import PairsToReview

# Not measured here: what a person takes for a pair with a document of a page, at first.
_SECONDS_A_PAIR = 20
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


def print_no_samples() -> None:
    """Print that no corpus has a sample yet, and what makes one."""
    OUT.print(
        "No corpus has a sample of pairs for people yet. Draw one: relabel review sample -c NAME",
        highlight=False,
    )


def print_progress(
    pairs: PairsToReview, progress: Sequence[Progress], problems: Sequence[Problem]
) -> None:
    """Print how far each assessor is, and the lines that could not be read."""
    print_problems(problems)
    if pairs.n_gone:
        OUT.print(
            f"{pairs.corpus}: {counted(pairs.n_gone, 'sampled pair')} without a query or document by now.",
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


def print_draw(corpus: str, draw: Draw) -> None:
    """Print the strata of a sample, what a draw changed, and what comes next."""
    rows = [
        (stratum, f"{n_stratum:,}", f"{n_drawn:,}", f"{chance:.3g}")
        for stratum, n_stratum, n_drawn, chance in draw.strata.iter_rows()
    ]
    title = f"{corpus}: {counted(draw.n_drawn, 'pair')} of {draw.n_pool:,}, drawn by {draw.by}"
    print_table(("stratum", "pool", "drawn", "chance"), rows, title=title)
    for line in _changes(draw):
        OUT.print(line, highlight=False)
    minutes = math.ceil(draw.n_drawn * _SECONDS_A_PAIR / 60)
    OUT.print(
        f"One person needs about {counted(minutes, 'minute')}, at {_SECONDS_A_PAIR} s a pair (assumed).\n"
        f"Next: relabel review serve -c {corpus} --open",
        highlight=False,
    )


def _changes(draw: Draw) -> Iterator[str]:
    """A line for each thing that a draw changed, or that it could not do."""
    if draw.n_joined:
        yield f"{counted(draw.n_joined, 'pair')} joined the pool since the last draw."
    if draw.n_left:
        yield f"{counted(draw.n_left, 'pair')} left the pool since the last draw."
    is_whole = draw.n_drawn == draw.n_pool
    if draw.n_new and draw.n_new < draw.n_drawn:
        yield f"{counted(draw.n_new, 'pair')} drawn now; those of earlier draws stay."
    elif not draw.n_new and not is_whole:
        is_short = draw.n_wanted > draw.n_drawn  # by less than half a query
        reason = "that is less than a query brings" if is_short else "the sample has its size"
        yield f"Nothing new was drawn: {reason}. Draw more with --more."
    if is_whole:
        yield "The whole pool is in the sample."
    elif draw.n_new and draw.by == "pair" and draw.n_drawn > draw.n_wanted:
        yield f"More than {draw.n_wanted:,}, because every stratum has two pairs at least."


def print_export(corpus: str, tool: str, files: Sequence[Path], n_pairs: int) -> None:
    """Print what was written, and how the grades come back."""
    written = " and ".join(escape(str(file)) for file in files)
    OUT.print(
        f"{counted(n_pairs, 'pair')} of {corpus} written to {written}.\n"
        f"When graded: relabel review import FILE --from {tool} -c {corpus}"
        + (" --assessor NAME" if tool == "csv" else ""),
        highlight=False,
        soft_wrap=True,
    )


def print_import(corpus: str, imported: Imported) -> None:
    """Print how many reviews were written for whom, and what was left out."""
    for assessor, n_written in imported.n_written.items():
        OUT.print(f"{escape(assessor)}: {counted(n_written, 'grade')} imported.", highlight=False)
    if imported.n_known:
        OUT.print(f"{counted(imported.n_known, 'grade')} imported before.", highlight=False)
    if imported.n_empty:
        OUT.print(f"{counted(imported.n_empty, 'pair')} without a grade.", highlight=False)
    if sum(imported.n_written.values()):
        OUT.print(f"Next: relabel run -c {corpus}", highlight=False)


def print_agreement(corpus: str, found: Sequence[Agreement]) -> None:
    """Print how far assessors agree on the pairs that they share; nothing where they share none."""
    if not found:
        return
    rows = [
        (
            " and ".join(one.assessors) if len(one.assessors) == 2 else "all",
            one.measure,
            "-" if one.value is None else f"{one.value:.2f}",
            "-" if one.ci_low is None else f"{one.ci_low:.2f} to {one.ci_high:.2f}",
            f"{one.n_pairs:,}",
            f"{one.n_queries:,}",
        )
        for one in found
    ]
    columns = ("assessors", "measure", "value", "95 % interval", "pairs", "queries")
    print_table(columns, rows, title=f"{corpus}: agreement on shared pairs")
