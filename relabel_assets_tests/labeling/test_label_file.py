"""label_file without a model: resuming after a kill, foreign folders, one process at a time."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from filelock import FileLock

from relabel_assets.errors import ConfigError
from relabel_assets.labeling.chunk import PairChunk, in_process
from relabel_assets.labeling.label_file import label_file
from relabel_assets_tests.labeling.graders import CountingGrader, no_texts

pytestmark = pytest.mark.slow

N_PAIRS = 95  # ten chunks, the last one of five rows
KILLED_IN_THE_SIXTH_CHUNK = """
import os, signal, sys
from pathlib import Path
from relabel_assets.labeling.chunk import in_process
from relabel_assets.labeling.label_file import label_file
from relabel_assets_tests.labeling.graders import CountingGrader, no_texts

class Killed(CountingGrader):
    def grade(self, pairs, **kwargs):
        if len(self.calls) == 5:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().grade(pairs, **kwargs)

pairs, out = map(Path, sys.argv[1:])
label_file(
    pairs, out, engine=in_process(Killed()), texts=no_texts, model_id="m", model_hash="h", rows_per_chunk=10
)
"""


@pytest.fixture
def pairs(tmp_path: Path) -> Path:
    """A file of rows with texts of their own."""
    rows = [
        {"query_id": f"q{row}", "query": f"leave {row}", "doc_id": f"d{row}", "body": "Rules."}
        for row in range(N_PAIRS)
    ]
    pl.DataFrame(rows).write_parquet(tmp_path / "pairs.parquet")
    return tmp_path / "pairs.parquet"


def label(pairs: Path, **changes: Any) -> CountingGrader:
    """Label `pairs` into labels.parquet beside it; return the grader."""
    grader = CountingGrader()
    settings: dict[str, Any] = {
        "engine": in_process(grader),
        "texts": no_texts,
        "model_id": "m",
        "model_hash": "h",
        "rows_per_chunk": 10,
    }
    label_file(pairs, pairs.with_name("labels.parquet"), **settings | changes)
    return grader


@pytest.fixture
def killed(pairs: Path) -> Path:
    """`pairs` after five of ten chunks were labeled and the process was killed."""
    out = pairs.with_name("labels.parquet")
    done = subprocess.run(
        [sys.executable, "-c", KILLED_IN_THE_SIXTH_CHUNK, pairs, out], check=False
    )
    assert done.returncode == -signal.SIGKILL
    assert not out.exists()
    return pairs


def parts_of(pairs: Path) -> dict[str, int]:
    """The modification time of each finished part, by name."""
    parts = pairs.with_name("labels.parquet.parts").glob("[0-9]*.parquet")
    return {part.name: part.stat().st_mtime_ns for part in parts}


def test_after_a_kill_only_the_chunks_without_labels_are_graded(killed: Path) -> None:
    assert len(parts_of(killed)) == 5
    grader = label(killed)
    assert grader.calls == [10, 10, 10, 10, 5]
    labels = pl.read_parquet(killed.with_name("labels.parquet"))
    assert labels["row"].to_list() == list(range(N_PAIRS))
    assert labels["query_id"].to_list() == [f"q{row}" for row in range(N_PAIRS)]
    assert not killed.with_name("labels.parquet.parts").exists()


def test_parts_of_another_student_are_refused_and_kept(killed: Path) -> None:
    before = parts_of(killed)
    for changes in ({"model_id": "other"}, {"model_hash": "other"}):
        with pytest.raises(ConfigError, match="begun with other pairs, another student"):
            label(killed, **changes)
    assert parts_of(killed) == before


def test_parts_of_other_pairs_are_refused_and_kept(killed: Path) -> None:
    before = parts_of(killed)
    pl.read_parquet(killed).reverse().write_parquet(killed)
    with pytest.raises(ConfigError, match="begun with other pairs"):
        label(killed)
    assert parts_of(killed) == before


def test_parts_are_refused_after_the_texts_behind_ids_changed(pairs: Path) -> None:
    pl.read_parquet(pairs).select("query_id", "doc_id").write_parquet(pairs)

    def stop(*args: object) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        label(pairs, texts_hash="as they were", progress=stop)
    with pytest.raises(ConfigError, match="other documents"):
        label(pairs, texts_hash="as they are now")
    label(pairs, texts_hash="as they were")


def test_changed_texts_behind_ids_do_not_matter_if_the_file_has_its_own(killed: Path) -> None:
    label(killed, texts_hash="as they are now")


def test_a_second_process_is_refused(killed: Path) -> None:
    lock = FileLock(killed.with_name("labels.parquet.parts") / "lock")
    with lock, pytest.raises(ConfigError, match="another process"):
        label(killed)


def test_an_existing_labels_file_is_never_overwritten(pairs: Path) -> None:
    label(pairs)
    with pytest.raises(ConfigError, match="already exists"):
        label(pairs)


def test_progress_counts_the_rows_of_earlier_calls(killed: Path) -> None:
    reports: list[tuple[int, int]] = []
    label(killed, progress=lambda step, done, total, note="": reports.append((done, total)))
    assert reports == [(60, 95), (70, 95), (80, 95), (90, 95), (95, 95)]


def test_a_failing_chunk_keeps_the_labels_of_earlier_chunks(pairs: Path) -> None:
    class Broken(CountingGrader):
        def grade(self, pairs: pl.DataFrame, **kwargs: object) -> pl.DataFrame:
            if len(self.calls) == 2:
                raise MemoryError
            return super().grade(pairs, **kwargs)

    with pytest.raises(MemoryError):
        label(pairs, engine=in_process(Broken()))
    assert sorted(parts_of(pairs)) == ["00000000.parquet", "00000001.parquet"]
    assert sum(label(pairs).calls) == N_PAIRS - 20


def parts_folder(pairs: Path) -> Path:
    return pairs.with_name("labels.parquet.parts")


@pytest.mark.parametrize(
    "make",
    [
        lambda parts: parts.write_text("notes"),
        lambda parts: parts.symlink_to(parts.parent),
        lambda parts: parts.symlink_to("/nowhere/x"),
        os.mkfifo,
        lambda parts: (parts.mkdir(), (parts / "thesis.txt").touch()),
        lambda parts: (parts.mkdir(), (parts / "00000000.parquet").touch()),
        lambda parts: (parts.mkdir(), (parts / "job.json").write_text('{"mine": 1}')),
        lambda parts: (parts.mkdir(), (parts / "job.json").write_text("[" * 100_000)),
        lambda parts: (parts.mkdir(), (parts / "job.json").write_bytes(b"\xff\x00" * 500_000)),
        lambda parts: (parts.mkdir(), (parts / "job.json").write_text("[1]")),
        lambda parts: (parts.mkdir(), os.mkfifo(parts / "job.json")),
        lambda parts: (parts.mkdir(), (parts / "job.json").symlink_to("/etc/passwd")),
        lambda parts: (parts.mkdir(), (parts / "lock").symlink_to(parts.parent / "pairs.parquet")),
        lambda parts: (parts.mkdir(), (parts / "sub").mkdir()),
    ],
)
def test_a_folder_that_the_command_did_not_make_is_refused_and_not_changed(
    pairs: Path, make: Callable[[Path], object]
) -> None:
    make(parts_folder(pairs))
    before = {path: path.read_bytes() for path in pairs.parent.rglob("*") if path.is_file()}
    with pytest.raises(ConfigError, match="choose another --out"):
        label(pairs)
    after = {path: path.read_bytes() for path in pairs.parent.rglob("*") if path.is_file()}
    assert after == before


def test_only_files_of_the_command_are_removed(killed: Path) -> None:
    (parts_folder(killed) / "notes.txt").write_text("mine")
    label(killed)
    assert [path.name for path in parts_folder(killed).iterdir()] == ["notes.txt"]


@pytest.mark.parametrize("n_bytes", [None, 0, 10])
def test_a_first_call_that_was_killed_at_once_can_be_continued(
    killed: Path, tmp_path: Path, n_bytes: int | None
) -> None:
    parts = parts_folder(killed)
    job = (parts / "job.json").read_bytes()
    for path in parts.iterdir():
        path.unlink()
    (parts / "lock").touch()
    (parts / ".job.json.half").write_bytes(job[:10])
    if n_bytes is not None:
        (parts / "job.json").write_bytes(job[:n_bytes])
    assert sum(label(killed).calls) == N_PAIRS
    assert not parts.exists()


@pytest.mark.parametrize("damage", [b"", b"PAR1", b"text" * 1000])
def test_a_damaged_part_is_graded_again(killed: Path, damage: bytes) -> None:
    (parts_folder(killed) / "00000002.parquet").write_bytes(damage)
    assert label(killed).calls == [10, 10, 10, 10, 10, 5]
    labels = pl.read_parquet(killed.with_name("labels.parquet"))
    assert labels["row"].to_list() == list(range(N_PAIRS))


def test_a_part_with_other_rows_is_graded_again(killed: Path) -> None:
    part = parts_folder(killed) / "00000002.parquet"
    pl.read_parquet(part).head(3).write_parquet(part)
    assert sum(label(killed).calls) == N_PAIRS - 40


def test_force_replaces_a_file_and_nothing_else(pairs: Path) -> None:
    out = pairs.with_name("labels.parquet")
    out.write_text("mine")
    label(pairs, is_forced=True)
    assert pl.read_parquet(out).height == N_PAIRS
    out.unlink()
    out.mkdir()
    with pytest.raises(ConfigError, match="already exists"):
        label(pairs, is_forced=True)


def test_force_does_not_replace_the_pairs(pairs: Path) -> None:
    content = pairs.read_bytes()
    with pytest.raises(ConfigError, match="is the file of pairs"):
        label_file(
            pairs,
            pairs,
            engine=in_process(CountingGrader()),
            texts=no_texts,
            model_id="m",
            model_hash="h",
            is_forced=True,
        )
    assert pairs.read_bytes() == content


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda out: out.symlink_to("/nowhere")])
def test_whatever_is_at_out_is_not_replaced(pairs: Path, make: Callable[[Path], object]) -> None:
    make(pairs.with_name("labels.parquet"))
    with pytest.raises(ConfigError, match="already exists"):
        label(pairs)
    assert not parts_folder(pairs).exists()


def test_a_name_that_the_system_does_not_take_is_refused(pairs: Path) -> None:
    out = pairs.with_name("x" * 300 + ".parquet")
    with pytest.raises(ConfigError, match=r"--out .* cannot be used: File name too long"):
        label_file(
            pairs,
            out,
            engine=in_process(CountingGrader()),
            texts=no_texts,
            model_id="m",
            model_hash="h",
        )


def test_a_file_that_appears_at_out_while_grading_is_not_replaced(pairs: Path) -> None:
    out = pairs.with_name("labels.parquet")

    def engine(chunks: Iterable[PairChunk], on_done: Callable[[PairChunk], None]) -> None:
        in_process(CountingGrader())(chunks, on_done)
        out.write_text("of somebody else")

    with pytest.raises(ConfigError, match="already exists"):
        label(pairs, engine=engine)
    assert out.read_text() == "of somebody else"
    assert len(parts_of(pairs)) == 10


def test_a_full_disk_while_grading_keeps_finished_parts(pairs: Path) -> None:
    def engine(chunks: Iterable[PairChunk], on_done: Callable[[PairChunk], None]) -> None:
        in_process(CountingGrader())([next(iter(chunks))], on_done)
        raise OSError(28, "No space left on device")

    with pytest.raises(ConfigError, match=r"No space left on device\. Make room"):
        label(pairs, engine=engine)
    assert len(parts_of(pairs)) == 1
