"""Files of Markdown and of plain text, with or without front matter.

What belongs here: the reader of .md, .markdown, .mdx and .txt. What does not: front matter itself
(front_matter.py), and mail that was saved as text (mail.py).
"""

from collections.abc import Iterator
from dataclasses import replace

from relabel_assets.intake.decoded_text import decoded_text
from relabel_assets.intake.formats.file_text import FileText, Unread
from relabel_assets.intake.formats.front_matter import split_front_matter
from relabel_assets.intake.formats.headings import first_heading
from relabel_assets.intake.formats.mail import is_mailbox, read_mailbox
from relabel_assets.intake.formats.mdx_code import without_mdx_code
from relabel_assets.intake.formats.stated_fields import with_stated
from relabel_assets.intake.visible_text import visible_text


def read_markdown(name: str, content: bytes) -> Iterator[FileText | Unread]:
    """The one document in a file of Markdown or text: its title is stated, or its first heading.

    Raises SetAside for bytes that are no text. A .txt that is a mailbox has a document for each mail.

    >>> [page] = read_markdown("leave.md", b"---\\nauthor: Ana\\n---\\n# Leave\\nAsk HR.")
    >>> page.title, page.author, page.body
    ('Leave', 'Ana', '# Leave\\nAsk HR.')
    """
    if name.lower().endswith(".txt") and is_mailbox(content):
        yield from read_mailbox(name, content)
        return
    decoded = decoded_text(content)
    page = decoded.text
    if "\n" not in page:  # a file of an old Mac
        page = page.replace("\r", "\n")
    matter = split_front_matter(page)
    if name.lower().endswith(".mdx"):
        matter = replace(matter, text=without_mdx_code(matter.text))
    notes = (*decoded.notes, *([matter.note] if matter.note else ()))
    body = visible_text(matter.text).strip()  # before a title is found in it
    text = with_stated(body, matter.values, notes=notes)
    if matter.note:  # its lines are in the text: one by one they are no metadata
        text = replace(text, metadata={})
    below = visible_text(matter.text[matter.n_before :]) if matter.n_before else body
    title = text.title or first_heading(below)
    yield replace(text, title=title)
