"""The pending batches of a corpus, in a file beside the ledger, so that no run forgets one.

What belongs here: that file and the request files of pending batches. What does not: calls to the
endpoint (endpoint.py) and the choice of requests (rounds.py).

    <ledger>/<corpus>.batches/state.json        the pending batches; replaced before and after each step
    <ledger>/<corpus>.batches/<tag>.requests    the requests of a batch, until its results are recorded
"""

import json
import re
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from relabel_assets.errors import TeacherError
from relabel_assets.files import whole
from relabel_assets.intake.input_limits import MAX_TOKENS, MIB
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.one_input import SetAside, reason_of
from relabel_assets.intake.regular_files import read_regular
from relabel_assets.teacher.batch.request_files import keys_in


@dataclass(frozen=True)
class PendingBatch:
    """One batch. The names of the fields are the keys in state.json.

    `tag` is in the batch's metadata at the endpoint. It finds a batch whose id was not saved.

    >>> PendingBatch("3f2a", 40, "api.openai.com", "2026-01-01T00:00:00+00:00").name
    'relabel-3f2a.jsonl'
    """

    tag: str
    n_requests: int
    endpoint: str
    started_at: str  # ISO 8601, UTC
    file_id: str | None = None
    batch_id: str | None = None

    @property
    def name(self) -> str:
        """The name of the batch's file at the endpoint."""
        return f"relabel-{self.tag}.jsonl"


_MAX_STATE_BYTES = 64 * MIB  # 200,000 batches
_TAG = re.compile(r"[0-9a-f]{1,64}")  # it names a file


def _batch_of(members: Any) -> PendingBatch:
    """The batch with these members. Raises TypeError or ValueError for wrong ones."""
    batch = PendingBatch(**members)
    texts = (batch.tag, batch.endpoint, batch.started_at)
    ids = (text for text in (batch.file_id, batch.batch_id) if text is not None)
    if not all(isinstance(text, str) for text in (*texts, *ids)):
        raise TypeError("a member of a batch is no text")
    if type(batch.n_requests) is not int or not 0 <= batch.n_requests <= MAX_TOKENS:
        raise ValueError("n_requests is no number of requests")
    if not _TAG.fullmatch(batch.tag):
        raise ValueError("a tag is not made of hex digits")
    return batch


def _list(value: Any) -> list[Any]:
    if not isinstance(value, list):
        raise TypeError("it is no list of batches")
    return value


class PendingBatches:
    """The pending batches of `corpus`. Only the holder of the corpus' sending lock may change them."""

    def __init__(self, ledger_folder: Path, corpus: str) -> None:
        self.folder = ledger_folder / f"{corpus}.batches"
        self._state = self.folder / "state.json"

    def all(self) -> list[PendingBatch]:
        """All pending batches. Raises TeacherError for an unreadable file: they may be paid for."""
        try:
            if not self._state.exists() and not self._state.is_symlink():
                return []
            raw = read_regular(self._state.parent, self._state.name, max_bytes=_MAX_STATE_BYTES)
            return [_batch_of(members) for members in _list(parse_json(raw))]
        except (OSError, ValueError, TypeError, SetAside) as error:
            reason = error.message if isinstance(error, SetAside) else reason_of(error)
            raise TeacherError(
                f"{self._state} cannot be read ({reason}), and it lists the batches that are out. "
                "Repair it; or, if no batch is out, delete it."
            ) from error

    def path_of(self, tag: str) -> Path:
        """The file with the requests of the batch with `tag`."""
        return self.folder / f"{tag}.requests"

    def put(self, batch: PendingBatch) -> PendingBatch:
        """Save `batch` in place of an earlier state of it, and return it."""
        self._save([*(old for old in self.all() if old.tag != batch.tag), batch])
        return batch

    def update(
        self, batch: PendingBatch, *, file_id: str | None = None, batch_id: str | None = None
    ) -> PendingBatch:
        """Save `batch` with its new ids, and return it."""
        file_id, batch_id = file_id or batch.file_id, batch_id or batch.batch_id
        return self.put(replace(batch, file_id=file_id, batch_id=batch_id))

    def drop(self, batch: PendingBatch) -> None:
        """Remove `batch`: its results are in the ledger, or it was never created."""
        self._save([old for old in self.all() if old.tag != batch.tag])
        self.path_of(batch.tag).unlink(missing_ok=True)

    def keys(self) -> set[str]:
        """The keys of every request in a pending batch."""
        return {key for batch in self.all() for key in self.keys_of(batch)}

    def keys_of(self, batch: PendingBatch) -> set[str]:
        """The keys of the requests in `batch`."""
        path = self.path_of(batch.tag)
        return set(keys_in(path)) if path.exists() else set()

    def sweep(self) -> None:
        """Remove request files of no pending batch: their run died before it saved the batch."""
        pending = {self.path_of(batch.tag) for batch in self.all()}
        for path in self.folder.glob("*.requests"):
            if path not in pending:
                path.unlink(missing_ok=True)

    def _save(self, batches: list[PendingBatch]) -> None:
        text = json.dumps([asdict(batch) for batch in batches], indent=1)
        try:
            with whole(self._state, is_durable=True) as scratch:
                scratch.write_text(text, encoding="utf-8")
        except OSError as error:
            raise TeacherError(
                f"{self._state} cannot be written: {error.strerror or error}. Free the disk or "
                "repair the folder, and run again: a batch that is out is found by its tag."
            ) from error
