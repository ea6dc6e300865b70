"""Log lines for a terminal, and JSON log lines with corpus, asset and run.

What belongs here: the formats. What does not: the messages (graph/step_log.py), and the handlers
that write them (cli/commands/run.py, dagster.yaml).
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

from relabel_assets.intake.text import one_line, storable

_EXTRA = ("corpus", "asset", "run", "rows", "seconds")


class TextLines(logging.Formatter):
    """Formats a record as one line for a terminal, on which text from data does nothing.

    >>> record = logging.LogRecord("relabel_assets", logging.INFO, "", 0, "a\\x1b[2J\\nb", (), None)
    >>> TextLines().format(record)[10:]
    'a\\\\x1b[2J b'
    """

    def __init__(self) -> None:
        super().__init__("%(asctime)s  %(message)s", "%H:%M:%S")

    def formatMessage(self, record: logging.LogRecord) -> str:
        indent = record.message[: len(record.message) - len(record.message.lstrip(" "))]
        record.message = indent + one_line(record.message)
        return super().formatMessage(record)


class JsonLines(logging.Formatter):
    """Formats a record as one JSON object: at (UTC), level, logger, message, and the fields below.

    corpus, asset, run, rows and seconds come from the record's `extra`, or from Dagster's metadata of
    the step that logged it. `error` is a traceback.

    >>> record = logging.LogRecord("relabel_assets", logging.INFO, "", 0, "%d rows", (8,), None)
    >>> record.created, record.corpus = 0.0, "demo"
    >>> print(JsonLines().format(record))  # doctest: +NORMALIZE_WHITESPACE
    {"at": "1970-01-01T00:00:00.000+00:00", "level": "info", "logger": "relabel_assets",
     "message": "8 rows", "corpus": "demo"}
    """

    def format(self, record: logging.LogRecord) -> str:
        dagster: dict[str, Any] = getattr(record, "dagster_meta", None) or {}
        context = {
            "corpus": (dagster.get("job_tags") or {}).get("dagster/partition"),
            "asset": dagster.get("step_key"),
            "run": dagster.get("run_id"),
        }
        extra = {name: getattr(record, name, None) for name in _EXTRA}
        context |= {name: value for name, value in extra.items() if value is not None}
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": storable(dagster.get("orig_message") or record.getMessage()).strip(),
        } | {name: value for name, value in context.items() if value is not None}
        if event := dagster.get("dagster_event"):
            line["event"] = event.event_type_value
        if record.exc_info:
            line["error"] = storable(self.formatException(record.exc_info))
        return json.dumps(line)  # ASCII: U+2028 would end a line for some readers
