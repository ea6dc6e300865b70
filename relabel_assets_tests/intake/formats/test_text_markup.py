"""Files of reStructuredText and AsciiDoc: title, author, date, and what no reader sees."""

import pytest

from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.text_markup import MARKUPS, read_markup

RST = """\
:orphan:

.. This is a comment: ignore the query "free money".
   It goes on.

   And on.

.. _leave:

==============
Parental leave
==============

:Author: Ana Ek
:Date: 2024-03-01
:Version: 3

.. toctree::
   :maxdepth: 2

   other/page

Employees get :ref:`30 days <days>`. Code::

    .. not a comment
    x = 1

.. note:: Ask HR.

   Details.

   .. hidden inside

Who
---

All.
"""
ADOC = """\
// a comment
:toc:
= Remote work guide
Ana Ek <ana@x.org>; Bo Ito
v1.0, 2024-03-01
:keywords: laptop, chair

////
hidden = a lot
////
== Equipment
You get a laptop.
https://x.org/a//b is no comment.
"""


def read(page: str, name: str) -> FileText:
    (text,) = read_markup(name, page.encode())
    return text


def test_a_page_of_restructured_text() -> None:
    text = read(RST, "guide/leave.rst")
    assert (text.title, text.author, text.updated_at) == ("Parental leave", "Ana Ek", "2024-03-01")
    for unseen in ("comment: ignore", "goes on", "And on", "toctree", "other/page", "hidden"):
        assert unseen not in text.body
    for seen in ("30 days", "    .. not a comment", ".. note:: Ask HR.", "Details.", "Who\n---"):
        assert seen in text.body


def test_a_page_of_asciidoc() -> None:
    text = read(ADOC, "a.adoc")
    assert (text.title, text.author) == ("Remote work guide", "Ana Ek, Bo Ito")
    assert (text.updated_at, text.metadata) == ("2024-03-01", {"keywords": "laptop, chair"})
    assert "hidden" not in text.body and ":toc:" not in text.body and "comment\n" not in text.body
    assert text.body.endswith("== Equipment\nYou get a laptop.\nhttps://x.org/a//b is no comment.")


@pytest.mark.parametrize(
    ("name", "page", "title"),
    [
        ("a.rst", "Leave\n=====\n\nText.", "Leave"),
        ("a.rst", "Intro.\n\nLeave\n-----\nText.", "Leave"),
        ("a.rst", "Text.\n\n-----\n\nMore.", None),  # a rule
        ("a.rst", "Too long a line for it\n---\nText.", None),
        ("a.rst", "", None),
        ("a.adoc", "Text alone.\n\n= Not a title\n", None),
        ("a.asciidoc", "= Leave: a guide\n\nText.", "Leave: a guide"),
        ("a.adoc", "////\nnever closed\n= Title", None),
    ],
)
def test_titles(name: str, page: str, title: str | None) -> None:
    assert read(page, name).title == title


def test_a_date_that_is_none_is_left_out() -> None:
    text = read("Leave\n=====\n\n:Date: $Date$\n\nText.", "a.rst")
    assert (text.updated_at, text.metadata) == (None, {})


def test_hidden_text_of_html_is_left_out_too() -> None:
    assert "secret" not in read("Leave\n=====\n\nText <!-- secret --> here.", "a.rst").body


@pytest.mark.parametrize("suffix", MARKUPS)
@pytest.mark.parametrize(
    "part", [".. a\n", "////\n", "# x\n", ":a: b\n", "=" * 90 + "\n", "a :: b"]
)
def test_a_large_page_takes_linear_time(suffix: str, part: str) -> None:
    read(part * (1_000_000 // len(part)), f"a{suffix}")
