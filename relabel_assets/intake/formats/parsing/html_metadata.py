"""What a page states of itself in its head: title, author, dates, and what else it says.

What belongs here: which meta tags say what. What does not: which values are nonsense (properties.py).
"""

import re
from collections import defaultdict
from collections.abc import Iterable
from typing import Any

from relabel_assets.intake.formats.parsing.blocks import one_space
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
_SITE_FIRST = re.compile(r"(.+?)\s+[:|»]\s+(?=\S)")


def stated(tree: Any) -> dict[str, Any]:
    """author, updated_at (ISO 8601) and metadata of a page, as fields of FileText.

    The date is that of the last change, else of publication.
    """
    tags = _meta_tags(tree)
    changed = _first(tags, _CHANGED, date_of) or _time(tree, "dateModified")
    published = _first(tags, _PUBLISHED, date_of) or _time(tree, "datePublished")
    wiki_author, wiki_date = _byline(tree)
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
        "author": ", ".join(next(filter(None, authors), [])) or wiki_author,
        "updated_at": changed or published or wiki_date,
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
    heads the body. What ends a title is the site's name where the text around the body has it too, apart
    from the whole title. So is what stands before " : ", as in pages that Confluence exports.

    >>> page_title(["Leave | Example Ltd"], "# Leave\\nAsk HR.", "")
    'Leave'
    >>> page_title(["Paid leave: Example Ltd"], "Ask HR.", "Ask HR. © Example Ltd")
    'Paid leave'
    >>> page_title(["People : Paid leave"], "Ask HR.", "People > People : Paid leave Ask HR.")
    'Paid leave'
    """
    if not titles:
        return None
    title = titles[0]
    first, *parts = _SEPARATOR.split(title)
    if not parts or first in _HEADING.findall(body):
        return first
    around, inside = (text.replace(title, " ").lower() for text in (everything, body))
    if _stands_around(parts[-1], around, inside):
        return title[: title.rindex(parts[-1])].rstrip(" |·•–—:-»«")
    site = _SITE_FIRST.match(title)
    if site and _stands_around(site[1], around, inside):
        return title[site.end() :]
    return title


def _stands_around(part: str, around: str, inside: str) -> bool:
    """Whether a part of a title is on the page outside its main text."""
    return around.count(part.lower()) > inside.count(part.lower())


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


def _byline(tree: Any) -> tuple[str | None, str | None]:
    """Author and date of a page that Confluence exported: its head states neither.

    The line is "Created by A, last modified by B on May 3, 2024", with A in an element of the class author.
    """
    for line in tree.xpath("//*[contains(concat(' ', @class, ' '), ' page-metadata ')]"):
        authors = line.xpath(".//*[@class='author']")
        _, _, date = one_space("".join(line.itertext())).rpartition(" on ")
        return author_of("".join(authors[0].itertext())) if authors else None, date_of(date)
    return None, None
