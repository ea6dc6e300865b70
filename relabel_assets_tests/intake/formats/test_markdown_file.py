"""Files of Markdown and text."""

import pytest

from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.markdown_file import read_markdown


def read(page: str | bytes, name: str = "a.md") -> FileText:
    content = page if isinstance(page, bytes) else page.encode()
    (text,) = read_markdown(name, content)
    assert isinstance(text, FileText)
    return text


def test_stated_fields_come_first_and_the_rest_is_metadata() -> None:
    text = read(
        "---\ntitle: T 🎉\nauthors: [{name: Ana}]\ndate: 2024-01-05\ntags: [a, No]\n---\n# H\nText."
    )
    assert (text.title, text.author, text.updated_at) == ("T 🎉", "Ana", "2024-01-05")
    assert (text.body, text.metadata) == ("# H\nText.", {"tags": ["a", "No"]})


def test_a_page_is_read_with_a_note_where_its_front_matter_cannot_be() -> None:
    page = "---\ntitle: Q1: results\ntags: [\n---\n# Heading\nText."
    text = read(page)
    assert (text.title, text.body, text.metadata) == ("Q1: results", page, {})
    assert "front matter cannot be read in line 2" in text.notes[0]


def test_a_comment_of_unreadable_front_matter_is_no_title() -> None:
    assert read("---\n# made by x\ntags: [\n---\n# Heading\nText.").title == "Heading"


def test_hidden_text_is_no_title() -> None:
    assert read("<!--\n# Hidden\n-->\n# Leave\nText.").title == "Leave"


def test_an_encoding_that_was_guessed_is_a_note() -> None:
    text = read("---\ntitle: Congé\n---\nÉté.".encode("cp1252"))
    assert (text.title, text.body) == ("Congé", "Été.")
    assert "cp1252" in text.notes[0]


def test_a_text_file_that_is_a_mailbox_has_a_document_for_each_mail() -> None:
    box = b"From ana at x.org  Mon Jan  5 10:00:00 2026\nSubject: One\n\nA.\n\nFrom b\nSubject: Two\n\nB.\n"
    texts = list(read_markdown("2026-January.txt", box))
    assert [text.title for text in texts if isinstance(text, FileText)] == ["One", "Two"]
    assert len(list(read_markdown("a.md", box))) == 1


def test_a_text_about_mail_is_no_mailbox() -> None:
    assert read("From Ana\n\nDear all, ...", name="a.txt").body.startswith("From Ana")


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_lines_may_end_as_on_any_system(end: str) -> None:
    lines = ["---", "author: Ana", "---", "# Leave", "Ask HR.", "Then go."]
    [page] = read_markdown("leave.md", end.join(lines).encode())
    assert isinstance(page, FileText)
    assert (page.title, page.author) == ("Leave", "Ana")
    assert page.body.splitlines() == lines[3:]


MDX = """---
title: Leave
---
import Tabs from '@theme/Tabs';
import '../c.css'
import React, * as All from "../b"
import {
  A,
} from "../a"

export const Note = ({children}) => (
  <b>{children}</b>

);

import duty is low.
{/* hotel
limit */}Shown <Tabs>words</Tabs> in {braces}.

```js
import X from 'y';
```

Use `{/* this */}`.
"""


def test_the_code_of_an_mdx_page_is_no_text_and_what_it_shows_as_code_is() -> None:
    body = read(MDX, "a.mdx").body
    for hidden in ("@theme", "../a", "../b", "../c", "children", "hotel", "limit"):
        assert hidden not in body
    assert body.startswith("import duty is low.\nShown <Tabs>words</Tabs> in {braces}.")
    assert body.endswith("```js\nimport X from 'y';\n```\n\nUse `{/* this */}`.")
    assert "hotel" in read(MDX, "a.md").body


@pytest.mark.parametrize(
    "part",
    [
        "import a\n",
        "import {\n",
        "export const a = {\n\n",
        "{/*",
        "import 'a",
        "export default (",
        "{/* */",
    ],
)
def test_a_large_mdx_page_of_broken_code_is_read(part: str) -> None:
    read(part * (1_000_000 // len(part)), "a.mdx")
