"""Files of responses in OpenAI's Batch format, from a batch or from another tool.

What belongs here: recording the responses of such files in the ledger, each once. What does not:
requests (request_files.py), downloading (endpoint.py) and one line of a file (result_lines.py).
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path

from relabel_assets.errors import Problem, TeacherError
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import printable
from relabel_assets.teacher.batch.result_lines import read_result
from relabel_assets.teacher.http.redactor import NO_SECRETS, Redactor
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Line, RequestMetadata, Response, response_line
from relabel_assets.teacher.ledger.raw_lines import TOO_LONG, raw_lines
from relabel_assets.teacher.ledger.request_lines import Place, place_of, recorded_requests
from relabel_assets.teacher.prices import Price

_LINES_AT_A_TIME = 500  # appended to the ledger with one flush. Not measured


@dataclass(frozen=True)
class RecordedRequest:
    """A request in the ledger: its metadata, and the price of its model.

    `places` are those that asked it too, if a response may be theirs.
    """

    metadata: RequestMetadata
    price: Price | None
    places: frozenset[Place] = frozenset()


FindRequest = Callable[[str], RecordedRequest | None]  # by custom_id


@dataclass
class ImportResult:
    """The number of lines of response files, by kind."""

    n_answers: int = 0
    n_failures: int = 0
    n_known: int = 0  # already in the ledger
    n_unknown: int = 0  # without a request in the ledger
    usd: float = 0.0  # known cost of the recorded responses
    problems: list[Problem] = field(default_factory=list)  # lines that were left out


def record_responses(
    ledger: Ledger,
    lines: Iterable[tuple[int, bytes | None]],
    file: str,
    find_request: FindRequest,
    result: ImportResult,
    *,
    on_response: Callable[[Line], None] = lambda line: None,
    redactor: Redactor = NO_SECRETS,
) -> None:
    """Record the responses in `lines` (number, raw line) of `file`, each once; count in `result`.

    A raw line that is None was too long. A response without a request in the ledger is left out: its
    corpus is unknown. Raises TeacherError if the ledger cannot be written.

    >>> import tempfile
    >>> folder, result = tempfile.TemporaryDirectory(), ImportResult()
    >>> answer = b'{"custom_id": "' + b"0f" * 32 + b'", "response": {"status_code": 200}}'
    >>> lines = [(1, b"hello"), (2, answer)]
    >>> request = RecordedRequest(RequestMetadata("demo", "grading", "m"), price=None)
    >>> record_responses(Ledger(Path(folder.name)), lines, "results.jsonl", lambda key: request, result)
    >>> result.n_answers, len(result.problems)
    (1, 1)
    """
    unwritten = _Unwritten(ledger)
    for number, raw in lines:
        if raw is not None and not raw.strip():
            continue
        line = None if raw is None else read_result(raw, redactor)
        request = None if line is None else find_request(line.key)
        fault = _TOO_LONG if raw is None else _fault(line, request)
        if line is None or line.response is None or request is None or fault:
            result.n_unknown += fault == _UNKNOWN
            message, remedy = fault or _TORN
            result.problems.append(Problem(file, number, message, remedy))
            continue
        response = line.response
        line = Line(line.key, request.metadata.of_response(response.body, request.price), response)
        on_response(line)
        if unwritten.is_in_ledger(line, request.places):
            result.n_known += 1
            continue
        result.n_answers += response.is_answer
        result.n_failures += not response.is_answer
        result.usd += line.metadata.cost_usd or 0.0
        unwritten.add(line, response)
    unwritten.flush()


_Fault = tuple[str, str]  # message and remedy
_TORN = ("The line is torn, or not a line of a batch's results.", "It was left out.")
_TOO_LONG = (TOO_LONG.capitalize() + ".", "It was left out.")
_REQUEST = ("The line is a request, not a response.", "It was left out.")
_EMPTY = ("The line has neither a status nor an error.", "It was left out.")
_UNKNOWN = (
    "The ledger has no such request.",
    "The response was left out: its corpus is unknown.",
)


def _fault(line: Line | None, request: RecordedRequest | None) -> _Fault | None:
    """The reason why a line is left out; None for a response to a request in the ledger."""
    if line is None:
        return _TORN
    if line.response is None:
        return _REQUEST
    if line.response.status_code is None and line.response.error_code is None:
        return _EMPTY
    return _UNKNOWN if request is None else None


class _Unwritten:
    """Responses to be appended together: one of each key, _LINES_AT_A_TIME of each corpus."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._by_corpus: dict[str, dict[str, bytes]] = {}

    def is_in_ledger(self, line: Line, places: Set[Place]) -> bool:
        """Whether the ledger has the same answer, from the line's place or one of `places`.

        A failure always counts as a new one.
        """
        corpus = line.metadata.corpus
        if line.key in self._by_corpus.get(corpus, {}):
            self.flush(corpus)
        if line.response is None or not line.is_answer:
            return False
        body, known_places = line.response.body, {place_of(line), *places}
        return any(
            answer.response is not None and answer.response.body == body
            for answer in self._ledger.answers(line.key)
            if place_of(answer) in known_places
        )

    def add(self, line: Line, response: Response) -> None:
        """Add a response; flush its corpus when there are enough."""
        corpus = line.metadata.corpus
        lines = self._by_corpus.setdefault(corpus, {})
        lines[line.key] = response_line(line.key, response, line.metadata)
        if len(lines) >= _LINES_AT_A_TIME:
            self.flush(corpus)

    def flush(self, corpus: str | None = None) -> None:
        """Append the responses of one corpus, or of all."""
        for name in list(self._by_corpus) if corpus is None else [corpus]:
            self._ledger.append(name, self._by_corpus.pop(name).values())


