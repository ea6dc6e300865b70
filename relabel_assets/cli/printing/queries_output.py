"""What `relabel queries sample` prints.

What belongs here: the log in figures, its strata, and the sample. What does not: other commands' output.
"""

from collections.abc import Sequence
from pathlib import Path

from rich.markup import escape

from relabel_assets.cli.console import ERR, OUT
from relabel_assets.cli.output import print_notes, print_problems
from relabel_assets.cli.printing.output_tables import print_table
from relabel_assets.corpus.query_log.draw_queries import DrawnQuery, Stratum, effective_size
from relabel_assets.corpus.query_log.groups import Groups
from relabel_assets.corpus.query_log.log_file import SearchLog
from relabel_assets.intake.text import cut
from relabel_assets.plural import counted

_COLUMNS = ("stratum", "queries", "searches", "drawn", "examples")
_MOST_PROBLEMS = 10
_EXAMPLES = 3


def reasons(found: Groups) -> str:
    """Why searches were left out, with their numbers; empty where none was."""
    if not found.left_out:
        return ""
    counts = sorted(found.left_out.items(), key=lambda item: -item[1])
    return "Left out: " + ", ".join(f"{n:,} {reason}" for reason, n in counts) + "."


def print_sample(
    log: SearchLog, found: Groups, strata: Sequence[Stratum], drawn: Sequence[DrawnQuery]
) -> None:
    """Print what the log holds and what was drawn from it."""
    if log.taken:
        print_notes([log.taken])
    print_problems(log.problems[:_MOST_PROBLEMS])
    if (more := len(log.problems) - _MOST_PROBLEMS) > 0:
        ERR.print(f"... and {counted(more, 'row')} more that cannot be used.")
    total = sum(stratum.n_searches for stratum in strata)
    OUT.print(
        f"{counted(log.searches.total(), 'search')} of "
        f"{counted(len(log.searches), 'query')}; {counted(len(found.groups), 'query')} without those that "
        f"differ in case, order and punctuation alone. {reasons(found)}",
        highlight=False,
    )
    of_stratum = {
        stratum.name: [query for query in drawn if query.stratum == stratum.name]
        for stratum in strata
    }
    rows = [
        (
            stratum.name,
            f"{len(stratum.groups):,}",
            f"{stratum.n_searches / total:.0%}",
            f"{len(of_stratum[stratum.name]):,}",
            ", ".join(cut(query.text, 30) for query in of_stratum[stratum.name][:_EXAMPLES]),
        )
        for stratum in strata
    ]
    print_table(_COLUMNS, rows)
    OUT.print(
        f"{counted(len(drawn), 'query')} drawn. Weighted means over them are as sure as means over "
        f"{effective_size(drawn):,.0f} queries of equal weight.",
        highlight=False,
    )


def print_written(out: Path, n: int) -> None:
    OUT.print(f"{escape(str(out))}: {counted(n, 'query')} with weights.", highlight=False)
