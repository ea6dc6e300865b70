"""Documents that are too long to read whole: a pair's own passages in their place.

What belongs here: this replacement in a frame of pairs. What does not: choosing passages
(corpus/excerpts/), and models that read a pair within max_length, which cut it themselves
(pair_reader.py).
"""

import hashlib
from typing import Any

import polars as pl

from relabel_assets.corpus.excerpts.excerpt import BYTES_PER_TOKEN, excerpt
from relabel_assets.student.windows import BODY_CHARACTERS

# What the teacher reads of a long document by default: 3,000 tokens.
_EXCERPT_BYTES = 3000 * BYTES_PER_TOKEN
_PLACE = "place of the pair"  # no caller's column has this name


def with_nearest_passages(pairs: pl.DataFrame) -> pl.DataFrame:
    """`pairs` (text, doc_id, body, ...), where a body over BODY_CHARACTERS is an excerpt for the query.

    Each query has an excerpt of its own, and so a doc_id of its own. Order and other columns stay.

    >>> pairs = pl.DataFrame({"text": ["leave"], "doc_id": ["d"], "body": ["Ask HR. " * 30_000]})
    >>> with_nearest_passages(pairs)["body"].str.len_bytes().item() <= 12_000
    True
    """
    is_long = pairs["body"].cast(pl.String).str.len_chars().fill_null(0) > BODY_CHARACTERS
    if not is_long.any():
        return pairs
    rows = pairs.with_row_index(_PLACE).filter(is_long)
    excerpts = pl.DataFrame([_excerpt_row(row) for row in rows.iter_rows(named=True)])
    return (
        pairs.with_row_index(_PLACE)
        .update(excerpts.cast({_PLACE: pl.UInt32, "doc_id": pairs.schema["doc_id"]}), on=_PLACE)
        .drop(_PLACE)
    )


def _excerpt_row(pair: dict[str, Any]) -> dict[str, Any]:
    query = hashlib.sha256(pair["text"].encode("utf-8", "replace")).hexdigest()[:16]
    body = excerpt(pair["body"], pair["text"], _EXCERPT_BYTES).text
    return {_PLACE: pair[_PLACE], "doc_id": f"{pair['doc_id']} {query}", "body": body}
