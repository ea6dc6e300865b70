"""The JSON object in a line of a JSON Lines file, or the reason why there is none.

What belongs here: that parser. What does not: the members of the object.
"""

from typing import Any

from relabel_assets.intake.input_limits import MAX_LINE_BYTES
from relabel_assets.intake.json_text import BadJson, parse_json
from relabel_assets.intake.one_input import SetAside


def json_object(line: bytes) -> dict[str, Any]:
    """The JSON object in a line. Raises SetAside for anything else, and for a line over the limit."""
    if len(line) > MAX_LINE_BYTES:
        raise SetAside("the line is too long", f"At most {MAX_LINE_BYTES:,} bytes are read.")
    try:
        value = parse_json(line)
    except UnicodeDecodeError as error:
        raise SetAside("not UTF-8 text", "Save the file as UTF-8.") from error
    except BadJson as error:
        torn = "" if line.endswith(b"\n") else ". The file ends in the middle of it"
        raise SetAside(f"not JSON ({error}){torn}", "Write one JSON object per line.") from error
    if not isinstance(value, dict):
        raise SetAside(
            f"a {type(value).__name__}, not a JSON object", 'Write {"name": value, ...}.'
        )
    return value
