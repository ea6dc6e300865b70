"""Grades by people: `relabel review serve`, `relabel review status`, and the group of the others."""

import webbrowser
from typing import Annotated

import typer

from relabel_assets.cli.commands.reviews.review_forms import export_forms, import_forms
from relabel_assets.cli.commands.reviews.review_sample import sample
from relabel_assets.cli.options import CorpusOption, OneCorpusOption

app = typer.Typer(
    no_args_is_help=True,
    help="Have people grade pairs, blind: draw a sample, serve the page, see how far they are.",
)

app.command()(sample)
app.command("export")(export_forms)
app.command("import")(import_forms)

_PORT = 8765


@app.command()
def serve(
    corpus: OneCorpusOption,
    host: Annotated[
        str,
        typer.Option(
            help="The address to listen at. Another one than this machine's own asks for the token that is "
            "printed."
        ),
    ] = "127.0.0.1",
    port: Annotated[
        int | None,
        typer.Option(
            min=1, max=65535, help=f"The port. Default: {_PORT}, or the next one that is free."
        ),
    ] = None,
    assessor: Annotated[
        str | None,
        typer.Option(help="The name of the person who grades. Default: the page asks for it."),
    ] = None,
    is_opened: Annotated[
        bool, typer.Option("--open", help="Open the page in the browser.")
    ] = False,
) -> None:
    """Serve the page where people grade the sampled pairs of a corpus. Ctrl-C ends it.

    Draw the pairs first: `relabel review sample -c NAME -n 200`.

    The page shows a query and a document, and no grade of teacher or student. Press `0` to `3` (the grades
    of the rubric), `s` to skip, `u` to undo, `n` for a note, `?` for help. Every assessor has an order of
    their own.

    A grade is in `data/NAME/reviews/ASSESSOR.jsonl`, on the disk, before the page goes on. So the page and
    this command can be closed at any time. Later the page goes on where it was.

    Examples:

        relabel review serve -c support_desk --open

        relabel review serve -c support_desk --assessor ana --port 9000

        relabel review serve -c support_desk --host 0.0.0.0     (colleagues open the address with its token)
    """
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing import review_output
    from relabel_assets.errors import ConfigError
    from relabel_assets.intake.one_input import SetAside
    from relabel_assets.review.page.desk import progress_of_all
    from relabel_assets.review.page.serving import Address, serve_review
    from relabel_assets.review.pairs_to_review import pairs_to_review
    from relabel_assets.review.review import assessor_name
    from relabel_assets.running import runner

    try:
        name_of_assessor = assessor_name(assessor) if assessor is not None else None
    except SetAside as error:
        raise ConfigError(f"{error.message}. {error.remedy}") from error
    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    pairs = pairs_to_review(project.corpora().open(name), warehouse)

    def announce(address: Address) -> None:
        review_output.print_address(pairs, address)
        if is_opened:
            webbrowser.open(address.url)

    try:
        serve_review(
            pairs,
            host=host,
            ports=[port] if port else range(_PORT, _PORT + 20),
            assessor=name_of_assessor,
            announce=announce,
        )
    except KeyboardInterrupt:
        progress, log = progress_of_all(pairs)
        review_output.print_progress(pairs, progress, log.problems)
        raise


@app.command()
def status(corpus: CorpusOption = None) -> None:
    """Show how many pairs each assessor has graded and skipped, how many are left, and how far they agree.

    Agreement is of pairs that several people graded: Krippendorff's alpha (ordinal) of all of them, Cohen's
    kappa of every two, plain and with quadratic weights. 1 is full agreement, 0 is what chance gives.

    Only sampled pairs count. A pair whose document has changed since counts as left: it is asked again.

    Examples:

        relabel review status

        relabel review status -c support_desk
    """
    from relabel_assets.benchmark.agreement import agreement
    from relabel_assets.cli.each_corpus import EachCorpus
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing import review_output
    from relabel_assets.review.page.desk import progress_of_all
    from relabel_assets.review.pairs_to_review import pairs_to_review
    from relabel_assets.review.samples import last_draw
    from relabel_assets.review.store import FOLDER, read_reviews
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    corpora = project.corpora()
    names = chosen_corpora(corpus, project.data_path, corpora.names())
    if corpus is None:
        names = [name for name in names if last_draw(corpora.root / name / FOLDER)]
        if not names:
            review_output.print_no_samples()
    each = EachCorpus()
    for _, pairs in each.of(names, lambda name: pairs_to_review(corpora.open(name), warehouse)):
        progress, log = progress_of_all(pairs)
        review_output.print_progress(pairs, progress, log.problems)
        reviews = read_reviews(pairs.folder, max_grade=pairs.rubric.max_grade).frame
        review_output.print_agreement(pairs.corpus, agreement(reviews.drop_nulls("grade")))
    each.exit_if_failed()
