"""A server of the review page in a process of its own, with twelve pairs that need no warehouse.

    python -m relabel_assets_tests.review.page_server FOLDER PORT

What belongs here: pairs with and without a warehouse, the process, and requests to it. What does not: tests.
"""

import http.client
import json
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

import polars as pl

from relabel_assets.prompts.rubric import default_rubric
from relabel_assets.review.pairs_to_review import PairsToReview

if TYPE_CHECKING:  # the process starts faster without Dagster's DuckDB
    from relabel_assets.warehouse.warehouse import Warehouse

QUERIES = {
    "q1": "how do I claim travel expenses?",
    "q2": "出張旅費 申請",
    "q3": "<b>where</b> to park a \u202ebicycle",
}
DOCUMENTS = {
    "honest": ("Travel expenses", "Employees claim expenses of travelling within 30 days."),
    "script": ("<script>alert(1)</script>", "<img src=x onerror=\"document.title='pwned'\">"),
    "control": ("safe\u202etxt.exe", "a\u2066b\x1b[31mred\r\nnext line"),
    "huge": (None, "travelexpenses" * 75_000),
}


def pairs_in(folder: Path, **changes: str) -> PairsToReview:
    """The pairs, whose reviews are in `folder`. `changes`: other bodies of documents."""
    documents = {
        doc_id: {
            "title": title,
            "body": changes.get(doc_id, body),
            "author": "<i>Ana</i>",
            "path": None,
            "updated_at": "2026-03-01",
            "doc_type": None,
        }
        for doc_id, (title, body) in DOCUMENTS.items()
    }
    pairs = [(query_id, doc_id) for query_id in QUERIES for doc_id in DOCUMENTS]
    return PairsToReview("tiny", folder, default_rubric(), pairs, QUERIES, documents)


def write_rows(warehouse: "Warehouse", table: str, *rows: dict[str, Any]) -> None:
    """Write rows of the corpus `tiny`; what is not given is NULL, or false."""
    from relabel_assets_tests.warehouse.rows import HASH, complete

    warehouse.replace(table, "tiny", complete(table, *rows), input_hash=HASH)


def write_texts(warehouse: "Warehouse") -> None:
    """Write the query q1 and the document d1 of the corpus `tiny`."""
    query = {"query_id": "q1", "text": "leave", "intent": "keyword", "split": "benchmark"}
    document = {"doc_id": "d1", "title": "Leave", "body": "Ask HR."}
    more = {"source": "provided", "content_hash": "0" * 64}
    write_rows(warehouse, "synthetic_queries", query | more)
    write_rows(warehouse, "seed_docs", document | more)


def draw(reviews: Path, *pairs: tuple[str, str]) -> None:
    """Write a sample of `pairs` into the folder of reviews."""
    from relabel_assets.review.samples import FRAME, write_frame

    drawn = {"stratum": "SECRET grade=3", "inclusion_prob": 0.625, "query_prob": 1.0}
    drawn |= {"is_drawn": True, "why": "SECRET", "drawn_at": "2026-05-04T10:00:00+00:00"}
    drawn |= {"joined": 1, "u": 0.8125, "need": 1.0, "by": "pair"}
    rows = [{"query_id": query_id, "doc_id": doc_id, **drawn} for query_id, doc_id in pairs]
    write_frame(reviews, pl.DataFrame(rows, schema=FRAME))


class PageServer:
    """`with PageServer(folder) as server`: the process, at a free port. `start` begins it again there."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder, 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def __enter__(self) -> "PageServer":
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self) -> "PageServer":
        self.process = subprocess.Popen(
            [sys.executable, "-m", __spec__.name, str(self.folder), str(self.port)],
            stdout=subprocess.PIPE,
            text=True,
            cwd=Path(__file__).parents[2],
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())
        return self

    def kill(self) -> None:
        """SIGKILL."""
        self.process.kill()
        self.process.wait()


def call(
    port: int, path: str, sent: Any = None, **headers: str
) -> tuple[int, Any, http.client.HTTPMessage]:
    """Status, body (parsed if it is JSON) and headers of a GET, or of a POST of `sent`."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        if sent is None:
            connection.request("GET", path, headers=named)
        else:
            own = {
                "Content-Type": "application/json",
                "Origin": f"http://127.0.0.1:{port}",
            }
            connection.request("POST", path, json.dumps(sent), own | named)
        response = connection.getresponse()
        body = response.read()
        is_json = response.headers.get_content_type() == "application/json"
        return (
            response.status,
            json.loads(body) if is_json else body.decode(),
            response.headers,
        )
    finally:
        connection.close()


def grade_of(shown: dict[str, Any], grade: int, request_id: str, **more: Any) -> dict[str, Any]:
    """What the page sends for a grade of the pair in `shown`."""
    names = ("query_id", "doc_id", "content_hash", "seen")
    pair = {name: shown["pair"][name] for name in names}
    return {"action": "grade", "grade": grade, "request_id": request_id, **pair, **more}


def main() -> None:
    from relabel_assets.review.page.serving import serve_review

    serve_review(
        pairs_in(Path(sys.argv[1])),
        host="127.0.0.1",
        ports=[int(sys.argv[2])],
        assessor=None,
        announce=lambda address: print(address.url.split(":")[-1].strip("/"), flush=True),
    )


if __name__ == "__main__":
    main()
