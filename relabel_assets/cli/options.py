"""Arguments that several commands share, and what they stand for.

What belongs here: options and their reading. What does not: the commands themselves.
"""

from typing import Annotated

import typer

from relabel_assets.errors import CorpusError

CorpusOption = Annotated[
    list[str] | None, typer.Option("--corpus", "-c", help="A corpus by name; may be given again. All if left out.")
]
SelectOption = Annotated[
    str | None,
    typer.Option(
        "--select",
        "-s",
        help="Tables, in Dagster's selection syntax: `teacher_labels`, `student_model+`, `+student_labels`.",
    ),
]


def chosen_corpora(asked: list[str] | None, data_path: str, names: list[str]) -> list[str]:
    """The corpora asked for, or all. Raises CorpusError where there is none, or one that is not there."""
    if not names:
        raise CorpusError(f"no corpus in {data_path}. Make a folder there with documents in it, or set RELABEL_DATA.")
    unknown = sorted(set(asked or []) - set(names))
    if unknown:
        raise CorpusError(f"no corpus {', '.join(unknown)} in {data_path}. There: {', '.join(names)}.")
    return sorted(set(asked)) if asked else names
