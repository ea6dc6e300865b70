"""The options that several commands share.

What belongs here: declarations and validation of these options. What does not: the commands
(commands/).
"""

from typing import Annotated

import typer

from relabel_assets.errors import CorpusError

CorpusOption = Annotated[
    list[str] | None,
    typer.Option("--corpus", "-c", help="A corpus, by name. Repeat for several. Default: all."),
]
SelectOption = Annotated[
    str | None,
    typer.Option(
        "--select",
        "-s",
        help="Tables in Dagster's selection syntax: `teacher_labels`, `student_model+`, "
        "`+student_labels`. Default: all.",
    ),
]


def chosen_corpora(requested: list[str] | None, data_path: str, names: list[str]) -> list[str]:
    """The requested corpora, sorted; all of `names` without a request.

    Raises CorpusError where the data folder has no corpus, or where a requested one does not exist.
    """
    if not names:
        raise CorpusError(
            f"no corpus in {data_path}. Create a folder with documents there, or set RELABEL_DATA."
        )
    unknown = sorted(set(requested or []) - set(names))
    if unknown:
        raise CorpusError(
            f"no corpus {', '.join(unknown)} in {data_path}. Available: {', '.join(names)}."
        )
    return sorted(set(requested)) if requested else names
