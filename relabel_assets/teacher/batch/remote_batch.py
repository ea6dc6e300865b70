"""A batch as the endpoint reports it, read from JSON that may have any form.

What belongs here: the members of a batch. What does not: the calls (endpoint.py), and our own record of
the batches that are out (pending.py).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from relabel_assets.intake.input_limits import MAX_TOKENS
from relabel_assets.intake.text import one_line

TAG, CORPUS = "relabel_tag", "relabel_corpus"  # keys in the metadata of a batch at the endpoint
_ENDED = ("completed", "failed", "expired", "cancelled")
_LONGEST_MESSAGE = 300  # characters of an endpoint's message


@dataclass(frozen=True)
class RemoteBatch:
    """A batch as the endpoint reports it."""

    id: str
    status: str
    n_done: int
    n_requests: int
    result_files: tuple[str, ...]  # ids of the files with answers and with failures
    errors: tuple[tuple[str, str], ...]  # (code, message): why a whole batch failed

    @property
    def is_ended(self) -> bool:
        return self.status in _ENDED


def read_batch(value: Any) -> RemoteBatch:
    """The batch in an endpoint's JSON. Members of a wrong type count as missing.

    Raises ValueError for a batch without an id.

    >>> batch = read_batch({"id": "batch_1", "status": "completed", "errors": 5})
    >>> batch.is_ended, batch.n_done, batch.errors
    (True, 0, ())
    """
    batch_id = member_text(value, "id")
    if not batch_id:
        raise ValueError("a batch has no id")
    counts, errors = value.get("request_counts"), _member(value.get("errors"), "data")
    return RemoteBatch(
        batch_id,
        one_line(member_text(value, "status"))[:_LONGEST_MESSAGE],
        _count(counts, "completed") + _count(counts, "failed"),
        _count(counts, "total"),
        tuple(
            file
            for name in ("output_file_id", "error_file_id")
            if (file := member_text(value, name))
        ),
        tuple(
            (member_text(error, "code"), one_line(member_text(error, "message"))[:_LONGEST_MESSAGE])
            for error in (errors if isinstance(errors, list) else [])
        ),
    )


def tag_of(batch: Any) -> str:
    """The tag in the metadata of a batch in an endpoint's JSON; empty without one.

    >>> tag_of({"metadata": {"relabel_tag": "3f2a"}}), tag_of([])
    ('3f2a', '')
    """
    return member_text(_member(batch, "metadata"), TAG)


def _member(value: Any, name: str) -> Any:
    return value.get(name) if isinstance(value, Mapping) else None


def member_text(value: Any, name: str) -> str:
    """The member `name` of an object if it is a text; else an empty text.

    >>> member_text({"id": "batch_1"}, "id"), member_text({"id": 5}, "id"), member_text(None, "id")
    ('batch_1', '', '')
    """
    text = _member(value, name)
    return text if isinstance(text, str) else ""


def _count(value: Any, name: str) -> int:
    n = _member(value, name)
    return n if isinstance(n, int) and 0 <= n <= MAX_TOKENS else 0
