"""The options that several commands share.

What belongs here: declarations and validation of these options. What does not: the commands
(commands/).
"""

from collections.abc import Sequence
from enum import StrEnum
from importlib.metadata import PackageNotFoundError, version
from platform import python_version
from typing import Annotated

import typer

from relabel_assets.errors import CorpusError


class OutputFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


CorpusOption = Annotated[
    list[str] | None,
    typer.Option("--corpus", "-c", help="A corpus, by name. Repeat for several. Default: all."),
]
OneCorpusOption = Annotated[str, typer.Option("--corpus", "-c", help="The corpus.")]
SelectOption = Annotated[
    str | None,
    typer.Option(
        "--select",
        "-s",
        help="Tables. `+student_model`: it and all that it is made from. `student_model+`: it and all that "
        "is made from it. `1+student_model`: one layer. Join with `or`, `and`, `not`, as in Dagster's "
        "selection syntax: `seed_docs or kind:pytorch`. Default: all.",
    ),
]
FormatOption = Annotated[
    OutputFormat,
    typer.Option(
        "--format",
        "-f",
        help="`text`, or `json`: an object a line on stdout, one for each corpus. All other output is then "
        "on stderr.",
    ),
]
VersionOption = Annotated[
    bool,
    typer.Option(
        "--version",
        is_eager=True,
        callback=lambda is_wanted: _print_versions() if is_wanted else None,
        help="Print the version of this package, and those of Python and of what it is built on.",
    ),
]


def chosen_corpora(requested: Sequence[str] | None, data_path: str, names: list[str]) -> list[str]:
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


def _print_versions() -> None:
    """Print one line, and end the command."""
    parts = [f"Python {python_version()}"]
    for package in ("torch", "dagster", "duckdb"):
        try:
            parts.append(f"{package} {version(package)}")
        except PackageNotFoundError:
            parts.append(f"no {package}")
    typer.echo(f"relabel-assets {version('relabel-assets')} ({', '.join(parts)})")
    raise typer.Exit
