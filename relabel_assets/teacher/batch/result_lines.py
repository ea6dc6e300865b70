"""The lines of a file of responses, one by one: each within a limit, parsed, and without secrets.

What belongs here: what becomes of a line that is too long or nested too deep. What does not: recording
the responses (response_files.py).
"""

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace

from relabel_assets.intake.input_limits import MAX_JSON_DEPTH, MAX_REPLY_BYTES
from relabel_assets.intake.json_text import TooDeep
from relabel_assets.teacher.http.redactor import NO_SECRETS, Redactor
from relabel_assets.teacher.ledger.lines import (
    Line,
    RequestMetadata,
    Response,
    read_line,
    response_line,
)
from relabel_assets.teacher.verdict import UNUSABLE_REPLY

_CUSTOM_ID = re.compile(rb'"custom_id"\s{0,8}:\s{0,8}"([0-9a-f]{64})"')
_START_BYTES = 4096  # of a line that is not parsed, where its custom_id is looked for


def read_result(raw: bytes, redactor: Redactor = NO_SECRETS) -> Line | None:
    """The line without secrets; None if it is torn or foreign.

    A line that is nested too deep is the failure of its request, which is not sent again.

    >>> start, nested = b'{"custom_id": "' + b"0f" * 32 + b'", "response": ', b"[" * 99 + b"]" * 99
    >>> read_result(start + nested + b"}").response.outcome
    'unusable_reply'
    """
    try:
        line = read_line(raw, is_strict=True)
    except TooDeep:
        key, failure = _key_of(raw), _failure(f"nested more than {MAX_JSON_DEPTH} deep")
        return None if key is None else Line(key, RequestMetadata(), failure)
    if line is None or line.response is None:
        return line
    response = line.response
    redacted = replace(
        response,
        body=redactor.value(response.body),
        error_code=redactor.value(response.error_code),
        error_message=redactor.value(response.error_message),
        request_id=redactor.value(response.request_id),
    )
    return replace(line, response=redacted)


def limited_lines(pieces: Iterable[bytes], max_bytes: int = MAX_REPLY_BYTES) -> Iterator[bytes]:
    """The lines of a file that arrives in `pieces`, in bounded memory.

    In place of a line of more than `max_bytes` comes the failure of its request.

    >>> list(limited_lines([b"{}", b"\\n{", b"}"]))
    [b'{}\\n', b'{}']
    """
    line, is_too_long = bytearray(), False
    for piece in pieces:
        for number, part in enumerate(piece.split(b"\n")):
            if number:  # a line ended before this part
                yield _too_long(line, max_bytes) if is_too_long else bytes(line + b"\n")
                line, is_too_long = bytearray(), False
            if is_too_long:
                continue
            line += part
            if len(line) > max_bytes:
                is_too_long = True
                del line[_START_BYTES:]
    if line:
        yield _too_long(line, max_bytes) if is_too_long else bytes(line)


def _too_long(start: bytearray, max_bytes: int) -> bytes:
    """The line in place of a too long one that begins with `start`."""
    key = _key_of(start)
    if key is None:
        return b"(a line that was too long)\n"
    failure = _failure(f"longer than {max_bytes:,} bytes")
    return response_line(key, failure, RequestMetadata())


def _key_of(start: bytes | bytearray) -> str | None:
    match = _CUSTOM_ID.search(start, 0, _START_BYTES)
    return None if match is None else match[1].decode()


def _failure(fault: str) -> Response:
    return Response(error_code=UNUSABLE_REPLY, error_message=f"the reply is {fault}")
