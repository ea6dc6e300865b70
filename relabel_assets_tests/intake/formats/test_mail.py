"""Mail of one message and of many: title, author, date, thread, text and names of attachments."""

from email.message import EmailMessage

import pytest

from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.mail import is_mailbox, is_message, read_mailbox, read_message
from relabel_assets.intake.formats.mail_text import without_signature


def one(content: bytes | str) -> FileText:
    raw = content if isinstance(content, bytes) else content.encode()
    (text,) = read_message("a.eml", raw)
    assert isinstance(text, FileText)
    return text


def message(**headers: str) -> EmailMessage:
    mail = EmailMessage()
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    return mail


def test_headers_become_title_author_date_and_thread() -> None:
    mail = message(
        Subject="Re: Leave ✈", From="Ana Berg <ana@x.org>", To="Bo <bo@x.org>, hr@x.org",
        Date="Mon, 05 Jan 2026 10:00:00 +0100", Message_ID="<3@x.org>", In_Reply_To="<2@x.org>",
        References="<1@x.org> <2@x.org>",
    )  # fmt: skip
    mail.set_content("Yes.\n\n> May I?\n")
    text = one(mail.as_bytes())
    assert (text.title, text.author, text.updated_at, text.doc_type) == (
        "Re: Leave ✈", "Ana Berg", "2026-01-05T10:00:00+01:00", "mail",
    )  # fmt: skip
    assert text.body == "Yes.\n\n> May I?"
    assert text.metadata == {
        "message_id": "3@x.org", "in_reply_to": "2@x.org", "references": ["1@x.org", "2@x.org"],
        "thread": "1@x.org", "from": "Ana Berg <ana@x.org>", "to": ["Bo", "hr@x.org"],
    }  # fmt: skip


def test_attachments_are_named_and_not_read() -> None:
    mail = message(Subject="Leave")
    mail.set_content("See the form.")
    mail.add_attachment(b"%PDF secret", maintype="application", subtype="pdf", filename="för m.pdf")
    mail.add_attachment("a,b", subtype="csv", filename="days.csv")
    inner = message(Subject="The old måil")
    inner.set_content("old text")
    mail.add_attachment(inner)
    text = one(mail.as_bytes())
    names = ["för m.pdf", "days.csv"]
    assert text.metadata["attachments"] == names
    forwarded = "Forwarded message: The old måil\n\nold text"
    assert text.body == f"See the form.\n\n{forwarded}\n\nAttachments: {', '.join(names)}"


def test_plain_text_is_taken_before_html_and_html_where_there_is_no_other() -> None:
    mail = message(Subject="x")
    mail.set_content("Plain.")
    mail.add_alternative("<p>Rich.</p>", subtype="html")
    assert one(mail.as_bytes()).body == "Plain."
    html = message(Subject="x")
    page = "<p>Congé payé.</p><p>Ask HR for leave <b>two weeks</b> before.</p>"
    html.set_content(page, subtype="html", charset="iso-8859-1")
    body = one(html.as_bytes()).body
    assert "Congé payé." in body and "two weeks" in body and "<p>" not in body
    empty = message(Subject="x")
    empty.set_content("\n")
    empty.add_alternative("<p>Rich text that is long enough to be a page.</p>", subtype="html")
    assert "Rich text" in one(empty.as_bytes()).body


@pytest.mark.parametrize(
    ("header", "title"),
    [
        (b"Subject: =?utf-8?B?Q29uZ8Op?= =?utf-8?Q?_pay=C3=A9?=", "Congé payé"),
        (b"Subject: =?iso-8859-1?Q?Cong=E9?=", "Congé"),
        (b"Subject: =?no-such-charset?Q?Cong=E9?=", "=?no-such-charset?Q?Cong=E9?="),
        (b"Subject: =?utf-8?B?broken", "=?utf-8?B?broken"),
        (b"Subject: Cong\xe9 pay\xe9", "Congé payé"),
        ("Subject: Congé".encode(), "Congé"),
        (b"Subject: two\r\n lines", "two lines"),
        (b"Subject:", "Ask HR."),
        (b"X-Other: x", "Ask HR."),
    ],
)
def test_subjects_of_all_encodings_are_read(header: bytes, title: str) -> None:
    assert one(header + b"\r\n\r\n> quoted\r\nAsk HR.\r\n").title == title


@pytest.mark.parametrize(
    ("header", "body", "text"),
    [
        ("text/plain; charset=utf-8", "Congé".encode(), "Congé"),
        ("text/plain; charset=iso-8859-1", "Congé".encode("latin-1"), "Congé"),
        ("text/plain; charset=nonsense", "Congé".encode(), "Congé"),
        ("text/plain; charset=us-ascii", "Congé".encode(), "Congé"),
        ("text/plain; charset=utf-8", "Congé".encode("latin-1"), "Congé"),
        ("text/plain", b"plain", "plain"),
        ("nonsense", b"plain", "plain"),
        ("multipart/mixed; boundary=none", b"no part at all", "no part at all"),
    ],
)
def test_bodies_of_all_charsets_are_read(header: str, body: bytes, text: str) -> None:
    assert one(b"Content-Type: " + header.encode() + b"\nSubject: x\n\n" + body).body == text


