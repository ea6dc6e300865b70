"""Title, author, date and type among the keys that a page or a file states of itself.

What belongs here: which key is which field, and the text of its value. What does not: reading the keys
(front_matter.py and the readers of other formats).
"""

from collections.abc import Iterator, Mapping
from typing import Any

from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.input_limits import MAX_FIELD_CHARACTERS
from relabel_assets.intake.text import storable

# The keys of each field; the first that has a text counts. Case, spaces, "-" and "_" make no difference.
FIELD_KEYS = {
    "title": ("title",),
    "author": ("author", "authors", "creator"),
    "path": ("path",),
    "updated_at": (
        "updated_at", "updated", "last_updated", "last_update", "lastmod", "last_modified",
        "last_modified_at", "last_modified_date", "modified", "date_modified", "date", "publish_date",
        "published", "date_published", "date_approved",
    ),
    "doc_type": ("doc_type", "type"),
}  # fmt: skip
_NAMES = ("name", "display_name", "title", "id", "email", "login")  # of a person, in a mapping
_DATES = ("date", "updated", "updated_at", "lastmod")  # of a change, as in Docusaurus' last_update


def stated_fields(values: Mapping[str, Any]) -> tuple[dict[str, str], dict[str, Any]]:
    """The fields of FileText that `values` state, and the rest of `values` as metadata.

    A value that is no text for its field stays in the metadata. Authors may be a list of names or of
    mappings with a name.

    >>> stated_fields({"title": "Leave", "authors": [{"name": "Ana"}, "Bo"], "product": "x"})
    ({'title': 'Leave', 'author': 'Ana, Bo'}, {'product': 'x'})
    """
    by_key: dict[str, str] = {}
    for key in values:
        by_key.setdefault(_folded(key), key)
    fields, used = dict[str, str](), set[str]()
    for field, keys in FIELD_KEYS.items():
        for key in (by_key[folded] for name in keys if (folded := _folded(name)) in by_key):
            text = _text_of(field, values[key])
            if text:
                fields[field] = text
                if not isinstance(values[key], dict):
                    used.add(key)
                break
    if "author" not in fields and isinstance(change := values.get("last_update"), dict):
        author = _text_of("author", change.get("author"))
        fields |= {"author": author} if author else {}
    return fields, {key: value for key, value in values.items() if key not in used}


def with_stated(body: str, values: Mapping[str, Any], **changes: Any) -> FileText:
    """A FileText with the fields and metadata in `values`; `changes` are its other fields.

    >>> with_stated("Ask HR.", {"title": "Leave"}, notes=("One.",)).title
    'Leave'
    """
    fields, metadata = stated_fields(values)
    return FileText(body, metadata=metadata, **(fields | changes))


def _folded(key: str) -> str:
    return "".join(character for character in key.lower() if character not in " -_")


def _text_of(field: str, value: Any) -> str | None:
    """The text of a field's value; None for a value that gives none, or too long a one."""
    names = _DATES if field == "updated_at" else _NAMES if field == "author" else ()
    text = ", ".join(_texts(value, names))
    return text if 0 < len(text) <= MAX_FIELD_CHARACTERS else None


def _texts(value: Any, names: tuple[str, ...]) -> Iterator[str]:
    """The texts in a value: one, a list of them, or what a mapping has under the first of `names`."""
    if isinstance(value, str):
        text = storable(value).strip()
        if text:
            yield text
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item, names)
    elif isinstance(value, dict):
        first = next((value[name] for name in names if value.get(name)), None)
        if isinstance(first, str):
            yield from _texts(first, names)
