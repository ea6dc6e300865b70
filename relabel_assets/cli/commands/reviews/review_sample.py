"""Drawing pairs for people: `relabel review sample`."""

from typing import Annotated

import typer

from relabel_assets.cli.options import OneCorpusOption


def sample(
    corpus: OneCorpusOption,
    n: Annotated[
        int,
        typer.Option("-n", min=1, help="Pairs in the sample, those of earlier draws included."),
    ] = 200,
    more: Annotated[
        int | None,
        typer.Option(min=1, help="Draw this many pairs more than there are, in place of `-n`."),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="pair|query",
            help="What is drawn: single pairs, best for mean grades and agreement; or queries, each with all "
            "of the student's top 10, best for NDCG@10. Default: pair, or that of the last draw.",
        ),
    ] = None,
    split: Annotated[
        list[str] | None,
        typer.Option(
            help="Draw from queries of this split: benchmark, dev, train or label. Repeat for several. "
            "Default: benchmark, or those of the last draw."
        ),
    ] = None,
) -> None:
    """Draw pairs for people to grade, each with a known chance.

    The pool is all candidates of the benchmark queries. Its strata are made of the student's grade, whether
    the teacher gave another one, whether the pair is in the student's top 10, and whether the student is
    unsure. Strata in which the student is less sure get more pairs. No pair has the chance zero, so people's
    grades of the sample speak for the whole pool.

    The same command again draws nothing. A larger `-n`, or `--more`, joins the sample: what was drawn stays,
    and all chances are exact. Pairs that came to the pool since are drawn from too.

    Examples:

        relabel review sample -c support_desk -n 200

        relabel review sample -c support_desk --more 100

        relabel review sample -c support_desk -n 240 --by query
    """
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing import review_output
    from relabel_assets.errors import ConfigError
    from relabel_assets.review.draws.draw import draw_sample
    from relabel_assets.review.samples import BY, read_frame
    from relabel_assets.review.store import FOLDER
    from relabel_assets.running import runner
    from relabel_assets.running.review_pool import review_pool
    from relabel_assets.tables.vocabulary import SPLITS

    for option, value, allowed in (
        ("--by", by, BY),
        *(("--split", one, SPLITS) for one in split or ()),
    ):
        if value not in (None, *allowed):
            raise ConfigError(f"{option} is {value!r}. Allowed: {', '.join(allowed)}.")
    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    reviews = project.corpora().open(name).path / FOLDER
    pool = review_pool(warehouse, name, read_frame(reviews), split or ())
    review_output.print_draw(name, draw_sample(reviews, pool, n=n, more=more, by=by))
