"""Grading with another tool: `relabel review export` and `relabel review import`."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from relabel_assets.cli.options import OneCorpusOption


class Tool(StrEnum):
    CSV = "csv"
    LABEL_STUDIO = "label_studio"
    ARGILLA = "argilla"


def export_forms(
    corpus: OneCorpusOption,
    to: Annotated[
        Tool, typer.Option(help="The tool: csv (a spreadsheet), label_studio or argilla.")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="The file to write, such as pairs.csv.")],
    force: Annotated[bool, typer.Option("--force", help="Replace what exists.")] = False,
) -> None:
    """Write the sampled pairs to a file for another tool, blind: no grade, no score, no stratum.

    csv: fill the column `grade` with the digits that `allowed_grades` explains. Text that a spreadsheet would
    run as a formula begins with an apostrophe, which the import takes off again.

    label_studio: tasks to import, and beside them the labeling configuration (`.config.xml`).

    argilla: records for `dataset.records.from_json`, and beside them the settings for
    `rg.Settings.from_json` (`.settings.json`).

    Examples:

        relabel review export -c support_desk --to csv -o pairs.csv

        relabel review export -c support_desk --to label_studio -o tasks.json
    """
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing import review_output
    from relabel_assets.errors import ConfigError
    from relabel_assets.files import whole
    from relabel_assets.out_file import require_free
    from relabel_assets.review.forms.form import questions
    from relabel_assets.review.forms.import_answers import FORMATS
    from relabel_assets.review.pairs_to_review import pairs_to_review
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    pairs = pairs_to_review(project.corpora().open(name), warehouse)
    contents = FORMATS[to].write(questions(pairs), pairs.rubric)
    # The first file is the one that was named; the others are beside it.
    first, *_ = contents
    files = {out if suffix == first else out.with_suffix(suffix): suffix for suffix in contents}
    for file in files:
        require_free(file, is_forced=force)
    for file, suffix in files.items():
        try:
            with whole(file) as scratch:
                scratch.write_bytes(contents[suffix])
        except OSError as error:
            raise ConfigError(
                f"--out {file} cannot be written: {error.strerror}. Choose another --out."
            ) from error
    review_output.print_export(name, to.value, list(files), len(pairs.pairs))


def import_forms(
    file: Annotated[
        Path, typer.Argument(help="The file that the tool exported, or the filled CSV.")
    ],
    corpus: OneCorpusOption,
    origin: Annotated[Tool, typer.Option("--from", help="The tool: csv, label_studio or argilla.")],
    assessor: Annotated[
        str | None,
        typer.Option(
            help="Who graded. Default: as the file names them (CSV: the column `assessor`; Label Studio: "
            "email or id; Argilla: user_id)."
        ),
    ] = None,
) -> None:
    """Write the grades in a file as reviews: `data/NAME/reviews/ASSESSOR.jsonl`. All of them, or none.

    A grade outside the rubric, an unknown pair or broken JSON is printed with its line, and then nothing is
    imported. Pairs without a grade are left out. The same file again changes nothing.

    Examples:

        relabel review import pairs.csv --from csv -c support_desk --assessor ana

        relabel review import export.json --from label_studio -c support_desk
    """
    from relabel_assets.cli.options import chosen_corpora
    from relabel_assets.cli.printing import review_output
    from relabel_assets.review.forms.import_answers import import_answers
    from relabel_assets.review.store import FOLDER
    from relabel_assets.running import runner

    project, warehouse = runner.from_environment()
    (name,) = chosen_corpora([corpus], project.data_path, project.corpora().names())
    folder = project.corpora().open(name)
    candidates = warehouse.read("bm25_candidates", name, columns=["query_id", "doc_id"])
    imported = import_answers(
        file,
        origin.value,
        reviews=folder.path / FOLDER,
        pairs=candidates.iter_rows(),
        rubric=folder.rubric,
        assessor=assessor,
    )
    review_output.print_import(name, imported)
