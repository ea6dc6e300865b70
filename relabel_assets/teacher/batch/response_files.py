"""Files of responses in OpenAI's Batch format: results of a batch, or of another tool.

What belongs here: reading such files and putting their responses into the ledger, each once. What does not: requests
(request_files.py), downloading (rounds.py) and the ledger's own lines (ledger/lines.py).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path

from relabel_assets.errors import Problem, TeacherError
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Line, RequestMetadata, now, read_line, response_line
from relabel_assets.teacher.ledger.report import asked_before
from relabel_assets.teacher.prices import Price, read_usage

_LINES_AT_A_TIME = 500  # appended to the ledger with one flush


@dataclass
class ImportResult:
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
    about_of: Callable[[str], tuple[RequestMetadata, Price | None] | None],
    result: ImportResult,
    *,
    took: Callable[[Line], None] = lambda line: None,
    redact: Callable[[str], str] = lambda text: text,
) -> None:
    """Put the responses in `lines` (number, raw line) of `file` into the ledger, once each, and count them in `result`.

    `about_of` says what is known of a custom_id, None for one that was never asked from here: its response is kept
    out, since nobody can say whose it is. Raises TeacherError where the ledger cannot be written.
    """
    waiting: dict[str, dict[str, bytes]] = {}  # by corpus, then by key

    def flush(corpus: str) -> None:
        ledger.append(corpus, waiting.pop(corpus).values())

    for number, raw in lines:
        if not raw.strip():
            continue
        line = read_line(redact(raw.decode("utf-8", "replace")).encode())
        fault = _fault(line)
        if line is None or fault:
            result.problems.append(Problem(file, number, f"{fault}.", "It was kept out."))
            continue
        known = about_of(line.key)
        if known is None:
            result.n_unknown += 1
            message = f"{line.key[:12]}... was never asked from here."
            result.problems.append(
                Problem(file, number, message, "It was kept out: nobody can say whose it is.")
            )
            continue
        line = _with_usage(line, *known)
        metadata = line.metadata
        took(line)
        if line.key in waiting.get(metadata.corpus, {}):
            flush(metadata.corpus)
        if line.is_answer and any(old.body == line.body for old in ledger.answers(line.key)):
            result.n_known += 1
            continue
        result.n_answers += line.is_answer
        result.n_failures += not line.is_answer
        pending = waiting.setdefault(metadata.corpus, {})
        pending[line.key] = response_line(line)
        result.usd += metadata.cost_usd or 0.0
        if len(pending) >= _LINES_AT_A_TIME:
            flush(metadata.corpus)
    for corpus in list(waiting):
        flush(corpus)


def _fault(line: Line | None) -> str | None:
    """Why a line is not a response; None where it is one."""
    if line is None:
        return "torn, or not a line of a batch's results"
    if line.kind == "request":
        return "a request, not a response"
    return (
        "neither a status nor an error"
        if line.status_code is None and line.error_code is None
        else None
    )


def _with_usage(line: Line, metadata: RequestMetadata, price: Price | None) -> Line:
    usage = read_usage(line.body)
    metadata = replace(
        metadata,
        at=now(),
        latency_s=None,
        prompt_tokens=None,
        completion_tokens=None,
        cost_usd=None,
    )
    if usage is not None:
        cost_usd = None if price is None else price.cost_usd(usage)
        metadata = replace(
            metadata,
            prompt_tokens=usage.prompt_tokens,
            completion_tokens=usage.completion_tokens,
            cost_usd=cost_usd,
        )
    return replace(line, metadata=metadata)


def import_responses(
    ledger: Ledger, files: Sequence[Path], price_of_model: Callable[[str, str], Price | None]
) -> ImportResult:
    """Put the responses of `files` into the ledger; `price_of_model` is asked with corpus and model.

    Raises TeacherError for a file that cannot be read, or a ledger that cannot be written.
    """
    try:
        asked, result = asked_in(ledger, files), ImportResult()
        with ExitStack() as held:
            for corpus in sorted({line.metadata.corpus for line in asked.values()}):
                held.enter_context(ledger.sending_for(corpus))
            prices = {
                (metadata.corpus, metadata.model): price_of_model(metadata.corpus, metadata.model)
                for metadata in {line.metadata for line in asked.values()}
            }

            def about_of(key: str) -> tuple[RequestMetadata, Price | None] | None:
                line = asked.get(key)
                return (
                    None
                    if line is None
                    else (line.metadata, prices[line.metadata.corpus, line.metadata.model])
                )

            for file in files:
                take_responses(ledger, numbered(file), str(file), about_of, result)
    except OSError as error:
        raise TeacherError(
            f"{error.filename or 'the file'} cannot be read: {error.strerror or error}."
        ) from error
    return result


def asked_in(ledger: Ledger, files: Sequence[Path]) -> dict[str, Line]:
    """The request line that the ledger has for each custom_id in `files` of responses, without its body."""
    keys = {
        line.key
        for file in files
        for _, raw in numbered(file)
        if (line := read_line(raw)) is not None
    }
    return asked_before(ledger, keys)


def numbered(file: Path) -> Iterator[tuple[int, bytes]]:
    """The lines of `file`, from 1."""
    with file.open("rb") as lines:
        yield from enumerate(lines, start=1)
