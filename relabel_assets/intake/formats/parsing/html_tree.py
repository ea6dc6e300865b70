"""The tree of an HTML page: decoding it, and taking out what nobody sees and what is no part of the text.

What belongs here: the page as a tree, and which of its elements are hidden or boilerplate. What does not:
the text of a tree (html_text.py), and which part of a page is the main one (html.py).
"""

import codecs
import re
from typing import Any

from relabel_assets.intake.decoded_text import DecodedText, decoded_text
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.set_aside import SetAside
from relabel_assets.intake.visible_text import NEVER_SHOWN, is_hiding_style

# Pages that declare one of the first are read as the second, as in a browser: it has more characters.
_MEANT = {
    "ascii": "cp1252", "iso8859-1": "cp1252", "iso8859-9": "cp1254", "tis-620": "cp874",
    "gb2312": "gb18030", "gbk": "gb18030", "shift_jis": "cp932", "euc_kr": "cp949", "big5": "big5hkscs",
}  # fmt: skip
# No other codec of Python is an encoding of pages: unicode_escape and punycode are none.
_PAGE_ENCODINGS = re.compile(
    r"utf-8|cp125\d|cp8(?:66|74)|cp9(?:32|49)|iso8859-\d+|koi8-[rut]|mac-(?:roman|cyrillic)"
    r"|gb18030|big5hkscs|euc_jp|iso2022_jp"
)
_DECLARED = re.compile(
    rb"""<\?xml[^>]*?encoding\s*=\s*["']([\w:.-]{1,40})"""
    rb"""|<meta[^>]*?charset\s*=\s*["']?\s*([\w:.-]{1,40})""",
    re.I,
)
_START_BYTES = 4096  # a browser looks for the encoding in the first 1,024
_MARKS = (b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")
# Elements without text that a reader of the page reads as text.
_NO_TEXT_NAMES = """
    svg canvas iframe object embed applet audio video map datalist select option textarea button input
    frameset frame noframes dialog annotation annotation-xml
"""
_NO_TEXT = frozenset(_NO_TEXT_NAMES.split())
# A page that names no body has all of its elements in its head, by libxml2.
_NEVER_SHOWN = NEVER_SHOWN - {"head"} | {"title"}
_ROLES = (
    "navigation", "banner", "contentinfo", "search", "menu", "menubar", "toolbar", "dialog", "alertdialog",
    "complementary",
)  # fmt: skip
_BOILERPLATE = re.compile(
    r"(?:^|[\s_-])(?:nav(?:bar|igation)?|breadcrumbs?|pagination|site-?(?:header|footer)|skip-?(?:link|to|nav)\S*"
    r"|sr-only|visually-?hidden|screen-reader-text|social-(?:share|links)|share-buttons"
    r"|onetrust\S*|cybot\S*|cc-window|cookie-?(?:banner|bar|notice|popup|consent|modal|message|overlay)"
    r"|(?:cookie|gdpr)-?(?:law|consent)\S*|consent-?(?:banner|bar|popup|modal))(?=$|[\s_-])",
    re.I,
)
_LINK_MARKS = ("#", "¶", "§", "🔗")  # a link to its own heading
_MAIN_PARTS = ("main", "article", "section")


def page_text(content: bytes) -> DecodedText:
    """The characters of a page: by its byte order mark, its own declaration, UTF-8, else the likely encoding.

    Bytes beyond ASCII that are UTF-8 are UTF-8, whatever the page declares.

    >>> page_text('<meta charset="windows-1251"><p>отпуск'.encode("cp1251")).encoding
    'cp1251'
    """
    declared = None if content.startswith(_MARKS) else _declared_encoding(content[:_START_BYTES])
    if declared and (content.isascii() or not _is_utf_8(content)):
        try:
            return DecodedText(nfc(content.decode(declared)), declared)
        except UnicodeDecodeError:
            pass
    return decoded_text(content)


def page_tree(text: str) -> Any:
    """The tree of a page (lxml), without comments. Raises SetAside for one without an element."""
    from lxml import etree, html

    # Without huge_tree, what is more than 255 elements deep would be lost without a word. No network:
    # lxml's parser of HTML reads neither entities nor files.
    parser = html.HTMLParser(
        encoding="utf-8", remove_comments=True, remove_pis=True, huge_tree=True, no_network=True
    )
    try:
        tree = html.document_fromstring(text.encode("utf-8", "replace"), parser=parser)
    except (etree.ParserError, etree.XMLSyntaxError) as error:
        raise SetAside("it has no text", "Write some, or take it out.") from error
    if any("Excessive depth" in entry.message for entry in parser.error_log):
        message = "its elements are more than 2,000 deep inside each other"
        raise SetAside(message, "Save the page again.")
    return tree


def remove_hidden(tree: Any) -> None:
    """Take out of `tree` what a browser does not show, and what it shows without text."""
    for element in list(tree.iter()):
        if element is not tree and _is_hidden(element):
            _remove(element)


def remove_boilerplate(tree: Any) -> None:
    """Take out of `tree` navigation, banners, and the headers and footers of the whole page."""
    n_titles = sum(1 for _ in tree.iter("h1"))
    for element in list(tree.iter()):
        if element is not tree and element.tag != "body" and _is_boilerplate(element, n_titles):
            _remove(element)


def _is_hidden(element: Any) -> bool:
    if not isinstance(element.tag, str) or element.tag in _NEVER_SHOWN or element.tag in _NO_TEXT:
        return True
    return "hidden" in element.attrib or is_hiding_style(element.get("style", ""))


def _is_boilerplate(element: Any, n_titles: int) -> bool:
    tag = element.tag
    if tag == "a" and (element.text or "").strip() in _LINK_MARKS and not len(element):
        return True
    if tag == "nav" or (element.get("role") or "").lower() in _ROLES:
        return True
    if tag in ("header", "footer", "aside"):
        if any(parent.tag in _MAIN_PARTS for parent in element.iterancestors()):
            return False  # the heading of an article, a remark in its margin
        holds_title = n_titles == 1 and tag == "header" and element.find(".//h1") is not None
        return not holds_title or element.find(".//nav") is not None
    if tag in ("html", *_MAIN_PARTS):
        return False
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    return _BOILERPLATE.search(names) is not None


def _remove(element: Any) -> None:
    """Take an element out of its tree; the text behind it stays."""
    if element.getparent() is not None:
        element.drop_tree()


def _declared_encoding(start: bytes) -> str | None:
    """The encoding that a page declares, by Python's name; None without a usable one."""
    match = _DECLARED.search(start)
    if match is None:
        return None
    try:
        name = codecs.lookup((match[1] or match[2]).decode("ascii").strip()).name
    except (LookupError, ValueError):
        return None
    name = _MEANT.get(name, name)
    return name if _PAGE_ENCODINGS.fullmatch(name) else None


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True
