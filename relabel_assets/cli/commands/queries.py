"""Queries from a search log: `relabel queries sample`."""

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(no_args_is_help=True, help="Make queries of a search log.")


@app.command("sample")
def sample(
    log: Annotated[
        Path,
        typer.Argument(
            help="A table (.csv, .tsv, .xlsx, .jsonl, .parquet, ...) with a column query, and perhaps a "
            "column count; or a .txt file with a query a line."
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(
            help="The file for the queries, .jsonl. Put it into a corpus folder as queries.jsonl. Default: "
            "nothing is written, and some queries are shown."
        ),
    ] = None,
    n: Annotated[int, typer.Option("-n", min=1, help="Queries in the sample.")] = 300,
    split: Annotated[
        str | None,
        typer.Option(
            help="What they are for: train, benchmark or label. Default: not stated, and the corpus' "
            "settings divide them."
        ),
    ] = None,
    least_searches: Annotated[
        int,
        typer.Option(
            min=1,
            help="Leave out queries that were searched fewer times. What one person alone has typed may "
            "say who it is.",
        ),
    ] = 1,
    phone_region: Annotated[
        str | None,
        typer.Option(help="Country of phone numbers without a country code, such as US."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Another seed draws other queries.")] = 13,
    force: Annotated[bool, typer.Option("--force", help="Replace an existing --out.")] = False,
) -> None:
    """Draw queries of a search log that stand for all of its searches.

    The log is divided into the frequent queries that make a third of all searches (head), those that make the
    next third (torso), and the rest (tail). Each gives as many queries. A query carries its weight: the
    searches that it stands for. `benchmark_report` weighs by it, so that its means are means over searches.

    Left out are queries with personal data or secrets (addresses, numbers of phones, cards and accounts,
    keys), pasted texts, and near duplicates within the sample. Names are not found: read the sample.

    Examples:

        relabel queries sample log.csv

        relabel queries sample log.csv -n 500 --out data/support_desk/queries.jsonl

        relabel queries sample month.parquet --split label --least-searches 3 --out queries.jsonl
    """
    from relabel_assets.cli.printing import queries_output
    from relabel_assets.cli.progress_display import show_progress
    from relabel_assets.corpus.queries.queries import PROVIDED_SPLITS
    from relabel_assets.corpus.query_log.draw_queries import draw, strata_of
    from relabel_assets.corpus.query_log.groups import groups_of
    from relabel_assets.corpus.query_log.log_file import read_log
    from relabel_assets.corpus.query_log.sample_file import write_sample
    from relabel_assets.errors import ConfigError
    from relabel_assets.out_file import require_free
    from relabel_assets.progress import working_on
    from relabel_assets.teacher.redaction.personal_kinds import personal_kinds

    if split not in (None, *PROVIDED_SPLITS):
        raise ConfigError(f"--split is {split!r}. Allowed: {', '.join(PROVIDED_SPLITS)}.")
    if out is not None:
        if out.suffix != ".jsonl":
            raise ConfigError(f"--out is {out}. Its ending must be .jsonl.")
        require_free(out, is_forced=force)
    show_progress()
    with working_on(log.name) as progress:
        read = read_log(log, progress)
        found = groups_of(
            read.searches,
            lambda text: personal_kinds(text, phone_region),
            least_searches=least_searches,
            progress=progress,
        )
        if not found.groups:
            raise ConfigError(f"{log}: every query is left out. {queries_output.reasons(found)}")
        drawn = draw(found.groups, n, seed=seed)
    queries_output.print_sample(read, found, strata_of(found.groups), drawn)
    if out is not None:
        write_sample(drawn, out, split=split)
        queries_output.print_written(out, len(drawn))