def import_responses(
    ledger: Ledger, files: Sequence[Path], price_of_model: Callable[[str, str], Price | None]
) -> ImportResult:
    """Record the responses of `files` in the ledger. `price_of_model` gets corpus and model.

    Raises TeacherError if a file cannot be read or the ledger cannot be written.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "results.jsonl"
    ...     _ = file.write_text('{"custom_id": "' + "0f" * 32 + '", "response": {"status_code": 200}}')
    ...     import_responses(Ledger(Path(folder)), [file], lambda corpus, model: None).n_unknown
    1
    """
    result = ImportResult()
    try:
        requests = requests_of(ledger, files)
        asked = [line.metadata for lines in requests.values() for line in lines.values()]
        models = {(metadata.corpus, metadata.model) for metadata in asked}
        prices = {(corpus, model): price_of_model(corpus, model) for corpus, model in models}

        def find_request(key: str) -> RecordedRequest | None:
            if key not in requests:
                return None
            line = _asking(ledger, requests[key])
            metadata = line.metadata
            price = prices[metadata.corpus, metadata.model]
            return RecordedRequest(metadata, price, frozenset(requests[key]))

        with ExitStack() as locks:
            # Always in the same order, so that two imports cannot wait for each other.
            for corpus in sorted({corpus for corpus, _ in models}):
                locks.enter_context(ledger.sending_for(corpus))
            for file in files:
                record_responses(ledger, numbered(file), str(file), find_request, result)
    except OSError as error:
        raise TeacherError(
            f"{error.filename or 'the file'} cannot be read: {error.strerror or error}."
        ) from error
    return result


def _asking(ledger: Ledger, lines: Mapping[Place, Line]) -> Line:
    """The request that a response from elsewhere is for: the latest one without an answer.

    Two corpora may have asked the same of two endpoints; the one that was answered waits for nothing.
    """
    *_, latest = lines.values()
    answered = {place_of(answer) for answer in ledger.answers(latest.key)}
    waiting = [line for place, line in lines.items() if place not in answered]
    return waiting[-1] if waiting else latest


def requests_of(ledger: Ledger, files: Sequence[Path]) -> dict[str, dict[Place, Line]]:
    """The ledger's request lines, without bodies, for each response in `files`, by custom_id.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     requests_of(Ledger(Path(folder)), [])
    {}
    """
    raws = (raw for file in files for _, raw in numbered(file))
    lines = (read_result(raw) for raw in raws if raw is not None)
    keys = {line.key for line in lines if line is not None}
    return recorded_requests(ledger, keys)


def numbered(file: Path) -> Iterator[tuple[int, bytes | None]]:
    """(number, raw line) of `file`, from 1. The line is None if it is too long.

    Raises TeacherError for a file that cannot be read.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     file = Path(folder) / "results.jsonl"
    ...     _ = file.write_text("{}")
    ...     list(numbered(file))
    [(1, b'{}')]
    """
    try:
        yield from enumerate((line.raw for line in raw_lines(file)), start=1)
    except SetAside as fault:
        name = printable(str(file))
        raise TeacherError(f"{name} cannot be read: {fault.message}. {fault.remedy}") from fault
