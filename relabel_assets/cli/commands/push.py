"""A student and labels for others: `relabel push`."""

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from relabel_assets.cli.options import OneCorpusOption

if TYPE_CHECKING:
    from relabel_assets.exchange.hub.package import Package
    from relabel_assets.graph.project import Project
    from relabel_assets.warehouse.warehouse import Warehouse


class Part(StrEnum):
    STUDENT = "student"
    LABELS = "labels"


def push(
    corpus: OneCorpusOption,
    to: Annotated[
        str,
        typer.Option(
            metavar="FOLDER|hub:ORG/NAME",
            help="A new folder, or a repository of the Hugging Face hub.",
        ),
    ],
    only: Annotated[
        Part | None,
        typer.Option(
            help="Only the student, or only the labels. Default: both.", show_default=False
        ),
    ] = None,
    labeler: Annotated[
        str, typer.Option(help="Whose grades the labels are, as in `relabel export`.")
    ] = "final",
    with_texts: Annotated[
        bool,
        typer.Option(
            "--with-texts",
            help="The documents' titles and texts too, and a student that holds counts of their words.",
        ),
    ] = False,
    public: Annotated[
        bool,
        typer.Option("--public", help="Everybody may read a new repository. Default: private."),
    ] = False,
) -> None:
    """Put the current student and a set of labels into a folder of the hub's shape, or on the hub.

    FOLDER/student is the student, with a model card. FOLDER/labels is a data set, with a card. The cards
    state the licence in corpus.yaml, the benchmark with its intervals, and what of the corpus is in them.

    Queries and ids of documents are in the labels. The documents' texts are not, without `--with-texts`. A
    late-interaction student holds vectors and word counts of the documents, so the hub gets it with
    `--with-texts` alone.

    On the hub the student is the model ORG/NAME, and the labels are the data set of that name. The token is
    HF_TOKEN, or that of `hf auth login`.

    Examples:

        relabel push -c support_desk --to shared/support_desk

        relabel push -c support_desk --to hub:acme/support-desk --only labels
    """
    import tempfile

    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing.exchange_output import print_pushed
    from relabel_assets.errors import ConfigError
    from relabel_assets.exchange.export_file import whole_folder
    from relabel_assets.exchange.hub.sending import PREFIX, repository, send
    from relabel_assets.intake.one_input import reason_of
    from relabel_assets.out_file import require_free
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    package = _package(project, warehouse, name, labeler, only, has_texts=with_texts)
    if to.startswith(PREFIX):
        target = repository(to)
        package.require_shareable()
        with tempfile.TemporaryDirectory() as scratch:
            package.write(Path(scratch))
            files = [file for file in Path(scratch).rglob("*") if file.is_file()]
            n_bytes = sum(file.stat().st_size for file in files)
            places = send(Path(scratch), target, is_public=public)
    else:
        out = Path(to)
        require_free(out)
        try:
            with whole_folder(out) as folder:
                package.write(folder)
        except OSError as error:
            raise ConfigError(f"--to {out} cannot be written: {reason_of(error)}.") from error
        files = [file for file in out.rglob("*") if file.is_file()]
        places, n_bytes = [str(out)], sum(file.stat().st_size for file in files)
    print_pushed(places, files, n_bytes, has_texts=with_texts)


def _package(
    project: "Project",
    warehouse: "Warehouse",
    corpus: str,
    labeler: str,
    only: Part | None,
    *,
    has_texts: bool,
) -> "Package":
    """What is pushed of `corpus`. Raises StudentError where the student is wanted and there is none."""
    from relabel_assets.errors import StudentError
    from relabel_assets.exchange.chosen_labels import chosen_labels, table_reader
    from relabel_assets.exchange.hub.cards import Facts
    from relabel_assets.exchange.hub.package import Package

    config = project.corpora().open(corpus).config
    report = warehouse.read("benchmark_report", corpus)
    facts = Facts(corpus, config.description or "", config.licence or "", report, has_texts)
    student = source = labels = None
    if only is not Part.LABELS:
        students = warehouse.read("student_model", corpus).filter("is_current")
        if students.is_empty():
            raise StudentError(
                f"corpus {corpus!r} has no student yet. Train one: relabel run -c {corpus} "
                "-s +student_model; or push the labels alone: --only labels."
            )
        student = students.row(0, named=True)
        source = project.home.inside(student["path"])
    if only is not Part.STUDENT:
        labels = chosen_labels(table_reader(warehouse, corpus), labeler, corpus)
    return Package(
        facts, lambda: warehouse.read_batches("seed_docs", corpus), student, source, labels
    )
