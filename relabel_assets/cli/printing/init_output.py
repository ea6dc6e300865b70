"""What `relabel init` prints.

What belongs here: the new corpus in figures, what is set aside, a teacher's cost and the next steps. What
does not: what is counted (corpus/new_corpus/).
"""

from collections.abc import Sequence
from pathlib import Path

from relabel_assets.cli.console import ERR, OUT
from relabel_assets.cli.output import print_notes, print_problems
from relabel_assets.corpus.new_corpus.origin import Origin
from relabel_assets.corpus.new_corpus.overview import Overview
from relabel_assets.errors import Problem
from relabel_assets.intake.text import cut, one_line
from relabel_assets.plural import counted
from relabel_assets.teacher.trial_estimate import TrialEstimate

_PROBLEMS_SHOWN = 20  # one screen
_MOST_LANGUAGES = 4
_START_SHOWN = 60  # characters


def print_new(
    name: str, target: Path, origin: Origin, overview: Overview, *, is_made: bool
) -> None:
    """Print where the corpus is and what was understood of it."""
    counts = overview.counts
    made = "made" if is_made else "not made (--dry-run)"
    OUT.print(f"[bold]{name}[/]: {made} out of {origin.description}", highlight=False)
    if is_made:
        _line("folder", str(target))
    middle, long, most = overview.lengths
    _line(
        "documents",
        f"{counts.n_documents:,}; {overview.n_with_title:,} with a title, {overview.n_with_date:,} with a "
        f"date, {overview.n_with_author:,} with an author",
    )
    _line("length", f"half under {middle:,} characters, 95 % under {long:,}; the longest {most:,}")
    shares = overview.languages.most_common(_MOST_LANGUAGES)
    total = overview.languages.total()
    _line("language", ", ".join(f"{code} {n / total:.0%}" for code, n in shares) or "none")
    _line("queries", _provided(counts.n_queries, "the teacher writes them, or add queries.jsonl"))
    _line("grades", _grades(counts.n_recorded_labels, counts.n_reference_labels))
    for sample in overview.samples:
        about = ", ".join(filter(None, (sample.updated_at, sample.author)))
        title = cut(one_line(sample.title or "no title"), _START_SHOWN)
        _line("sample", f"{sample.doc_id}: {title}{f' ({about})' if about else ''}")
        _line("", cut(one_line(sample.start), _START_SHOWN))


def print_set_aside(problems: Sequence[Problem], notes: Sequence[str]) -> None:
    """Print what cannot be used, the first of many, and how files were read."""
    problems = list(dict.fromkeys(problems))
    print_notes(notes)
    if problems:
        OUT.print(f"  {counted(len(problems), 'problem')}:", highlight=False)
        print_problems(problems[:_PROBLEMS_SHOWN])
    if (more := len(problems) - _PROBLEMS_SHOWN) > 0:
        ERR.print(f"  ... and {more:,} more: relabel corpora check", highlight=False)


def print_cost(cost: TrialEstimate, model: str) -> None:
    """Print what a teacher would cost."""
    parts = [("queries", cost.queries_usd), ("grades", cost.grades_usd)]
    known = [f"${usd:,.2f} for {what}" for what, usd in parts if usd]
    if any(usd is None for _, usd in parts):
        known = [f"the price of {model} is unknown"]
    _line("cost", f"with {model} as the teacher: {' and '.join(known) or 'nothing'}, estimated")
    _line("", cost.assumption)


def print_next(name: str, overview: Overview, *, is_made: bool, kind: str) -> None:
    """Print what to do next."""
    if not is_made:
        _line("next", "the same without --dry-run")
    elif kind != "none":
        _line("next", f"relabel plan -c {name}, then relabel run -c {name}")
    else:
        _line("next", f"relabel run -c {name} -s seed_docs")
        _line("", f"It makes the table of documents. Then name a teacher in {name}/corpus.yaml.")


def _provided(n: int, otherwise: str) -> str:
    return f"{n:,}" if n else f"none: {otherwise}"


def _grades(n_recorded: int, n_reference: int) -> str:
    if not n_recorded and not n_reference:
        return "none: the teacher gives them; reference labels measure it"
    return f"{n_recorded:,} of a recorded teacher, {n_reference:,} reference labels"


def _line(label: str, text: str) -> None:
    OUT.print_folded(f"  {label:<9} ", text, indent=12)
