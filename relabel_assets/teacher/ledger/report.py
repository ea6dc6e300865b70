"""Statistics of the ledger: size, spend, faulty lines, and the usage of recent replies.

What belongs here: counting the lines of whole files, or of their last part. What does not: the
index for sending (ledger.py), finding requests (request_lines.py), printing
(cli/printing/output_teacher.py).
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from statistics import fmean
from typing import Any

from relabel_assets.errors import Problem
from relabel_assets.intake.one_input import costs_itself
from relabel_assets.teacher.decisions import decision_replies
from relabel_assets.teacher.estimate import ASSUMED_LATENCY_S, ObservedUsage
from relabel_assets.teacher.ledger.chain import ChainCheck
from relabel_assets.teacher.ledger.ledger import Ledger
from relabel_assets.teacher.ledger.lines import Line, moment_of, read_line, read_start
from relabel_assets.teacher.ledger.raw_lines import TOO_LONG, raw_lines
from relabel_assets.teacher.replies import why_unusable
from relabel_assets.teacher.requests import DECISIONS, estimate_prompt_tokens, request_key
from relabel_assets.teacher.verdict import judge

# The last part of each file, and the last replies of a model, that observed_usage takes. Not measured:
# 8 MiB hold some 2,000 exchanges of 4 kB. A ledger of any size is then parsed quickly.
_RECENT_BYTES = 8 * 1024 * 1024
_RECENT_REPLIES = 2_000
_REMEDY = "It is skipped; its request is sent again if it is needed."
_UNUSABLE_REMEDY = "Its request is sent again if it is needed."
_CHANGED_REMEDY = (
    "Restore the file from a backup. Or delete the line; its request is sent again if it is needed."
)


@dataclass
class Group:
    """Counts of the lines of one corpus, purpose and model."""

    n_requests: int = 0
    n_responses: int = 0
    n_answers: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    usd: float = 0.0  # of the replies with a known price
    n_unpriced: int = 0  # replies without a known price
    outcomes: Counter[str] = field(default_factory=Counter)  # Response.outcome

    def add(self, line: Line) -> None:
        """Count `line`."""
        if line.response is None:
            self.n_requests += 1
            return
        self.n_responses += 1
        self.n_answers += line.is_answer
        self.outcomes[line.response.outcome] += 1
        self.prompt_tokens += round(line.metadata.prompt_tokens or 0)
        self.completion_tokens += round(line.metadata.completion_tokens or 0)
        self.usd += line.metadata.cost_usd or 0.0
        has_usage = line.metadata.prompt_tokens is not None
        self.n_unpriced += has_usage and line.metadata.cost_usd is None


@dataclass
class LedgerReport:
    """Counts of the whole ledger. `groups` is by (corpus, purpose, model)."""

    n_files: int = 0
    n_bytes: int = 0
    n_lines: int = 0
    n_keys: int = 0
    groups: dict[tuple[str, str, str], Group] = field(default_factory=lambda: defaultdict(Group))
    problems: list[Problem] = field(default_factory=list)  # lines that are wrong
    # If thorough: answers without a reply that can be parsed, and the lines without a chain (chain.py).
    unusable: list[Problem] = field(default_factory=list)
    n_unchained: int = 0
    # Responses without their request in the ledger: from another tool, or its line was lost.
    n_unasked: int = 0


def report(
    ledger: Ledger, *, is_thorough: bool = False, corpora: Collection[str] | None = None
) -> LedgerReport:
    """Count every line of the ledger, or of the files of `corpora`.

    If `is_thorough`, every line is parsed whole. Then a key must be the hash of its request's body, the
    two statuses of a response must be equal, the chain of each file must be unbroken, and answers
    without a usable reply are listed. Otherwise bodies are skipped, which is many times faster, and only
    unreadable files and torn, foreign and too long lines are problems.

    >>> import tempfile
    >>> from relabel_assets.teacher.ledger.lines import RequestMetadata, request_line
    >>> folder = tempfile.TemporaryDirectory()
    >>> ledger = Ledger(folder.name)
    >>> body = {"model": "m", "messages": []}
    >>> ledger.append("demo", [request_line(request_key(body), body, RequestMetadata("demo"))])
    >>> counted = report(ledger, is_thorough=True)
    >>> counted.n_lines, counted.groups["demo", "", ""].n_requests, counted.problems
    (1, 1, [])
    """
    result = LedgerReport()
    request_keys: set[bytes] = set()
    n_responses: Counter[bytes] = Counter()  # by key
    for file in ledger.files():
        name = str(file.relative_to(ledger.folder))
        if corpora is not None and Path(name).parts[0] not in corpora:
            continue
        result.n_files += 1
        chain = ChainCheck()
        with costs_itself(result.problems, name):
            for number, (offset, end, raw) in enumerate(raw_lines(file), start=1):
                result.n_bytes += end - offset
                if raw is not None and not raw.strip():
                    continue  # the newline that ended a torn line
                result.n_lines += 1
                line, fault = _check(raw, is_thorough=is_thorough)
                if fault:
                    result.problems.append(Problem(name, number, fault, _REMEDY))
                if is_thorough and raw is not None and (broken := chain.fault(raw)):
                    result.problems.append(Problem(name, number, broken, _CHANGED_REMEDY))
                if line is None or fault:
                    continue
                if is_thorough and (reason := _why_unusable(line)):
                    result.unusable.append(Problem(name, number, reason, _UNUSABLE_REMEDY))
                metadata = line.metadata
                result.groups[metadata.corpus, metadata.purpose, metadata.model].add(line)
                if line.is_request:
                    request_keys.add(bytes.fromhex(line.key))
                else:
                    n_responses[bytes.fromhex(line.key)] += 1
        result.n_unchained += chain.n_unchained
    result.n_keys = len(request_keys | set(n_responses))
    result.n_unasked = sum(n for key, n in n_responses.items() if key not in request_keys)
    return result


def _check(raw: bytes | None, *, is_thorough: bool) -> tuple[Line | None, str | None]:
    """The line, and the reason why it cannot be used."""
    if raw is None:
        return None, TOO_LONG
    if not raw.endswith(b"\n"):
        return None, "the last line is torn: its process died, or is still writing it."
    start = read_start(raw)
    line = read_line(raw) if is_thorough or start is None else start
    if line is None:
        return None, (
            "the line is torn or foreign, or nested too deep: it cannot be read as an exchange with a "
            "teacher."
        )
    return line, _fault_inside(line, start) if is_thorough else None


def _why_unusable(line: Line) -> str | None:
    """Why an answer gives no grade and no queries; None if it does, and for all other lines."""
    if line.response is None or not line.is_answer:
        return None
    verdict = judge(line.response.status_code, line.response.body)
    is_decisions = line.metadata.dialect == DECISIONS
    why = decision_replies.why_unusable if is_decisions else why_unusable
    reason = verdict.reason if verdict.action != "use" else why(line.response.body)
    return None if reason is None else f"the answer cannot be used: {reason}"


def _fault_inside(line: Line, start: Line | None) -> str | None:
    """How `line` contradicts itself, or its `start` as read_start parses it; None if it does not."""
    if line.response is None:
        if _key_of(line.request_body) == line.key:
            return None
        return "the key is not the hash of the request's body: one of them was changed."
    first = None if start is None else start.response
    if first is not None and first.outcome != line.response.outcome:
        return f"it has two statuses, {first.outcome} and {line.response.outcome}."
    return None


def _key_of(body: Any) -> str | None:
    """The key of a request's body; None for numbers that JSON does not have."""
    try:
        return request_key(body)
    except ValueError:
        return None


