"""The kinds of tables in a corpus, and the common names of their columns.

What belongs here: which names are read. What does not: reading (reader.py), and what makes a row a document,
a query or a grade (corpus/).
"""

from relabel_assets.intake.tables.column_names import Columns

_QUERY_ID = ("qid", "query id", "topic id")
_DOC_ID = ("doc id", "document_id", "docno", "corpus-id")
_OF_DOCUMENTS = {
    "title": (),
    "author": (),
    "path": (),
    "updated_at": (),
    "doc_type": (),
}

DOCUMENTS = Columns(
    {
        "doc_id": ("ID", "_id", *_DOC_ID),
        "body": ("text", "content", "contents", "answer"),
        **_OF_DOCUMENTS,
        "title": ("question",),  # of a table of questions and answers
    },
    needed=(("doc_id",), ("body",)),
    ids=frozenset({"doc_id"}),
    headerless=("doc_id", "body"),
)
QUERIES = Columns(
    {
        "query_id": ("ID", "_id", *_QUERY_ID),
        "text": ("query", "query text", "question"),
        "intent": (),
        "seed_doc_id": (),
        "split": (),
        "weight": (),
        "stratum": (),
    },
    needed=(("query_id",), ("text",)),
    ids=frozenset({"query_id", "seed_doc_id"}),
    numbers=frozenset({"weight"}),
    headerless=("query_id", "text"),
)
_GRADE = ("relevance", "rel", "label", "score")
TEACHER_LABELS = Columns(
    {
        "query_id": _QUERY_ID,
        "doc_id": _DOC_ID,
        "grade": _GRADE,
        "rationale": (),
        "model": (),
    },
    needed=(("query_id",), ("doc_id",), ("grade",)),
    ids=frozenset({"query_id", "doc_id"}),
    numbers=frozenset({"grade"}),
)
REFERENCE_LABELS = Columns(
    {
        "query_id": _QUERY_ID,
        "doc_id": _DOC_ID,
        "grade": _GRADE,
        "assessor": ("iteration", "annotator"),
    },
    needed=(("query_id",), ("doc_id",), ("grade",)),
    ids=frozenset({"query_id", "doc_id"}),
    numbers=frozenset({"grade"}),
)
PAIRS = Columns(
    {
        "query_id": _QUERY_ID,
        "query": ("query text",),
        "doc_id": _DOC_ID,
        "body": ("document", "passage", "text", "content", "contents"),
        **_OF_DOCUMENTS,
    },
    needed=(("query_id", "query"), ("doc_id", "body")),
    ids=frozenset({"query_id", "doc_id"}),
)
