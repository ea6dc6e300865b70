"""The main text of an HTML page: the part that the page marks, else the part that trafilatura finds.

What belongs here: which part of a tree that is. What does not: how it is written (html_text.py).
"""

import re
from collections import Counter
from copy import deepcopy
from typing import Any

from relabel_assets.intake.formats.parsing.html_text import text_of

# A part that the page marks as main has the text, unless it holds next to nothing of the page.
_LEAST_OF_MAIN = 0.2
# trafilatura guesses. A guess that leaves more than half out may be wrong, and a search can do with a menu
# too much, but not with a text too little.
_LEAST_OF_GUESS = 0.5
# trafilatura may take the square of their number: with more, all of the page is read.
_MOST_GUESSED_ELEMENTS = 10_000
_WORDS = re.compile(r"\w+")
_LEAVES = (
    "p", "h1", "h2", "h3", "h4", "h5", "h6", "li", "td", "th", "dt", "dd", "pre", "div", "blockquote",
)  # fmt: skip
_PARTS_OF_BLOCKS = ("table", "tbody", "thead", "tr", "td", "th", "ul", "ol", "li", "dl", "pre", "p")
_MOST_LEAF_CHARACTERS = 20_000
_MOST_IN_CONTAINER = 0.9  # of the paragraphs that were found; others may be comments or captions


def main_text(tree: Any) -> str:
    """The main text of a page without hidden text and boilerplate; all of its text where none is found."""
    n_words = _n_words(" ".join(tree.itertext()))
    for marked in (tree.xpath("//main | //*[@role='main']"), tree.xpath("//article")):
        outermost = [
            part for part in marked if not any(above in marked for above in part.iterancestors())
        ]
        if len(outermost) == 1:
            text = text_of(outermost[0])
            if _n_words(text) >= max(1, _LEAST_OF_MAIN * n_words):
                return text
    return _found_text(tree, n_words) or text_of(tree)


def _found_text(tree: Any, n_words: int) -> str:
    """The text of the element that holds what trafilatura finds, else what it finds; empty for too little.

    Its own text lacks lines that it takes for links to share the page, such as "Google" and "E-Mail".
    """
    if sum(1 for _ in tree.iter()) > _MOST_GUESSED_ELEMENTS:
        return ""
    found = _found(tree)
    if found is None:
        return ""
    container = _container(tree, found)
    if container is None:
        return ""  # where trafilatura gives up, it makes one paragraph of the page
    guess, text = text_of(found), text_of(container)
    if _n_words(guess) >= _LEAST_OF_GUESS * _n_words(text):
        guess = text
    return guess if _n_words(guess) >= max(1, _LEAST_OF_GUESS * n_words) else ""


def _found(tree: Any) -> Any:
    """trafilatura's tree of the main text; None where it finds none."""
    from trafilatura import bare_extraction

    copy = deepcopy(tree)
    for cell in copy.iter("td", "th"):
        for name in ("colspan", "rowspan"):  # trafilatura makes as many cells
            cell.attrib.pop(name, None)
    # An error of its own is that of an odd page, whose whole text is read then.
    try:
        found = bare_extraction(copy, include_tables=True, favor_recall=True)
    except Exception:
        return None
    return getattr(found, "body", None)


def _container(tree: Any, found: Any) -> Any:
    """The innermost element of `tree` that holds nearly all paragraphs of `found`; None without one."""
    wanted = {key for block in found.iter() if (key := _key(block))}
    holds: Counter[Any] = Counter()
    total = 0
    for leaf in tree.iter(*_LEAVES):
        if _key(leaf) in wanted and next(leaf.iterdescendants(*_LEAVES), None) is None:
            total += 1
            holds.update(leaf.iterancestors())
    enough = [element for element, n in holds.items() if n >= _MOST_IN_CONTAINER * total]
    inmost = max(enough, key=lambda element: sum(1 for _ in element.iterancestors()), default=None)
    while inmost is not None and inmost.tag in _PARTS_OF_BLOCKS:
        inmost = inmost.getparent()
    return inmost


def _key(element: Any) -> str:
    """The words of a paragraph, for comparison; empty for an element that holds a whole page."""
    words: list[str] = []
    n_characters = 0
    for text in element.itertext():
        n_characters += len(text)
        if n_characters > _MOST_LEAF_CHARACTERS:
            return ""
        words += _WORDS.findall(text)
    return " ".join(words)


def _n_words(text: str) -> int:
    return len(_WORDS.findall(text))
