"""The text of a mail: its parts, their encodings, its signature, and the names of its attachments.

What belongs here: what of a message's parts becomes the body. What does not: its headers (mail.py).
"""

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from email.header import decode_header, make_header
from email.message import Message

from relabel_assets.intake.decoded_text import decoded_text
from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.text import one_line, storable

_MOST_PARTS_DEEP = 20
# RFC 3676: a line of two hyphens and a space begins the signature. Some programs drop the space.
_SIGNATURE = re.compile(r"--[ \u00a0]?")
_LONGEST_SIGNATURE = 12  # lines; what is longer is text, such as a list below a rule
# What a signature does not hold: the mail that is answered.
_QUOTE = re.compile(r">|-{2,} ?(Original|Forwarded|Ursprüngliche)|On .{5,200} wrote:|From: ", re.I)
_TAG = re.compile(r"<(?:br|/p|/div|/li|/tr|/h\d)[^>]*>", re.I)


@dataclass(frozen=True)
class MailText:
    """The `body` of a message with the names of its `attachments`, which are not read."""

    body: str
    attachments: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()


def text_of_message(message: Message, name: str) -> MailText:
    """The text of a message of the file `name`. Quoted and forwarded mail stays, the signature is left out.

    Plain text is taken where there is any, else the HTML. The names of attachments end the body.

    >>> from email import message_from_string
    >>> text_of_message(message_from_string("Subject: x\\n\\nAsk HR.\\n-- \\nAna, HR"), "a.eml").body
    'Ask HR.'
    """
    attachments: list[str] = []
    texts = _texts(message, name, attachments, depth=0)
    body = "\n\n".join(text.strip() for text in texts if text.strip())
    if attachments:
        body = f"{body}\n\nAttachments: {', '.join(attachments)}".strip()
    return MailText(storable(body), tuple(attachments))


def without_signature(text: str) -> str:
    """`text` without the lines from `-- ` on, up to quoted mail or the end. A long rest is no signature.

    >>> without_signature("Yes.\\n-- \\nAna\\n\\n> May I?")
    'Yes.\\n> May I?'
    """
    lines = text.split("\n")
    start = next(
        (n for n, line in enumerate(lines) if _SIGNATURE.fullmatch(line.rstrip("\r"))), None
    )
    if start is None or not any(line.strip() for line in lines[:start]):
        return text
    rest = range(start + 1, len(lines))
    end = next((n for n in rest if _QUOTE.match(lines[n])), len(lines))
    if sum(bool(line.strip()) for line in lines[start + 1 : end]) > _LONGEST_SIGNATURE:
        return text
    return "\n".join([*lines[:start], *lines[end:]])


def decoded_words(raw: str) -> str:
    """One line of text of a header, with its encoded words decoded where they can be.

    >>> decoded_words("=?utf-8?q?Cong=C3=A9?=\\n pay")
    'Congé pay'
    """
    with suppress(Exception):  # an unknown charset, a broken word; email raises many kinds
        raw = str(make_header(decode_header(raw))) if "=?" in raw else raw
    return one_line(raw)


def _texts(part: Message, name: str, attachments: list[str], depth: int) -> Iterator[str]:
    """The texts of a part, in order. Names of attachments are added to `attachments`."""
    kind, filename = part.get_content_type(), _filename(part)
    is_attached = part.get_content_disposition() == "attachment" or bool(filename)
    if depth > _MOST_PARTS_DEEP or (is_attached and depth and kind != "message/rfc822"):
        attachments.append(filename or _name_of_unnamed(kind))
    elif kind == "message/rfc822":
        yield from _forwarded(part, name, attachments, depth)
    elif part.is_multipart():
        parts = [each for each in part.get_payload() if isinstance(each, Message)]
        if kind == "multipart/alternative":
            yield from _best(parts, name, attachments, depth)
            return
        for each in parts:
            yield from _texts(each, name, attachments, depth + 1)
    elif kind == "text/html":
        yield _text_of_html(_decoded(part), name)
    elif part.get_content_maintype() in ("text", "multipart"):  # a multipart without parts is text
        yield without_signature(_decoded(part))
    else:
        attachments.append(_name_of_unnamed(kind))


def _forwarded(part: Message, name: str, attachments: list[str], depth: int) -> Iterator[str]:
    """The text of a forwarded message, or of one of a digest, below a line that names it."""
    for each in part.get_payload() if part.is_multipart() else []:
        if isinstance(each, Message):
            yield f"Forwarded message: {_short(str(each.get('subject', 'no subject')))}"
            yield from _texts(each, name, attachments, depth + 1)


def _best(parts: list[Message], name: str, attachments: list[str], depth: int) -> Iterator[str]:
    """The texts of the plainest of alternative `parts` that has any text."""
    for each in sorted(parts, key=lambda each: each.get_content_type() != "text/plain"):
        named: list[str] = []
        texts = [text for text in _texts(each, name, named, depth + 1) if text.strip()]
        if texts:
            attachments += named
            yield from texts
            return


def _decoded(part: Message) -> str:
    """The text of a part: by its stated charset, else by the likely one."""
    payload = part.get_payload(decode=True)
    content = payload if isinstance(payload, bytes) else b""
    charset = part.get_content_charset()
    try:
        if charset and charset != "us-ascii":
            return content.decode(charset).replace("\r\n", "\n")
    except (LookupError, UnicodeError):
        pass
    try:
        text = decoded_text(content).text
    except SetAside:
        text = content.decode("ascii", "replace")
    return text.replace("\r\n", "\n")


def _text_of_html(html: str, name: str) -> str:
    """The text of a message that is HTML alone: by the reader of HTML, else without its tags."""
    from html import unescape

    from relabel_assets.intake.formats.registry import read_file
    from relabel_assets.intake.visible_text import visible_text

    try:
        # The mark, because a <meta> in it may name the charset from before it was decoded.
        page = "\ufeff" + (html if "<html" in html.lower() else f"<html><body>{html}</body></html>")
        found = next(read_file(f"{name}.html", page.encode("utf-8", "replace")), None)
        if isinstance(found, FileText) and found.body.strip():
            return found.body
    except SetAside:
        pass
    return unescape(re.sub(r"<[^<>]*>", "", _TAG.sub("\n", visible_text(html))))


def _filename(part: Message) -> str | None:
    try:
        filename = part.get_filename()
    except Exception:  # malformed parameters; email raises many kinds
        return "an attachment without a readable name"
    return _short(filename) if filename else None


def _name_of_unnamed(kind: str) -> str:
    return f"an attachment ({one_line(kind)[:100]})"


def _short(raw: str) -> str:
    return decoded_words(raw)[:200]