def observed_usage(ledger: Ledger, purpose: str, models: list[str]) -> dict[str, ObservedUsage]:
    """The mean usage of recent replies for `purpose`, by model. A model without replies is missing.

    A reply to a prompt that was cut does not count: its tokens are those of a part.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     observed_usage(Ledger(folder), "grading", ["gpt-4o"])
    {}
    """
    prompt_tokens: dict[str, int] = {}  # estimated, by key
    replies: dict[str, list[tuple[Line, int]]] = {model: [] for model in models}
    for line in _recent(ledger):
        if line.metadata.purpose != purpose or line.metadata.model not in replies:
            continue
        if line.is_request:
            with costs_itself([], "ledger"):  # another tool may have sent a body of another form
                prompt_tokens[line.key] = estimate_prompt_tokens(line.request_body)
        elif _has_usage(line) and line.key in prompt_tokens:
            replies[line.metadata.model].append((line, prompt_tokens[line.key]))
    return {model: _usage(lines[-_RECENT_REPLIES:]) for model, lines in replies.items() if lines}


def _has_usage(line: Line) -> bool:
    return line.is_answer and bool(line.metadata.prompt_tokens) and not line.metadata.cut


def _usage(replies: list[tuple[Line, int]]) -> ObservedUsage:
    """The mean usage of `replies`: (response line, estimated prompt tokens)."""
    billed = sum(line.metadata.prompt_tokens or 0 for line, _ in replies)
    latencies = [
        line.metadata.latency_s for line, _ in replies if line.metadata.latency_s is not None
    ]
    return ObservedUsage(
        len(replies),
        billed / max(1, sum(estimated for _, estimated in replies)),
        sum(line.metadata.completion_tokens or 0 for line, _ in replies)
        / sum(line.metadata.n_asked_together for line, _ in replies),
        fmean(latencies) if latencies else ASSUMED_LATENCY_S,
    )


def _recent(ledger: Ledger) -> Iterator[Line]:
    """The last lines of each file, oldest file first. Only requests have their bodies."""
    for file in sorted(ledger.files(), key=lambda file: (file.stem, str(file))):
        start = max(0, _size(file) - _RECENT_BYTES)
        for offset, _, raw in ledger.lines(file, start):
            # The first line of a last part is mostly cut.
            line = None if raw is None or 0 < start == offset else read_start(raw)
            if line is not None and line.is_request:
                line = None if raw is None else read_line(raw)
            if line is not None:
                yield line


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except OSError:
        return 0


def spent_since(ledger: Ledger, corpus: str, moment: datetime) -> float:
    """US dollars of the responses for `corpus` that arrived at `moment` (UTC) or later.

    A response without a price counts as 0.

    >>> import tempfile
    >>> from datetime import UTC
    >>> from relabel_assets.teacher.ledger.lines import RequestMetadata, Response, response_line
    >>> metadata = RequestMetadata("demo", at="2026-01-02T00:00:00+00:00", cost_usd=0.25)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     ledger = Ledger(folder)
    ...     ledger.append("demo", [response_line("0f" * 32, Response(200), metadata)])
    ...     [spent_since(ledger, "demo", datetime(2026, 1, day, tzinfo=UTC)) for day in (1, 2, 3)]
    [0.25, 0.25, 0.0]
    """
    spent = 0.0
    for file in ledger.files():
        for _, _, raw in ledger.lines(file):
            line = None if raw is None else read_start(raw)
            if line is None or line.is_request or line.metadata.corpus != corpus:
                continue
            at = moment_of(line.metadata.at)
            if at is not None and at >= moment:
                spent += line.metadata.cost_usd or 0.0
    return spent
