"""Texts and frames as a teacher gets them: without what a corpus' settings replace.

What belongs here: replacing, and counting what was replaced. What does not: where the values are
(personal_values.py, secret_values.py), and the settings (corpus/config/redaction_config.py).

A whole text is searched before it is cut to an excerpt: half an address is no address to a pattern, and
is one to a reader.
"""

import json
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any

import polars as pl

from relabel_assets.corpus.config.redaction_config import RedactionConfig
from relabel_assets.plural import counted
from relabel_assets.teacher.redaction.personal_kinds import finders

# Columns that no prompt shows, by which rows are found again.
_KEPT = {"query_id", "doc_id", "seed_doc_id", "content_hash", "duplicate_of"}
_JSON = {"metadata"}  # its values are texts, and its form must stay JSON


class Redaction:
    """What the settings of a teacher replace in texts. `counts` has the number of values by kind.

    >>> redaction = Redaction(RedactionConfig(redact=["emails"], redact_patterns={"id": r"E\\d{3}"}))
    >>> redaction.text("Ask ana@example.com (E123)."), dict(redaction.counts)
    ('Ask [email] ([id]).', {'email': 1, 'id': 1})
    """

    def __init__(self, config: RedactionConfig) -> None:
        self.counts: Counter[str] = Counter()
        self._is_on = config.is_redacted
        self._patterns = config.redact_patterns
        # In the order of `finders`, whatever that of the settings: it names what two kinds find.
        self._finders = {
            kind.removesuffix("s"): find
            for kind, find in finders(config.redact_phone_region).items()
            if kind in config.redact
        }

    def frame(self, rows: pl.DataFrame) -> pl.DataFrame:
        """`rows` with every text replaced but ids and hashes. An equal text is searched once."""
        if not self._is_on:
            return rows
        changed = []
        for name, dtype in rows.schema.items():
            if dtype != pl.String or name in _KEPT:
                continue
            replace = self._json if name in _JSON else self.text
            texts = rows[name].drop_nulls().unique(maintain_order=True).to_list()
            sent = {text: replace(text) for text in texts}
            changed.append(
                pl.Series(name, [None if t is None else sent[t] for t in rows[name]], dtype=dtype)
            )
        return rows.with_columns(changed)

    def text(self, text: str) -> str:
        """`text` with a placeholder for each value that was found."""
        parts, at = list[str](), 0
        for start, end, kind in _joined(self._spans(text)):
            parts += [text[at:start], f"[{kind}]"]
            at = end
            self.counts[kind] += 1
        text = "".join([*parts, text[at:]])
        for name, pattern in self._patterns.items():
            # Polars' expressions take linear time, whatever the pattern and the text.
            found = pl.Series([text])
            if n_found := found.str.count_matches(pattern).item():
                text = found.str.replace_all(pattern, f"[{name}]").item()
                self.counts[name] += n_found
        return text

    def _spans(self, text: str) -> Iterator[tuple[int, int, str]]:
        for kind, find in self._finders.items():
            yield from ((start, end, kind) for start, end in find(text))

    def _json(self, text: str) -> str:
        try:
            value = json.loads(text)
        except ValueError:
            return self.text(text)
        return json.dumps(self._inside(value), ensure_ascii=False)

    def _inside(self, value: Any) -> Any:
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, list):
            return [self._inside(item) for item in value]
        if isinstance(value, dict):
            return {key: self._inside(item) for key, item in value.items()}
        return value


def redaction_note(counts: Counter[str]) -> str:
    """What was replaced, in words; empty for nothing.

    >>> redaction_note(Counter({"email": 2, "card": 1}))
    '3 values are replaced before anything is sent: 1 [card], 2 [email]'
    """
    if not counts.total():
        return ""
    kinds = ", ".join(f"{n:,} [{kind}]" for kind, n in sorted(counts.items()))
    verb = "is" if counts.total() == 1 else "are"
    return f"{counted(counts.total(), 'value')} {verb} replaced before anything is sent: {kinds}"


def _joined(spans: Iterable[tuple[int, int, str]]) -> list[tuple[int, int, str]]:
    """The spans in order, overlapping ones as one, with the name of the first to begin or be found."""
    joined: list[tuple[int, int, str]] = []
    for start, end, kind in sorted(spans, key=lambda span: span[0]):
        if joined and start < joined[-1][1]:
            first, last, name = joined[-1]
            joined[-1] = first, max(last, end), name
        else:
            joined.append((start, end, kind))
    return joined
