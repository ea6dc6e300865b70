"""The text of a document in a prompt: title, metadata and body, each cut to a length.

What belongs here: the values of the placeholders title, metadata and body, for grading and for
writing queries, and which passages of a body they show. What does not: choosing the passages
(corpus/excerpts/), and the words around the values (prompts/).
"""

from collections.abc import Mapping
from typing import Any

from relabel_assets.corpus.excerpts.excerpt import BYTES_PER_TOKEN, Excerpt, excerpt
from relabel_assets.tables.vocabulary import DOCUMENT_METADATA

# Characters of a title, a piece of metadata or a persona. Not measured: real titles are shorter. A
# paragraph in the wrong field would fill the prompt, because max_document_tokens limits only the body.
LONGEST_LINE = 300


def document_values(
    document: Mapping[str, Any], max_tokens: int, *, query: str | None = None
) -> dict[str, str]:
    """The values of a prompt's placeholders title, metadata and body.

    `document`: title, body and DOCUMENT_METADATA; all but body may be None. A body over `max_tokens`
    is cut to the passages nearest `query`, or the title without a query.

    >>> document_values({"body": "Ask HR.", "author": "Ana", "path": None}, 50, query="leave")
    {'title': '(no title)', 'metadata': 'author: Ana', 'body': 'Ask HR.'}
    """
    title = one_line(document.get("title") or "(no title)")
    lines = [
        f"{name}: {one_line(document[name])}" for name in DOCUMENT_METADATA if document.get(name)
    ]
    return {
        "title": title,
        "metadata": "\n".join(lines) or "(none)",
        "body": _excerpt(document["body"], title if query is None else query, max_tokens).text,
    }


def shown_passages(pair: Mapping[str, Any], max_tokens: int) -> str | None:
    """The passages of `pair` that document_values shows for its query, as in teacher_labels.

    `pair`: text and body. None where the whole body is shown.

    >>> shown_passages({"text": "leave", "body": "Ask HR."}, 50) is None
    True
    """
    return _excerpt(pair["body"], pair["text"], max_tokens).passages_json(pair["body"])


def _excerpt(body: str, query: str, max_tokens: int) -> Excerpt:
    return excerpt(body, query, max_tokens * BYTES_PER_TOKEN)


def one_line(text: str, longest: int = LONGEST_LINE) -> str:
    """`text` in one line, cut after `longest` characters and then marked with [...].

    >>> one_line("paid\\n  leave"), one_line("paid leave", 4)
    ('paid leave', 'paid [...]')
    """
    text = " ".join(text.split())
    return text if len(text) <= longest else text[:longest] + " [...]"
