"""Log lines: text from data ends no line early, and does nothing to a terminal."""

import io
import json
import logging

from hypothesis import given
from hypothesis import strategies as st

from relabel_assets.logs import JsonLines, TextLines


def formatted(formatter: logging.Formatter, text: str) -> str:
    record = logging.LogRecord("relabel_assets", logging.INFO, "", 0, "  %s", (text,), None)
    return formatter.format(record)


@given(st.text())
def test_any_message_is_one_printable_line_of_text(text: str) -> None:
    line = formatted(TextLines(), text)
    assert len(line.splitlines()) == 1
    assert line.isprintable() or not text.isprintable()
    line.encode()


def test_a_message_cannot_pretend_to_be_a_line_of_its_own() -> None:
    line = formatted(TextLines(), "bad\n12:00:00  tiny / seed_docs: 8 rows\x1b[2K\u202e")
    assert line[8:] == r"    bad 12:00:00 tiny / seed_docs: 8 rows\x1b[2K\u202e"


@given(st.text())
def test_any_message_is_one_json_object_on_one_line(text: str) -> None:
    line = formatted(JsonLines(), text)
    assert line.isascii() and len(line.splitlines()) == 1
    message = json.loads(line)["message"]
    message.encode()
    assert "\0" not in message


def test_a_log_that_cannot_be_written_stops_nothing() -> None:
    closed = io.StringIO()
    closed.close()
    from relabel_assets.cli.progress_display import show_progress

    show_progress()
    logger = logging.getLogger("relabel_assets.progress")
    (handler,) = logger.handlers
    assert isinstance(handler, logging.StreamHandler)
    handler.setStream(closed)
    logger.info("lost")
