"""The queries and documents of a corpus, to which imported judgments are matched.

What belongs here: matching ids and query texts, and naming what is unknown. What does not: files
(import_file.py).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import replace

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import CorpusError, Problem
from relabel_assets.exchange.judgments import Judgment, text_key
from relabel_assets.intake.nfc import nfc
from relabel_assets.intake.one_input import SetAside
from relabel_assets.intake.text import one_line, shown
from relabel_assets.plural import counted
from relabel_assets.warehouse.warehouse import Warehouse

_MOST_LISTED = 20  # unknown ids: a file for another corpus would name thousands
_NEAR = 75.0  # rapidfuzz's ratio, 0-100. Below it a suggestion is seldom what was meant


def known_ids(warehouse: Warehouse, folder: CorpusFolder) -> "KnownIds":
    """The ids of a corpus: of its tables, or of its folder where it was never run.

    Raises CorpusError where it has no queries: there is nothing to match.

    >>> import tempfile
    >>> from pathlib import Path
    >>> with tempfile.TemporaryDirectory() as name:
    ...     folder = Path(name) / "demo"
    ...     folder.mkdir()
    ...     _ = (folder / "queries.jsonl").write_text('{"query_id": "q1", "text": "leave"}')
    ...     _ = (folder / "documents.jsonl").write_text('{"doc_id": "d1", "body": "Ask HR."}')
    ...     known = known_ids(Warehouse.at(Path(name) / "x.duckdb"), CorpusFolder("demo", folder))
    >>> known.matched(Judgment("d1", 2, text="leave")).query_id
    'q1'
    """
    queries = warehouse.read("synthetic_queries", folder.name, columns=["query_id", "text"])
    documents = warehouse.read("seed_docs", folder.name, columns=["doc_id"])
    if queries.is_empty() or documents.is_empty():
        queries, documents = folder.queries().frame, folder.documents().frame
    if queries.is_empty():
        raise CorpusError(
            f"corpus {folder.name!r} has no queries yet, so nothing can be matched. Put queries.jsonl "
            f"into its folder, or run it: relabel run -c {folder.name} -s synthetic_queries"
        )
    texts = dict(queries.select("query_id", "text").iter_rows())
    return KnownIds(texts, documents["doc_id"])


class KnownIds:
    """The ids of a corpus and the texts of its queries. Unknown ones are counted by `matched`."""

    def __init__(self, queries: Mapping[str, str], doc_ids: Iterable[str]) -> None:
        self._queries = queries
        self._query_ids = {nfc(query_id): query_id for query_id in queries}
        self._doc_ids = {nfc(doc_id): doc_id for doc_id in doc_ids}
        self._by_text: dict[str, list[str]] = {}
        for query_id, text in queries.items():
            self._by_text.setdefault(text_key(text), []).append(query_id)
        self._unknown: dict[str, Counter[str]] = {"query": Counter(), "document": Counter()}

    def matched(self, judgment: Judgment) -> Judgment | None:
        """`judgment` with the corpus' ids; None for an unknown query or document, which is counted.

        A query is found by its id, else by its text. Raises SetAside where several queries have the text,
        and where the query of this id has another text: the grade is of something else.

        >>> known = KnownIds({"q1": "leave"}, ["d1"])
        >>> known.matched(Judgment("d1", 2, text=" leave")).query_id
        'q1'
        >>> known.matched(Judgment("d2", 2, query_id="q1")) is None
        True
        """
        query_id = self._query_id(judgment)
        doc_id = self._doc_ids.get(nfc(judgment.doc_id))
        if query_id is None:
            self._unknown["query"][judgment.query_id or judgment.text or ""] += 1
        if doc_id is None:
            self._unknown["document"][judgment.doc_id] += 1
        if query_id is None or doc_id is None:
            return None
        return replace(judgment, query_id=query_id, doc_id=doc_id)

    def problems(self, file: str) -> list[Problem]:
        """A problem for each unknown query and document, with the nearest known one.

        >>> known = KnownIds({"q1": "leave"}, ["policies/leave"])
        >>> _ = known.matched(Judgment("policies/leave.md", 2, query_id="q1"))
        >>> print(known.problems("x.qrels")[0])
        x.qrels: document 'policies/leave.md' has 1 grade and is not in the corpus. Nearest: 'policies/leave'.
        """
        found = []
        known = {"query": [*self._queries], "document": [*self._doc_ids.values()]}
        for thing, counts in self._unknown.items():
            names = sorted(counts)
            for name in names[:_MOST_LISTED]:
                grades = counted(counts[name], "grade")
                message = f"{thing} {shown(name)} has {grades} and is not in the corpus"
                found.append(
                    Problem(file, None, one_line(message), self._nearest(thing, name, known))
                )
            if rest := names[_MOST_LISTED:]:
                grades = counted(sum(counts[name] for name in rest), "grade")
                things = "queries" if thing == "query" else "documents"
                message = f"{len(rest):,} more unknown {things} have {grades}"
                found.append(Problem(file, None, message, "Left out."))
        return found

    def _query_id(self, judgment: Judgment) -> str | None:
        with_text = self._by_text.get(text_key(judgment.text or ""), [])
        by_id = self._query_ids.get(nfc(judgment.query_id)) if judgment.query_id else None
        if by_id is not None:
            if judgment.text and by_id not in with_text:
                raise SetAside(
                    f"query {shown(by_id)} has another text in the corpus than {shown(judgment.text)}",
                    "Judge the present text.",
                )
            return by_id
        if len(with_text) > 1:
            listed = " and ".join(map(shown, with_text[:3]))
            message = f"{shown(judgment.text)} is the text of the queries {listed}"
            raise SetAside(message, "Import a format with query ids: qrels, beir, csv or parquet.")
        return with_text[0] if with_text else None

    def _nearest(self, thing: str, name: str, known: Mapping[str, list[str]]) -> str:
        from rapidfuzz import process

        texts: list[str] = known[thing]
        if thing == "query" and name not in self._queries:
            texts = [*texts, *self._queries.values()]
        best = process.extractOne(name, texts, score_cutoff=_NEAR)
        return f"Nearest: {shown(best[0])}." if best else "Left out."
