"""The list of formats, and which of them a file has.

What belongs here: the list, and what the start of a file tells. What does not: the formats.
"""

import re
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from relabel_assets.errors import ConfigError
from relabel_assets.exchange.formats import (
    beir,
    ltr,
    opensearch,
    plain_tables,
    qrels,
    quepid,
    rank_eval,
    rre,
    vespa,
)
from relabel_assets.exchange.formats.format import Format, json_object, opened
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.tables.delimited import delimited_table
from relabel_assets.intake.tables.reader import PACKED_SUFFIXES
from relabel_assets.intake.text import shown

FORMATS: dict[str, Format] = {
    one.name: one
    for one in (
        qrels.FORMAT,
        beir.FORMAT,
        plain_tables.PARQUET,
        plain_tables.CSV,
        quepid.CASE,
        quepid.BOOK,
        rre.FORMAT,
        opensearch.FORMAT,
        rank_eval.FORMAT,
        ltr.FORMAT,
        vespa.FORMAT,
    )
}
# The member of a JSON object that only one of the formats has.
_JSON_MEMBERS = {
    "topics": "rre",
    "query_groups": "rre",
    "judgmentRatings": "opensearch",
    "requests": "rank-eval",
    "relevant_docs": "vespa",
}
_START_BYTES = 4096


def format_named(name: str) -> Format:
    """The format `name`. Raises ConfigError for an unknown one.

    >>> format_named("qrels").ending
    '.qrels'
    """
    if name not in FORMATS:
        raise ConfigError(f"the format {shown(name)} is unknown. Formats: {', '.join(FORMATS)}.")
    return FORMATS[name]


def format_of(path: Path) -> Format:
    """The format of a file or folder, by what it holds. Raises ConfigError where that is not plain.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "grades.txt"
    ...     _ = path.write_text("q1 0 d1 2\\n")
    ...     format_of(path).name
    'qrels'
    """
    try:
        name = "beir" if path.is_dir() else _format_name(path)
    except SetAside as reason:
        raise ConfigError(f"{path}: {reason.message}. {reason.remedy}") from reason
    if name is None:
        raise ConfigError(
            f"{path}: its format is not plain. Name it with --from: {', '.join(FORMATS)}."
        )
    return FORMATS[name]


def _format_name(path: Path) -> str | None:
    if path.suffix.lower() in PACKED_SUFFIXES or path.suffix.lower() == ".jsonl":
        return "parquet" if path.suffix.lower() == ".parquet" else "csv"
    with opened(path) as file:
        start = file.read(_START_BYTES).removeprefix(b"\xef\xbb\xbf")
        file.seek(0)
        if start.lstrip().startswith(b"{"):
            content = opensearch.body_of(json_object(path))
            return next((name for member, name in _JSON_MEMBERS.items() if member in content), None)
        text = start.decode("utf-8", errors="replace")
        first = next((line for line in text.splitlines() if line.strip()), "")
        if first.split("\t") == ["query-id", "corpus-id", "score"]:
            return "beir"
        if re.search(r"^\S+\s+qid:[0-9]", text, re.MULTILINE) or re.match(r"#\s*qid:", first):
            return "ltr"
        if path.suffix.lower() == ".csv":
            return _csv_name(file)
        return "qrels" if len(first.split()) == 4 else None


def _csv_name(file: BinaryIO) -> str | None:
    """The first form whose columns are there."""
    for columns, name in (
        (plain_tables.COLUMNS, "csv"),
        (quepid.CASE_COLUMNS, "quepid-case"),
        (quepid.BOOK_COLUMNS, "quepid-book"),
    ):
        with suppress(SetAside):
            delimited_table(file, columns)
            return name
    return None
