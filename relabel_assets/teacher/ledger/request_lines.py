"""The request lines of the ledger: the lines of some keys, and the keys of all lines.

What belongs here: searching the files for request lines. What does not: responses by key, which the
index has (ledger.py), and counting (report.py).
"""

from collections.abc import Iterator

from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Line, read_start


def recorded_requests(ledger: Ledger, keys: set[str]) -> dict[str, Line]:
    """The latest request line of each of `keys` in the ledger, without its body.

    >>> import tempfile
    >>> from relabel_assets.teacher.ledger.lines import RequestMetadata, request_line
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = Ledger(folder)
    ...     ledger.append("demo", [request_line("0f" * 32, {}, RequestMetadata("demo"))])
    ...     recorded_requests(ledger, {"0f" * 32})["0f" * 32].metadata.corpus
    'demo'
    """
    requests: dict[str, Line] = {}
    for line in _request_lines(ledger):
        if line.key in keys:
            requests[line.key] = line
    return requests


def recorded_keys(ledger: Ledger) -> set[bytes]:
    """The keys of all requests in the ledger.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recorded_keys(Ledger(folder))
    set()
    """
    return {bytes.fromhex(line.key) for line in _request_lines(ledger)}


def _request_lines(ledger: Ledger) -> Iterator[Line]:
    """Every request line, without its body."""
    for file in ledger.files():
        for _, _, raw in ledger.lines(file):
            line = None if raw is None else read_start(raw)
            if line is not None and line.is_request:
                yield line
