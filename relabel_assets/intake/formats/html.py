"""HTML pages: the main text without navigation, headers, footers and banners.

What belongs here: the document of a page. What does not: the page's tree (parsing/html_tree.py), which part
of it is the main one (html_main.py there), its text (html_text.py) and what it states (html_metadata.py).
"""

from collections.abc import Callable, Iterator

from relabel_assets.intake.formats.file_text import FileText
from relabel_assets.intake.formats.headings import first_heading
from relabel_assets.intake.formats.parsing import html_tree
from relabel_assets.intake.formats.parsing.blocks import one_space
from relabel_assets.intake.formats.parsing.html_main import main_text
from relabel_assets.intake.formats.parsing.html_metadata import (
    page_title,
    stated,
    stated_titles,
)
from relabel_assets.intake.formats.parsing.html_text import text_of
from relabel_assets.intake.formats.parsing.signatures import refuse_others
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.visible_text import without_invisible


def read(name: str, content: bytes, on_page: Callable[[int], None]) -> Iterator[FileText]:
    """The one document of an HTML or XHTML file.

    Raises SetAside for a page without text, and for a file that is none.

    >>> page = b"<title>Leave</title><nav>Home</nav><main><p>Ask <b>HR</b>.</p></main>"
    >>> [text] = read("leave.html", page, print)
    >>> text.title, text.body
    ('Leave', 'Ask HR.')
    """
    refuse_others(content, "an HTML page", "an HTML page")
    decoded = html_tree.page_text(content)
    tree = html_tree.page_tree(decoded.text)
    fields, titles = stated(tree), stated_titles(tree)
    html_tree.remove_hidden(tree)
    everything = one_space(" ".join(tree.itertext()))
    if not without_invisible(everything).strip():
        raise SetAside(
            "it has no text: perhaps a script writes it",
            "Save the page from a browser, as text or PDF.",
        )
    html_tree.remove_boilerplate(tree)
    body = without_invisible(main_text(tree) or _all_text(decoded.text)).strip()
    title = page_title(titles, body, everything) or first_heading(body)
    yield FileText(body, title=title, notes=decoded.notes, **fields)


def _all_text(page: str) -> str:
    """The text of a page that is navigation, headers and footers alone."""
    tree = html_tree.page_tree(page)
    html_tree.remove_hidden(tree)
    return text_of(tree)
