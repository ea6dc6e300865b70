"""Metadata that a corpus shows: lines at the head of a document's text.

What belongs here: those lines. What does not: what metadata a document has (documents.py).

They are part of the text, so that every later stage reads them in the same way: BM25, prompts, students, and
people. A long document keeps its first passage in every excerpt, and so these lines.
"""

import difflib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import polars as pl

from relabel_assets.corpus.documents import with_bodies
from relabel_assets.intake.text import cut

_LONGEST_LINE = 300  # characters, as of other metadata in a prompt


def with_shown_metadata(
    frames: Iterable[pl.DataFrame], keys: Sequence[str], notes: list[str] | None = None
) -> Iterator[pl.DataFrame]:
    """`frames` of documents whose bodies begin with a line for each of `keys` in their metadata.

    `notes` gets a sentence on each key that no document has.

    >>> from relabel_assets.corpus.documents import document_from_row, frames_of
    >>> row = document_from_row({"doc_id": "d1", "body": "Ask HR.", "product": ["x", "y"], "id": 7})
    >>> next(with_shown_metadata(frames_of([row]), ["product", "region"]))["body"].item()
    'product: x, y\\nAsk HR.'
    """
    stated = set[str]()
    for frame in frames:
        if not keys or frame["metadata"].null_count() == frame.height:
            yield frame
            continue
        yield with_bodies(frame, lambda row: _with_lines(row, keys, stated))
    if notes is not None:
        notes += [_absent(key, stated) for key in keys if key not in stated]


def _with_lines(row: Mapping[str, Any], keys: Sequence[str], stated: set[str]) -> str:
    """The body of a document below its lines. The keys of its metadata are added to `stated`."""
    metadata: dict[str, Any] = json.loads(row["metadata"]) if row["metadata"] else {}
    stated.update(metadata)
    # No empty line below: a paragraph of its own would count as one that documents repeat.
    return "\n".join([*metadata_lines(metadata, keys), row["body"]])


def metadata_lines(metadata: Mapping[str, Any], keys: Sequence[str]) -> list[str]:
    """A line `key: value` for each of `keys` in `metadata`.

    >>> metadata_lines({"product": "x", "team": {"name": "HR"}}, ["team", "product", "region"])
    ['team: {"name": "HR"}', 'product: x']
    """
    return [f"{key}: {_one_line(metadata[key])}" for key in keys if key in metadata]


def _absent(key: str, stated: set[str]) -> str:
    nearest = difflib.get_close_matches(key, stated, n=1)
    hint = f" Did you mean {nearest[0]!r}?" if nearest else ""
    return f"documents.show names {key!r}, which no document's metadata has.{hint}"


def _one_line(value: Any) -> str:
    text = ", ".join(map(_text, value)) if isinstance(value, list) else _text(value)
    return cut(" ".join(text.split()), _LONGEST_LINE)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
