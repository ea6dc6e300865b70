"""The chain of a ledger file: the hash in each line, which shows lines that were changed later.

What belongs here: computing and checking the hashes. What does not: files and their locks (ledger.py),
and what else can be wrong with a line (report.py).

Each line ends in its last member, "chain": the SHA-256 of the chain of the line before and of the
line's own bytes before that member. Lines without it (torn lines, lines of other tools and earlier
versions) are not part of the chain. The hash has no key: it shows damage and careless edits. It does
not show lines that were cut off at the end, or an editor who computes all the hashes again.
"""

import hashlib
import os
import re
from dataclasses import dataclass

_MEMBER = b',"chain":"'
_LENGTH = len(_MEMBER) + 64 + len(b'"}\n')
_AT_LINE_END = re.compile(rb',"chain":"([0-9a-f]{64})"\}\n')
_BLOCK_BYTES = 1024 * 1024


def chained(data: bytes, previous: bytes) -> bytes:
    """`data`, whole lines of JSON objects, each with its chain after `previous`.

    >>> chained(b'{"a":1}\\n', b"")[:20]
    b'{"a":1,"chain":"8b0f'
    """
    lines = []
    for line in data.split(b"\n")[:-1]:
        start = line[:-1]
        previous = _hash(previous, start)
        lines.append(start + _MEMBER + previous + b'"}\n')
    return b"".join(lines)


def _hash(previous: bytes, start: bytes) -> bytes:
    return hashlib.sha256(previous + start).hexdigest().encode()


def last_chain(descriptor: int, size: int) -> bytes:
    """The chain of the last chained line in the first `size` bytes of a file; empty without one.

    A last line that lacks only its newline counts: the next append ends it.

    >>> import tempfile
    >>> with tempfile.TemporaryFile() as file:
    ...     last_chain(file.fileno(), file.write(b"hello\\n"))
    b''
    """
    end, later = size, b"\n"  # `later`: the first bytes after `end`
    while end > 0:
        start = max(0, end - _BLOCK_BYTES)
        block = os.pread(descriptor, end - start, start) + later
        chains: list[bytes] = _AT_LINE_END.findall(block)
        if chains:
            return chains[-1]
        end, later = start, block[:_LENGTH]
    return b""


@dataclass
class ChainCheck:
    """Checks the lines of one file, in order."""

    last: bytes = b""
    n_unchained: int = 0

    def fault(self, raw: bytes) -> str | None:
        """What is wrong with the chain at the line `raw`; None if nothing is, or it has no chain.

        >>> check, lines = ChainCheck(), chained(b'{"a":1}\\n{"a":2}\\n', b"")
        >>> [check.fault(line) for line in lines.splitlines(keepends=True)]
        [None, None]
        >>> ChainCheck().fault(lines.splitlines(keepends=True)[1])
        'it was changed after it was written, or a line above it was changed or removed.'
        """
        start, member = raw[:-_LENGTH], raw[-_LENGTH:]
        match = _AT_LINE_END.fullmatch(member)
        if match is None:
            self.n_unchained += bool(raw.strip())
            return None
        expected, self.last = _hash(self.last, start), match[1]
        if expected == self.last:
            return None
        return "it was changed after it was written, or a line above it was changed or removed."
