"""Commands over several corpora: one that fails is printed, and the others go on.

What belongs here: the loop and its exit code. What does not: which errors are a corpus' own
(intake/one_input.py).
"""

import traceback
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from typing import TypeVar

import typer
from rich.markup import escape

from relabel_assets.cli.console import ERR, is_debugging
from relabel_assets.errors import RelabelError
from relabel_assets.intake.one_input import for_each_corpus

Result = TypeVar("Result")


@dataclass
class EachCorpus:
    """A loop over corpora. `failures` has the error of each corpus that failed."""

    failures: dict[str, RelabelError] = field(default_factory=dict)

    def of(
        self, names: Iterable[str], work: Callable[[str], Result]
    ) -> Iterator[tuple[str, Result]]:
        """(name, `work(name)`) of each corpus that does not fail."""
        yield from for_each_corpus(names, work, self._on_failure)

    def _on_failure(self, name: str, error: RelabelError) -> None:
        self.failures[name] = error
        ERR.print(f"[red]{escape(name)} failed:[/] {escape(str(error))}", highlight=False)
        if is_debugging():
            ERR.print(escape("".join(traceback.format_exception(error))), soft_wrap=True)

    def exit_if_failed(self) -> None:
        """Exit with the code of the failure if one corpus failed, and with 1 if several did."""
        codes = [error.exit_code for error in self.failures.values()]
        if codes:
            raise typer.Exit(codes[0] if len(codes) == 1 else 1)
