"""What a page states of itself in its head: title, author, dates, and what else it says.

What belongs here: which meta tags say what. What does not: which values are nonsense (properties.py).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from relabel_assets.intake.formats.parsing.properties import (
    author_of,
    date_of,
    metadata_of,
    title_of,
)

_TITLES = ("citation_title", "dc.title", "dcterms.title", "og:title", "twitter:title")
_AUTHORS = ("author", "citation_author", "dc.creator", "dcterms.creator", "article:author", "byl")
_CHANGED = (
    "article:modified_time", "og:updated_time", "dcterms.modified", "dc.date.modified", "last-modified",
    "lastmod", "datemodified", "revised",
)  # fmt: skip
_PUBLISHED = (
    "article:published_time", "citation_publication_date", "citation_date", "dcterms.issued",
    "dc.date.issued", "datepublished", "pubdate", "publish-date", "date", "dc.date", "dcterms.date",
    "dcterms.created", "dc.date.created",
)  # fmt: skip
_HEADING = re.compile(r"^#{1,6} (.+)$", re.M)
# Between the title of a page and the name of its site.
_SEPARATOR = re.compile(r"\s+[|·•–—:-]\s+|\s*[|»«]\s*|:\s+")


def stated(tree: Any) -> dict[str, Any]:
    """author, updated_at (ISO 8601) and metadata of a page, as fields of FileText.

    The date is that of the last change, else of publication.
    """
    tags = _meta_tags(tree)
    changed = _first(tags, _CHANGED, date_of) or _time(tree, "dateModified")
    published = _first(tags, _PUBLISHED, date_of) or _time(tree, "datePublished")
    links = [link for link in tree.iter("link") if link.get("rel") == "canonical"]
    metadata = {
        "description": _first(tags, ("description", "og:description"), str),
        "keywords": ", ".join(tags["keywords"]),
        "site": _first(tags, ("og:site_name",), str),
        "language": tree.get("lang") or tree.get("xml:lang"),
        "canonical": links[0].get("href") if links else None,
        "published": published if changed else None,
    }
    authors = (_authors(tags[name]) for name in _AUTHORS)
    return {
        "author": ", ".join(next(filter(None, authors), [])) or None,
        "updated_at": changed or published,
        "metadata": metadata_of(metadata),
    }


def stated_titles(tree: Any) -> list[str]:
    """The titles that the head of a page states, the best first; without the bare name of the site."""
    tags = _meta_tags(tree)
    texts = [text for name in _TITLES for text in tags[name]]
    texts += [title.text for title in tree.iter("title") if title.getparent().tag == "head"]
    titles = [title for text in texts if (title := title_of(text))]
    return [title for title in titles if title not in tags["og:site_name"]]


def page_title(titles: list[str], body: str, everything: str) -> str | None:
    """The title that a page states, without the name of its site; None where it states none.

    `everything` is the text of the page, `body` its main text. The beginning of a title counts alone where it
    heads the body. What ends a title is the site's name where the text around the body has it too.

    >>> page_title(["Leave | Example Ltd"], "# Leave\\nAsk HR.", "")
    'Leave'
    >>> page_title(["Paid leave: Example Ltd"], "Ask HR.", "Ask HR. © Example Ltd")
    'Paid leave'
    """
    if not titles:
        return None
    first, *parts = _SEPARATOR.split(titles[0])
    if not parts or first in _HEADING.findall(body):
        return first
    last = parts[-1].lower()
    if everything.lower().count(last) > body.lower().count(last):
        return titles[0][: titles[0].rindex(parts[-1])].rstrip(" |·•–—:-»«")
    return titles[0]


def _meta_tags(tree: Any) -> defaultdict[str, list[str]]:
    """The contents of each meta tag, by its name in lower case."""
    tags: defaultdict[str, list[str]] = defaultdict(list)
    for meta in tree.iter("meta"):
        name = (
            meta.get("name")
            or meta.get("property")
            or meta.get("itemprop")
            or meta.get("http-equiv")
        )
        content = (meta.get("content") or "").strip()
        if name and content:
            tags[name.strip().lower().replace("dc.terms.", "dcterms.")].append(content)
    return tags


def _first(tags: defaultdict[str, list[str]], names: Iterable[str], read: Any) -> Any:
    return next((value for name in names for text in tags[name] if (value := read(text))), None)


def _authors(texts: list[str]) -> list[str]:
    return list(dict.fromkeys(author for text in texts if (author := author_of(text))))


def _time(tree: Any, name: str) -> str | None:
    """The date of an element that schema.org's vocabulary marks, such as <time itemprop=dateModified>."""
    for element in tree.iter("time", "meta"):
        if element.get("itemprop") == name:
            return date_of(element.get("datetime") or element.get("content"))
    return None
