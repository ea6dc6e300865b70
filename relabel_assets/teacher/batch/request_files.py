"""Files of requests in OpenAI's Batch format: what is sent as a batch or exported.

What belongs here: writing such files within the limits of the API, and telling the ledger what they ask. What does not:
uploading them (rounds.py) and what comes back (response_files.py).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

from relabel_assets.errors import TeacherError
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import RequestMetadata, now, request_line
from relabel_assets.teacher.ledger.report import asked_keys
from relabel_assets.teacher.requests import URL, Outgoing, canonical_json
from relabel_assets.teacher.sending.retry_settings import API_LIMITS, FileLimits

_LINES_AT_A_TIME = 500  # appended to the ledger with one flush


def batch_line(outgoing: Outgoing) -> bytes:
    """A request as the Batch API takes it: nothing but its four members."""
    return (
        canonical_json(
            {"custom_id": outgoing.key, "method": "POST", "url": URL, "body": outgoing.body}
        )
        + b"\n"
    )


def write_request_files(
    requests: Iterable[Outgoing],
    path_of: Callable[[int], Path],
    limits: FileLimits = API_LIMITS,
    written: Callable[[list[Outgoing]], None] = lambda requests: None,
) -> list[tuple[Path, int]]:
    """Write `requests` to `path_of(1)`, `path_of(2)`, ...: (file, number of requests) of each; none where there are none.

    `written` is called with every piece of a file before the file gets its name. Raises TeacherError where the disk
    does not take it; no half file is left under its final name.
    """
    files: list[tuple[Path, int]] = []
    lines = iter(requests)
    held = next(lines, None)
    while held is not None:
        path, n_requests, n_bytes = path_of(len(files) + 1), 0, 0
        half = path.with_name(f".{path.name}.half")
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            with half.open("wb") as file:
                piece: list[Outgoing] = []
                while held is not None:
                    line = batch_line(held)
                    if n_requests and (
                        n_requests == limits.n_requests or n_bytes + len(line) > limits.n_bytes
                    ):
                        break
                    file.write(line)
                    n_requests, n_bytes = n_requests + 1, n_bytes + len(line)
                    piece.append(held)
                    if len(piece) == _LINES_AT_A_TIME:
                        written(piece)
                        piece = []
                    held = next(lines, None)
                written(piece)
            half.replace(path)
        except OSError as error:
            half.unlink(missing_ok=True)
            raise TeacherError(
                f"{path} cannot be written: {error.strerror or error}. Nothing was sent."
            ) from error
        files.append((path, n_requests))
    return files


class AskedLog:
    """Tells the ledger what is asked, once a request, so that its response can be told from anyone else's."""

    def __init__(self, ledger: Ledger, corpus: str, purpose: str, endpoint: str) -> None:
        self._ledger, self._corpus, self._purpose, self._endpoint = (
            ledger,
            corpus,
            purpose,
            endpoint,
        )
        self._known = asked_keys(ledger)

    def record(self, requests: Sequence[Outgoing]) -> None:
        lines = []
        for outgoing in requests:
            if bytes.fromhex(outgoing.key) not in self._known:
                metadata = RequestMetadata(
                    self._corpus,
                    self._purpose,
                    outgoing.request.model,
                    self._endpoint,
                    outgoing.dialect.name,
                    now(),
                )
                lines.append(request_line(outgoing.key, outgoing.body, metadata))
        self._ledger.append(self._corpus, lines)


def keys_in(path: Path) -> Iterator[str]:
    """The custom_ids of a file of requests."""
    with path.open("rb") as file:
        for raw in file:
            yield json.loads(raw)["custom_id"]
