"""Failed steps: what is tried again, what is not, and the message for people."""

import errno
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import polars as pl
import pytest

from relabel_assets.errors import CorpusError, RelabelError
from relabel_assets.graph import failures
from relabel_assets.graph.recipe import RECIPES
from relabel_assets.graph.step import Rows, Step
from relabel_assets.graph.step_log import logged_progress
from relabel_assets.graph.table_asset import table_asset
from relabel_assets.running import runner
from relabel_assets_tests.builders import write_corpus


@pytest.mark.parametrize(
    ("error", "may_mend"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (OSError(errno.EIO, "Input/output error"), True),
        (OSError(errno.ENETUNREACH, "Network is unreachable"), True),
        (OSError(errno.ENOSPC, "No space left on device"), False),
        (PermissionError(errno.EACCES, "Permission denied"), False),
        (FileNotFoundError(errno.ENOENT, "No such file"), False),
        (KeyError("grade"), False),
        (MemoryError(), False),
        (CorpusError("no documents"), False),
        (pl.exceptions.PanicException("index out of bounds"), False),
    ],
)
def test_only_an_error_that_may_mend_itself_is_tried_again(
    error: BaseException, may_mend: bool
) -> None:
    raised = failures.as_dagster_error(error, 0)
    assert isinstance(raised, dg.RetryRequested if may_mend else dg.Failure)
    last = failures.as_dagster_error(error, 2)
    assert isinstance(last, dg.Failure) and last.allow_retries is False


def test_a_retry_waits_twice_as_long_as_the_one_before() -> None:
    waits = [failures.as_dagster_error(TimeoutError(), number) for number in (0, 1)]
    assert [wait.seconds_to_wait for wait in waits] == [5, 10]  # type: ignore[union-attr]


def test_an_error_that_may_mend_itself_comes_before_others_until_the_last_try() -> None:
    errors = {"one": KeyError("a"), "two": TimeoutError(), "three": CorpusError("empty")}
    assert failures.joint_error(errors, 1) is errors["two"]
    last = failures.joint_error(errors, 2)
    assert isinstance(last, RelabelError)
    assert [line.split(":")[0] for line in str(last).splitlines()] == ["one", "two", "three"]


def test_a_message_for_people_is_printable() -> None:
    assert failures.message_of(CorpusError("a\x1b[31m\udcff")) == r"a\x1b[31m\xff"
    assert failures.message_of(KeyError("a\x1b\nb")).startswith(
        r"an unexpected error: KeyError: 'a\x1b\nb'"
    )


def test_a_progress_line_that_cannot_be_written_costs_no_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("relabel_assets.graph.step_log._SECONDS_BETWEEN_LINES", 0)
    lines = list[str]()

    def full(line: str) -> None:
        lines.append(line)
        raise OSError(errno.ENOSPC, "No space left on device")

    progress = logged_progress("tiny / seed_docs", full)
    progress("grading", 1, 2, "note\x1b\n\ud800")
    assert lines == [r"tiny / seed_docs: grading 1/2 note\x1b \ud800"]


Fails = Callable[[BaseException], tuple[runner.Outcome, int]]


@pytest.fixture
def fail(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Fails]:
    """Run a table whose function raises the given error for the corpus `bad`.

    Returns the outcome, and how often that function was called for `bad`.
    """
    monkeypatch.setattr(failures, "_FIRST_RETRY_S", 0)
    recipe = RECIPES["seed_docs"]
    names = ["bad", "good"]
    for name in names:
        write_corpus(home / "data" / name)

    def run(error: BaseException) -> tuple[runner.Outcome, int]:
        calls = list[str]()

        def seed_docs(step: Step) -> Rows:
            calls.append(step.corpus.name)
            if step.corpus.name == "bad":
                raise error
            return recipe.function(step)

        asset = table_asset(code_version="1", kinds=set())(seed_docs)
        project, warehouse = runner.from_environment()
        with dg.DagsterInstance.ephemeral() as instance:
            instance.add_dynamic_partitions("corpus", names)
            done = dg.materialize(
                [asset.with_attributes(backfill_policy=dg.BackfillPolicy.single_run())],
                instance=instance,
                resources={"project": project, "warehouse": warehouse},
                tags={
                    "dagster/asset_partition_range_start": "bad",
                    "dagster/asset_partition_range_end": "good",
                },
                raise_on_error=False,
            )
        assert warehouse.read("seed_docs", "good").height == 8
        return runner._outcome("bad", done), calls.count("bad")

    yield run
    RECIPES["seed_docs"] = recipe


def test_an_unexpected_error_of_one_corpus_fails_it_alone_and_once(fail: Fails) -> None:
    outcome, n_calls = fail(KeyError("grade"))
    assert n_calls == 1
    message = outcome.failures["seed_docs"]
    assert message.startswith("bad: an unexpected error: KeyError: 'grade' (graph/table_asset.py:")
    assert "Traceback" not in message
    assert "relabel --debug" in message


@pytest.mark.parametrize(("error", "n_calls"), [(TimeoutError("slow"), 3)])
def test_an_error_of_the_network_is_tried_three_times(
    fail: Fails, error: BaseException, n_calls: int
) -> None:
    outcome, n_called = fail(error)
    assert n_called == n_calls
    assert "TimeoutError: slow" in outcome.failures["seed_docs"]
    assert "Traceback" not in outcome.failures["seed_docs"]


def test_a_panic_of_polars_fails_its_corpus_alone(fail: Fails) -> None:
    outcome, n_calls = fail(pl.exceptions.PanicException("index out of bounds"))
    assert n_calls == 1
    assert "PanicException: index out of bounds" in outcome.failures["seed_docs"]