@pytest.mark.parametrize(
    ("date", "stated"),
    [
        ("Mon, 5 Jan 2026 10:00:00 -0000", "2026-01-05T10:00:00"),
        ("5 Jan 26 10:00 GMT", "2026-01-05T10:00:00+00:00"),
        ("yesterday", "yesterday"),
        ("Mon, 99 Jan 2026 10:00:00 +9999", "Mon, 99 Jan 2026 10:00:00 +9999"),
        ("", None),
    ],
)
def test_dates_are_iso_8601_where_readable(date: str, stated: str | None) -> None:
    assert one(f"Date: {date}\nSubject: x\n\ntext").updated_at == stated


@pytest.mark.parametrize(
    ("text", "without"),
    [
        ("Yes.\n-- \nAna\nHR", "Yes."),
        ("Yes.\n--\nAna", "Yes."),
        ("Yes.\n-- \nAna\n\n> May I?\n> Bo", "Yes.\n> May I?\n> Bo"),
        ("Yes.\n-- \nAna\nOn Mon, Bo wrote:\n> x", "Yes.\nOn Mon, Bo wrote:\n> x"),
        ("Yes.\n-----\nAna", "Yes.\n-----\nAna"),
        ("-- \nAna", "-- \nAna"),
        ("Yes.\n-- \n" + "an item\n" * 13, "Yes.\n-- \n" + "an item\n" * 13),
    ],
)
def test_a_signature_is_left_out_and_quoted_mail_stays(text: str, without: str) -> None:
    assert without_signature(text) == without


BOX = (
    b"From ana@x.org Mon Jan  5 10:00:00 2026\nMessage-ID: <1@x.org>\nSubject: One\n\n"
    b"Hello.\n\n>From here on.\nFrom me to you.\n\nFrom the desk of Ana\nwith love.\n\n"
    b"From bo at x.org  Tue Jan  6 10:00:00 2026\nSubject: Two\n\nB.\n"
)


def test_each_message_of_a_mailbox_is_a_document_and_text_that_begins_with_from_is_none() -> None:
    first, second = read_mailbox("all.mbox", BOX)
    assert isinstance(first, FileText) and isinstance(second, FileText)
    assert (first.inner_name, first.title, second.title) == ("1@x.org", "One", "Two")
    assert (
        first.body == "Hello.\n\nFrom here on.\nFrom me to you.\n\nFrom the desk of Ana\nwith love."
    )


def names(box: bytes) -> list[str | None]:
    return [text.inner_name for text in read_mailbox("all.mbox", box)]


def test_names_of_messages_stay_when_others_are_added_or_removed() -> None:
    third = b"\nFrom c\nMessage-ID: <1@x.org>\nSubject: Again\n\nC.\n"
    before = names(BOX)
    assert names(BOX + third) == [*before, "1@x.org~2"]
    assert names(BOX[BOX.index(b"From bo") :]) == [before[1]]
    assert names(BOX.replace(b"\n", b"\r\n"))[0] == before[0]


def test_an_id_cannot_leave_its_folder() -> None:
    (name,) = names(b"From a\nMessage-ID: <../../etc/pass wd/\x01@x>\nSubject: x\n\nText.\n")
    assert name and "/" not in name
    (name,) = names(b"From a\nMessage-ID: <..>\nSubject: x\n\nText.\n")
    assert name == "message"


@pytest.mark.parametrize(
    "content", [b"", b"From ", b"\xff\xfe\x00", b"Content-Type: multipart/x\n\n--", b"\n" * 9]
)
def test_hostile_mail_is_text_or_nothing(content: bytes) -> None:
    for text in [*read_message("a.eml", content), *read_mailbox("a.mbox", content)]:
        assert isinstance(text, FileText | Unread)


def test_parts_inside_parts_end_at_a_depth() -> None:
    content = b"".join(
        b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (n, n) for n in range(300)
    )
    text = one(b"Subject: x\n" + content + b"Content-Type: text/plain\n\ndeep")
    assert text.title == "x" and "deep" not in text.body
    assert len(text.metadata["attachments"]) == 1


def test_mail_is_known_by_its_headers() -> None:
    assert is_mailbox(BOX) and not is_mailbox(b"From the desk of Ana\nwith love")
    assert is_message(b"Date: x\nFrom: a\nTo: b\n\ntext")
    assert not is_message(b"Date: x\nPresent: a\nMinutes of the meeting\n\nFrom: a\nTo: b")


def test_a_name_with_a_comma_stays_one_name_in_any_letters() -> None:
    mail = message(From='"Berg, Ana" <a@x.org>', To='"Åsa Ek, HR" <b@x.org>, Bo <c@x.org>')
    assert one(mail.as_bytes()).author == "Berg, Ana"
    assert one(mail.as_bytes()).metadata["to"] == ["Åsa Ek, HR", "Bo"]
    mail = message(From='"Åsa Ek, HR" <b@x.org>')
    assert one(mail.as_bytes()).author == "Åsa Ek, HR"
