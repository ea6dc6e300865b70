"""The state file of pending batches: a stable format, whole and durable."""

import os
from pathlib import Path

import pytest

from relabel_assets.errors import TeacherError
from relabel_assets.teacher.batch.pending import PendingBatch, PendingBatches

BATCH = PendingBatch("3f2a", 40, "host", "2026-01-01T00:00:00.000+00:00")
ON_DISK = """[
 {
  "tag": "3f2a",
  "n_requests": 40,
  "endpoint": "host",
  "started_at": "2026-01-01T00:00:00.000+00:00",
  "file_id": "file-1",
  "batch_id": null
 }
]"""


@pytest.fixture
def pending(tmp_path: Path) -> PendingBatches:
    return PendingBatches(tmp_path, "demo")


def test_the_state_file_has_a_stable_format_and_loads_back(pending: PendingBatches) -> None:
    batch = pending.update(pending.put(BATCH), file_id="file-1")
    assert (pending.folder / "state.json").read_text() == ON_DISK
    batch = pending.update(batch, batch_id="batch_1")
    assert (batch.file_id, batch.batch_id) == ("file-1", "batch_1")
    assert pending.all() == [batch]
    pending.drop(batch)
    assert pending.all() == [] and (pending.folder / "state.json").read_text() == "[]"
    assert [path.name for path in pending.folder.iterdir()] == ["state.json"]


def test_every_update_is_flushed_to_disk(
    pending: PendingBatches, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed, fsync = [], os.fsync
    monkeypatch.setattr(
        os, "fsync", lambda descriptor: (flushed.append(descriptor), fsync(descriptor))
    )
    pending.put(BATCH)
    assert len(flushed) == 2  # the file and the folder that names it


def test_sweeping_removes_the_files_of_unknown_batches_alone(pending: PendingBatches) -> None:
    pending.put(BATCH)
    pending.path_of("3f2a").write_bytes(b'{"custom_id": "k1"}\n{"custom_id": "k2"}\n')
    pending.path_of("dead").write_bytes(b'{"custom_id": "k3"}\n')
    pending.sweep()
    assert pending.keys() == {"k1", "k2"} and not pending.path_of("dead").exists()
    pending.drop(BATCH)
    assert pending.keys() == set() and not pending.path_of("3f2a").exists()


@pytest.mark.parametrize("text", ["[{", '[{"tag": 1, "colour": 2}]', "5"])
def test_an_unreadable_state_file_is_an_error(text: str, pending: PendingBatches) -> None:
    pending.folder.mkdir(parents=True)
    (pending.folder / "state.json").write_text(text)
    with pytest.raises(TeacherError, match="lists the batches that are out"):
        pending.all()
