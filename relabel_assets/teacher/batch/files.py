"""Files of requests and of responses in OpenAI's Batch format: what is sent as a batch, exported and imported.

What belongs here: writing such files within the limits of the API, reading responses and putting them into the ledger,
each once. What does not: uploading (resources/batch.py) and the ledger's own lines (core/ledger_lines.py).
"""

import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from relabel_assets.errors import Problem, TeacherError
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Circumstances, Line, now, read_line, request_line, response_line
from relabel_assets.teacher.ledger.report import asked_before, asked_keys
from relabel_assets.teacher.prices import Price, read_usage
from relabel_assets.teacher.requests import URL, Dialect, Request, canonical_json

_LINES_AT_A_TIME = 500  # appended to the ledger with one flush


@dataclass(frozen=True)
class Outgoing:
    """A request that the ledger cannot answer, as it would be sent now."""

    request: Request
    dialect: Dialect
    key: str
    body: dict[str, Any]


@dataclass(frozen=True)
class FileLimits:
    """What one file may hold; the API's are 50,000 requests and 200 MB."""

    n_requests: int = 50_000
    n_bytes: int = 200_000_000


API_LIMITS = FileLimits()


def batch_line(outgoing: Outgoing) -> bytes:
    """A request as the Batch API takes it: nothing but its four members."""
    return canonical_json({"custom_id": outgoing.key, "method": "POST", "url": URL, "body": outgoing.body}) + b"\n"


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
                    if n_requests and (n_requests == limits.n_requests or n_bytes + len(line) > limits.n_bytes):
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
            raise TeacherError(f"{path} cannot be written: {error.strerror or error}. Nothing was sent.") from error
        files.append((path, n_requests))
    return files


class Memory:
    """Tells the ledger what is asked, once a request, so that its response can be told from anyone else's."""

    def __init__(self, ledger: Ledger, corpus: str, purpose: str, endpoint: str) -> None:
        self._ledger, self._corpus, self._purpose, self._endpoint = ledger, corpus, purpose, endpoint
        self._known = asked_keys(ledger)

    def take(self, requests: Sequence[Outgoing]) -> None:
        lines = []
        for outgoing in requests:
            if bytes.fromhex(outgoing.key) not in self._known:
                about = Circumstances(
                    self._corpus, self._purpose, outgoing.request.model, self._endpoint, outgoing.dialect.name, now()
                )
                lines.append(request_line(outgoing.key, outgoing.body, about))
        self._ledger.append(self._corpus, lines)


def keys_in(path: Path) -> Iterator[str]:
    """The custom_ids of a file of requests."""
    with path.open("rb") as file:
        for raw in file:
            yield json.loads(raw)["custom_id"]


@dataclass
class Intake:
    """What became of the lines of response files. `problems` are lines that were kept out."""

    n_answers: int = 0
    n_failures: int = 0
    n_known: int = 0  # already in the ledger
    n_unknown: int = 0  # whose custom_id was never asked from here
    usd: float = 0.0  # of those put into the ledger, where it is known
    problems: list[Problem] = field(default_factory=list)


def take_responses(
    ledger: Ledger,
    lines: Iterable[tuple[int, bytes]],
    file: str,
    about_of: Callable[[str], tuple[Circumstances, Price | None] | None],
    intake: Intake,
    *,
    took: Callable[[Line], None] = lambda line: None,
    blot: Callable[[str], str] = lambda text: text,
) -> None:
    """Put the responses in `lines` (number, raw line) of `file` into the ledger, once each, and count them in `intake`.

    `about_of` says what is known of a custom_id, None for one that was never asked from here: its response is kept
    out, since nobody can say whose it is. Raises TeacherError where the ledger cannot be written.
    """
    waiting: dict[str, dict[str, bytes]] = {}  # by corpus, then by key

    def flush(corpus: str) -> None:
        ledger.append(corpus, waiting.pop(corpus).values())

    for number, raw in lines:
        if not raw.strip():
            continue
        line = read_line(blot(raw.decode("utf-8", "replace")).encode())
        fault = _fault(line)
        if line is None or fault:
            intake.problems.append(Problem(file, number, f"{fault}.", "It was kept out."))
            continue
        known = about_of(line.key)
        if known is None:
            intake.n_unknown += 1
            message = f"{line.key[:12]}... was never asked from here."
            intake.problems.append(Problem(file, number, message, "It was kept out: nobody can say whose it is."))
            continue
        line = _with_circumstances(line, *known)
        about = line.about
        took(line)
        if line.key in waiting.get(about.corpus, {}):
            flush(about.corpus)
        if line.is_answer and any(old.body == line.body for old in ledger.answers(line.key)):
            intake.n_known += 1
            continue
        intake.n_answers += line.is_answer
        intake.n_failures += not line.is_answer
        pending = waiting.setdefault(about.corpus, {})
        pending[line.key] = response_line(line)
        intake.usd += about.cost_usd or 0.0
        if len(pending) >= _LINES_AT_A_TIME:
            flush(about.corpus)
    for corpus in list(waiting):
        flush(corpus)


def _fault(line: Line | None) -> str | None:
    """Why a line is not a response; None where it is one."""
    if line is None:
        return "torn, or not a line of a batch's results"
    if line.kind == "request":
        return "a request, not a response"
    return "neither a status nor an error" if line.status_code is None and line.error_code is None else None


def _with_circumstances(line: Line, about: Circumstances, price: Price | None) -> Line:
    usage = read_usage(line.body)
    about = replace(about, at=now(), latency_s=None, prompt_tokens=None, completion_tokens=None, cost_usd=None)
    if usage is not None:
        cost_usd = None if price is None else price.cost_usd(usage)
        about = replace(
            about, prompt_tokens=usage.prompt_tokens, completion_tokens=usage.completion_tokens, cost_usd=cost_usd
        )
    return replace(line, about=about)


def import_responses(
    ledger: Ledger, files: Sequence[Path], price_of_model: Callable[[str, str], Price | None]
) -> Intake:
    """Put the responses of `files` into the ledger; `price_of_model` is asked with corpus and model.

    Raises TeacherError for a file that cannot be read, or a ledger that cannot be written.
    """
    try:
        asked, intake = asked_in(ledger, files), Intake()
        with ExitStack() as held:
            for corpus in sorted({line.about.corpus for line in asked.values()}):
                held.enter_context(ledger.sending_for(corpus))
            prices = {
                (about.corpus, about.model): price_of_model(about.corpus, about.model)
                for about in {line.about for line in asked.values()}
            }

            def about_of(key: str) -> tuple[Circumstances, Price | None] | None:
                line = asked.get(key)
                return None if line is None else (line.about, prices[line.about.corpus, line.about.model])

            for file in files:
                take_responses(ledger, numbered(file), str(file), about_of, intake)
    except OSError as error:
        raise TeacherError(f"{error.filename or 'the file'} cannot be read: {error.strerror or error}.") from error
    return intake


def asked_in(ledger: Ledger, files: Sequence[Path]) -> dict[str, Line]:
    """The request line that the ledger has for each custom_id in `files` of responses, without its body."""
    keys = {line.key for file in files for _, raw in numbered(file) if (line := read_line(raw)) is not None}
    return asked_before(ledger, keys)


def numbered(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of `file`, from 1."""
    with file.open("rb") as lines:
        yield from enumerate(lines, start=1)
