"""Mail: .eml files of one message, and mailboxes (.mbox) of many.

What belongs here: the messages of a file, and what of a message is title, author, date and thread. What does
not: the text of a message's parts (mail_text.py).
"""

import hashlib
import re
from collections.abc import Iterator
from email import message_from_bytes
from email.message import Message
from email.utils import getaddresses, parseaddr, parsedate_to_datetime
from typing import Any

from relabel_assets.intake.decoded_text import decoded_text
from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.mail_text import MailText, decoded_words, text_of_message

# A line that begins a message: after an empty line, and with a header below. "From the desk of Ana" has none.
_BEGINS = re.compile(rb"(?:\A|(?<=\n\n)|(?<=\n\r\n))From [^\n]*\n(?=[!-9;-~]{1,76}:[ \t]?)")
_QUOTED_FROM = re.compile(rb"^>(>*From )", re.M)
_MESSAGE_ID = re.compile(r"<([^<>\s]{1,500})>")
_MAIL_HEADERS = (b"from", b"to", b"subject", b"date", b"message-id", b"received", b"return-path")
_FEWEST_HEADERS = 3
_LONGEST_TITLE = 100  # characters of a first line that stands for a subject


def is_mailbox(content: bytes) -> bool:
    """Whether `content` begins as a mailbox does, whatever its file is called.

    >>> is_mailbox(b"From ana@x.org Mon Jan  5 2026\\nSubject: Leave\\n\\nText."), is_mailbox(b"From HR")
    (True, False)
    """
    return _BEGINS.match(content) is not None


def is_message(content: bytes) -> bool:
    """Whether `content` begins with the headers of a mail: some archives keep messages without an ending.

    >>> is_message(b"Message-ID: <1@x>\\nDate: 5 Jan 2026\\nFrom: a@x.org\\n\\nText.")
    True
    """
    head = content[:4096].replace(b"\r\n", b"\n").partition(b"\n\n")[0]
    names = [line.partition(b":")[0].strip().lower() for line in head.split(b"\n") if b":" in line]
    return sum(name in names for name in _MAIL_HEADERS) >= _FEWEST_HEADERS


def read_message(name: str, content: bytes) -> Iterator[FileText | Unread]:
    """The one document in a file of one message.

    >>> [mail] = read_message("a.eml", b"Subject: Leave\\nFrom: Ana <ana@x.org>\\n\\nAsk HR.")
    >>> mail.title, mail.author, mail.body
    ('Leave', 'Ana', 'Ask HR.')
    """
    if is_mailbox(content) and len(_BEGINS.findall(content)) > 1:
        yield from read_mailbox(name, content)
    else:
        yield _document(name, content, inner_name=None)


def read_mailbox(name: str, content: bytes) -> Iterator[FileText | Unread]:
    """A document for each message of a mailbox, named by its Message-ID, else by a hash of its bytes.

    So names stay when messages are added or removed. A second message with the same id gets ~2.

    >>> box = b"From a\\nMessage-ID: <1@x>\\n\\nOne.\\n\\nFrom b\\nMessage-ID: <2@x>\\n\\nTwo.\\n"
    >>> [(mail.inner_name, mail.body) for mail in read_mailbox("all.mbox", box)]
    [('1@x', 'One.'), ('2@x', 'Two.')]
    """
    begins = [match.span() for match in _BEGINS.finditer(content)]
    if not begins:
        yield from [_document(name, content, inner_name=None)] if content.strip() else []
        return
    times: dict[str, int] = {}
    for number, (_, start) in enumerate(begins):
        end = begins[number + 1][0] if number + 1 < len(begins) else len(content)
        message = _QUOTED_FROM.sub(rb"\1", content[start:end])
        inner_name = _inner_name(message)
        times[inner_name] = times.get(inner_name, 0) + 1
        if times[inner_name] > 1:
            inner_name = f"{inner_name}~{times[inner_name]}"
        try:
            yield _document(name, message, inner_name=inner_name)
        except Exception as error:  # one message must not cost the others
            yield Unread(inner_name, f"it cannot be read: {type(error).__name__}", "Take it out.")


def _document(name: str, content: bytes, *, inner_name: str | None) -> FileText:
    message = message_from_bytes(content)
    text = text_of_message(message, name)
    sender = _header(message, "from")
    # Apart before it is decoded: a name may hold a comma.
    display, address = parseaddr(_written(message, "from"))
    date = _header(message, "date")
    return FileText(
        body=text.body,
        title=_header(message, "subject") or _first_line(text),
        author=decoded_words(display) or address or sender or None,
        updated_at=_iso_date(date) or date or None,
        doc_type="mail",
        inner_name=inner_name,
        metadata=_metadata(message, text),
        notes=text.notes,
    )


def _metadata(message: Message, text: MailText) -> dict[str, Any]:
    """The thread, the addresses and the attachments of a message, as far as it has them."""
    own = _ids(_header(message, "message-id"))
    parents, references = (
        _ids(_header(message, "in-reply-to")),
        _ids(_header(message, "references")),
    )
    stated = {
        "message_id": next(iter(own), None),
        "in_reply_to": next(iter(parents), None),
        "references": references,
        "thread": next(iter([*references, *parents, *own]), None),
        "from": _header(message, "from"),
        "to": _people(message, "to"),
        "cc": _people(message, "cc"),
        "attachments": list(text.attachments),
    }
    return {key: value for key, value in stated.items() if value}


def _header(message: Message, name: str) -> str:
    """The text of the header `name` in one line."""
    return decoded_words(_written(message, name))


def _written(message: Message, name: str) -> str:
    """The header `name` as it was written. Raw bytes are read by their likely encoding."""
    raw = next((str(value) for key, value in message.raw_items() if key.lower() == name), "")
    if any("\udc80" <= character <= "\udcff" for character in raw):
        try:
            raw = decoded_text(raw.encode("ascii", "surrogateescape")).text
        except Exception:
            raw = raw.encode("ascii", "replace").decode()
    return raw


def _people(message: Message, name: str) -> list[str]:
    """Who a header names, each by name or address."""
    return [
        decoded_words(display) or address
        for display, address in getaddresses([_written(message, name)])
        if address
    ]


def _ids(header: str) -> list[str]:
    return _MESSAGE_ID.findall(header)


def _iso_date(date: str) -> str | None:
    try:
        return parsedate_to_datetime(date).isoformat()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None


def _first_line(text: MailText) -> str | None:
    """The first line that is not quoted, for a message without a subject."""
    lines = (line.strip() for line in text.body.split("\n"))
    line = next((line for line in lines if line and not line.startswith(">")), None)
    return line[:_LONGEST_TITLE] if line else None


def _inner_name(content: bytes) -> str:
    ids = _ids(_header(message_from_bytes(content.partition(b"\n\n")[0] + b"\n\n"), "message-id"))
    if not ids:
        return hashlib.sha256(content.strip()).hexdigest()[:16]
    return re.sub(r"[^\w.@+=$~-]+", "_", ids[0])[:200].strip(".") or "message"
