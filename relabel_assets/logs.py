"""Log lines for machines: one JSON object a line, with corpus, asset and run.

What belongs here: the format. What does not: what is said (graph.py) and where it goes (commands/, dagster.yaml).
"""

import json
import logging
from datetime import UTC, datetime
from typing import Any

_ABOUT = ("corpus", "asset", "run", "rows", "seconds")


class JsonLines(logging.Formatter):
    """A record as one line: at (UTC), level, logger, message, and corpus, asset, run, rows and seconds where they are known.

    They are the `extra` of a record, or what Dagster knows of the step that logged it; `error` is a traceback.
    """

    def format(self, record: logging.LogRecord) -> str:
        dagster: dict[str, Any] = getattr(record, "dagster_meta", None) or {}
        known = {
            "corpus": (dagster.get("job_tags") or {}).get("dagster/partition"),
            "asset": dagster.get("step_key"),
            "run": dagster.get("run_id"),
        } | {name: value for name in _ABOUT if (value := getattr(record, name, None)) is not None}
        line = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": (dagster.get("orig_message") or record.getMessage()).strip(),
        } | {name: value for name, value in known.items() if value is not None}
        if event := dagster.get("dagster_event"):
            line["event"] = event.event_type_value
        if record.exc_info:
            line["error"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False)
