"""One bad input costs itself: a row, a file, a corpus."""

import polars as pl
import pytest

from relabel_assets.errors import ConfigError, CorpusError, Problem, RelabelError, WarehouseError
from relabel_assets.intake import one_input
from relabel_assets.intake.one_input import SetAside, costs_itself, for_each_corpus, problem_of


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (SetAside("no text", "Add it."), "f:3: no text. Add it."),
        (PermissionError(13, "Permission denied"), "f:3: it cannot be read: Permission denied."),
        (KeyError("x"), "f:3: it cannot be read: KeyError: 'x'."),
        (RecursionError("too deep"), "f:3: it cannot be read: RecursionError: too deep."),
        (MemoryError(), "f:3: it cannot be read: MemoryError."),
        (
            pl.exceptions.PanicException("capacity"),
            "f:3: it cannot be read: PanicException: capacity.",
        ),
        (CorpusError("whole", Problem("g", None, "empty", "Fill it.")), "g: empty. Fill it."),
        (ConfigError("c.yaml:1: wrong"), "f:3: c.yaml:1: wrong."),
    ],
)
def test_an_error_of_an_input_is_its_problem(error: BaseException, message: str) -> None:
    problems: list[Problem] = []
    with costs_itself(problems, "f", 3):
        raise error
    (problem,) = problems
    assert str(problem).startswith(message)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), SystemExit(), WarehouseError("locked")])
def test_what_is_not_the_inputs_fault_passes(error: BaseException) -> None:
    problems: list[Problem] = []
    with pytest.raises(type(error)), costs_itself(problems, "f"):
        raise error
    assert problems == []


def test_a_file_with_too_many_unusable_rows_is_not_read_to_its_end(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(one_input, "MAX_UNUSABLE_ROWS", 3)
    problems: list[Problem] = []

    def read(line: int | None) -> None:
        with costs_itself(problems, "queries.jsonl", line):
            raise SetAside("no text", "Add it.")

    for line in (5, 6, 7):
        read(line)
    read(None)  # a whole file: there are as many as the folder has
    with pytest.raises(CorpusError, match=r"more than 3 rows.*The first: queries.jsonl:5: no text"):
        read(8)


def test_a_message_has_no_control_characters_and_is_short() -> None:
    problem = problem_of(ValueError("\x1b[31m" + "x" * 10_000), "a\nb\x07.md")
    assert "\x1b" not in str(problem) and "\x07" not in str(problem)
    assert len(str(problem)) < 400


def test_a_corpus_that_fails_stops_no_other() -> None:
    failures: dict[str, RelabelError] = {}

    def work(name: str) -> int:
        return {"good": 1, "last": 3}[name]

    results = list(for_each_corpus(["good", "bad", "last"], work, failures.__setitem__))
    assert results == [("good", 1), ("last", 3)]
    assert "corpus 'bad' cannot be used: KeyError" in str(failures["bad"])


def test_a_broken_warehouse_stops_all() -> None:
    def work(name: str) -> int:
        raise WarehouseError("it is damaged")

    with pytest.raises(WarehouseError, match="it is damaged"):
        list(for_each_corpus(["a", "b"], work, lambda name, error: None))
