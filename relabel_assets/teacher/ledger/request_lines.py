"""The request lines of the ledger: the lines of some keys, and the keys of all lines.

What belongs here: searching the files for request lines. What does not: responses by key, which the
index has (ledger.py), and counting (report.py).
"""

from collections import defaultdict
from collections.abc import Iterator

from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Line, read_start

Place = tuple[str, str]  # corpus and endpoint: each records its own requests


def place_of(line: Line) -> Place:
    """The corpus that `line` belongs to, and the endpoint.

    >>> from relabel_assets.teacher.ledger.lines import RequestMetadata
    >>> place_of(Line("0f" * 32, RequestMetadata("demo", endpoint="127.0.0.1:8000")))
    ('demo', '127.0.0.1:8000')
    """
    return line.metadata.corpus, line.metadata.endpoint


def recorded_requests(ledger: Ledger, keys: set[str]) -> dict[str, dict[Place, Line]]:
    """The request lines of each of `keys` in the ledger, without bodies: the latest of each place.

    The place that asked last comes last.

    >>> import tempfile
    >>> from relabel_assets.teacher.ledger.lines import RequestMetadata, request_line
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = Ledger(folder)
    ...     ledger.append("demo", [request_line("0f" * 32, {}, RequestMetadata("demo"))])
    ...     list(recorded_requests(ledger, {"0f" * 32})["0f" * 32])
    [('demo', '')]
    """
    requests: dict[str, dict[Place, Line]] = defaultdict(dict)
    for line in _request_lines(ledger):
        if line.key in keys:
            requests[line.key].pop(place_of(line), None)
            requests[line.key][place_of(line)] = line
    return dict(requests)


def recorded_keys(ledger: Ledger, place: Place) -> set[bytes]:
    """The keys of all requests from `place` in the ledger.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     recorded_keys(Ledger(folder), ("demo", "127.0.0.1:8000"))
    set()
    """
    lines = _request_lines(ledger)
    return {bytes.fromhex(line.key) for line in lines if place_of(line) == place}


def _request_lines(ledger: Ledger) -> Iterator[Line]:
    """Every request line, without its body."""
    for file in ledger.files():
        for _, _, raw in ledger.lines(file):
            line = None if raw is None else read_start(raw)
            if line is not None and line.is_request:
                yield line
