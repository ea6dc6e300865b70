"""Files of requests in OpenAI's Batch format, for batches and for exports.

What belongs here: writing such files within the API's limits, and recording their requests in the
ledger. What does not: uploading them (shipping.py) and files of responses (response_files.py).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from relabel_assets.errors import TeacherError
from relabel_assets.files import whole
from relabel_assets.intake.json_text import parse_json
from relabel_assets.intake.one_input import SetAside
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import RequestMetadata, now, request_line
from relabel_assets.teacher.ledger.raw_lines import raw_lines
from relabel_assets.teacher.ledger.request_lines import recorded_keys
from relabel_assets.teacher.requests import URL, Outgoing, canonical_json
from relabel_assets.teacher.sending.retry_settings import API_LIMITS, FileLimits

_LINES_AT_A_TIME = 500  # recorded in the ledger with one flush. Not measured

Record = Callable[[Sequence[Outgoing]], None]


def batch_line(outgoing: Outgoing) -> bytes:
    """The line of a request for the Batch API, with exactly its four members.

    >>> from relabel_assets.teacher.requests import Request
    >>> request = Request("m", ({"role": "user", "content": "grade"},), "s", {}, 0.0, None, 50)
    >>> sorted(parse_json(batch_line(Outgoing.of(request))))
    ['body', 'custom_id', 'method', 'url']
    """
    members = {"custom_id": outgoing.key, "method": "POST", "url": URL, "body": outgoing.body}
    return canonical_json(members) + b"\n"


def write_request_files(
    requests: Iterable[Outgoing],
    path_of: Callable[[int], Path],
    limits: FileLimits = API_LIMITS,
    record: Record = lambda requests: None,
) -> list[tuple[Path, int]]:
    """Write `requests` to `path_of(1)`, `path_of(2)`, ...: (file, number of requests) for each.

    `record` gets all requests of a file, in parts, before the file gets its final name. Raises
    TeacherError if a file cannot be written; no partial file is left.

    >>> import tempfile
    >>> from relabel_assets.teacher.requests import Request
    >>> request = Request("m", ({"role": "user", "content": "grade"},), "s", {}, 0.0, None, 50)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     files = write_request_files([Outgoing.of(request)], lambda n: Path(folder) / f"{n}.jsonl")
    >>> [(path.name, n_requests) for path, n_requests in files]
    [('1.jsonl', 1)]
    """
    files: list[tuple[Path, int]] = []
    rest = iter(requests)
    upcoming = next(rest, None)
    while upcoming is not None:
        path = path_of(len(files) + 1)
        try:
            with whole(path) as scratch, scratch.open("wb") as file:
                n_requests, upcoming = _fill(file, upcoming, rest, limits, record)
        except OSError as error:
            raise TeacherError(
                f"{path} cannot be written: {error.strerror or error}. Nothing was sent."
            ) from error
        files.append((path, n_requests))
    return files


def _fill(
    file: BinaryIO, first: Outgoing, rest: Iterator[Outgoing], limits: FileLimits, record: Record
) -> tuple[int, Outgoing | None]:
    """Write requests until `file` is full. Returns their number and the first that does not fit."""
    n_requests = n_bytes = 0
    unrecorded: list[Outgoing] = []
    upcoming: Outgoing | None = first
    while upcoming is not None:
        line = batch_line(upcoming)
        is_full = n_requests == limits.n_requests or n_bytes + len(line) > limits.n_bytes
        # A request above the limit gets a file of its own, which the endpoint will reject.
        if is_full and n_requests:
            break
        file.write(line)
        n_requests += 1
        n_bytes += len(line)
        unrecorded.append(upcoming)
        if len(unrecorded) == _LINES_AT_A_TIME:
            record(unrecorded)
            unrecorded = []
        upcoming = next(rest, None)
    record(unrecorded)
    return n_requests, upcoming


class AskedLog:
    """Records requests in the ledger, once for each corpus and endpoint.

    Only responses to recorded requests are imported.
    """

    def __init__(self, ledger: Ledger, corpus: str, purpose: str, endpoint: str) -> None:
        self._ledger, self._corpus = ledger, corpus
        self._purpose, self._endpoint = purpose, endpoint
        self._recorded_keys = recorded_keys(ledger, (corpus, endpoint))

    def record(self, requests: Sequence[Outgoing]) -> None:
        """Append the lines of those requests that this corpus has not asked of this endpoint."""
        lines = []
        for outgoing in requests:
            key = bytes.fromhex(outgoing.key)
            if key in self._recorded_keys:
                continue
            self._recorded_keys.add(key)
            metadata = RequestMetadata(
                self._corpus,
                self._purpose,
                outgoing.request.model,
                self._endpoint,
                outgoing.dialect_name,
                now(),
                token_limit=outgoing.token_limit,
            )
            lines.append(request_line(outgoing.key, outgoing.body, metadata))
        self._ledger.append(self._corpus, lines)


def keys_in(path: Path) -> Iterator[str]:
    """The custom_ids in a file of requests. A file that was damaged has fewer.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "requests.jsonl"
    ...     _ = path.write_text('{"custom_id": "0f"}')
    ...     list(keys_in(path))
    ['0f']
    """
    with suppress(SetAside):
        for line in raw_lines(path):
            with suppress(ValueError, TypeError, KeyError):
                yield str(parse_json(line.raw or b"")["custom_id"])
