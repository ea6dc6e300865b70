"""JSON log lines with corpus, asset and run.

What belongs here: the format. What does not: the messages (graph/table_asset.py), and the handlers
that write them (cli/commands/run.py, dagster.yaml).
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

_EXTRA = ("corpus", "asset", "run", "rows", "seconds")


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
            "message": (dagster.get("orig_message") or record.getMessage()).strip(),
        } | {name: value for name, value in context.items() if value is not None}
        if event := dagster.get("dagster_event"):
            line["event"] = event.event_type_value
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
