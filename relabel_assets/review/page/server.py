"""The review page over HTTP: its files, what it shows, and what it sends.

What belongs here: routes, and errors as responses. What does not: who may ask (guard.py), the rules of the
page (desk.py), and listening (serving.py).
"""

import threading
from importlib import resources
from typing import Any

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from relabel_assets.errors import CorpusError
from relabel_assets.intake.json_text import BadJson, parse_json
from relabel_assets.intake.one_input import SetAside
from relabel_assets.review.log import ReviewLog
from relabel_assets.review.page.desk import Conflict, Desk
from relabel_assets.review.page.shown_text import neutral
from relabel_assets.review.pairs_to_review import PairsToReview
from relabel_assets.review.review import assessor_name

_FILES = {
    "": ("index.html", "text/html"),
    "review.js": ("review.js", "text/javascript"),
    "review.css": ("review.css", "text/css"),
    "icon.svg": ("icon.svg", "image/svg+xml"),
}
# A note has at most 10,000 characters, which JSON may write in six bytes each.
_MAX_REQUEST_BYTES = 100_000


class ReviewServer:
    """The desks of all assessors of `pairs`. `assessor` is who grades if the page is not told."""

    def __init__(self, pairs: PairsToReview, *, assessor: str | None = None) -> None:
        self._pairs, self._assessor = pairs, assessor
        self._log = ReviewLog(pairs.folder, max_grade=pairs.rubric.max_grade)
        self._desks: dict[str, Desk] = {}
        self._lock = threading.Lock()

    def app(self) -> Starlette:
        """The routes. Put a Guard before them."""
        return Starlette(
            routes=[
                Route("/api/start", self._start),
                Route("/api/pair", self._pair),
                Route("/api/piece", self._piece),
                Route("/api/review", self._review, methods=["POST"]),
                Route("/{file:path}", _file),
            ],
            max_body_size=_MAX_REQUEST_BYTES,
            exception_handlers={SetAside: _bad_request, CorpusError: _not_written},
        )

    def _desk(self, name: str | None) -> Desk:
        """The desk of an assessor. Raises SetAside for a name that cannot be one."""
        assessor = assessor_name(name or "")
        with self._lock:
            if assessor not in self._desks:
                self._desks[assessor] = Desk(self._pairs, self._log, assessor)
            return self._desks[assessor]

    def _start(self, request: Request) -> Response:
        """What stays the same for all pairs: who grades, and the rubric; and the names used so far."""
        with self._log.lock:
            self._log.refresh()
            assessors = self._log.assessors()
        name = request.query_params.get("assessor") or self._assessor
        rubric = self._pairs.rubric
        return JSONResponse(
            {
                "corpus": self._pairs.corpus,
                "assessor": assessor_name(name) if name else None,
                "assessors": assessors,
                "grades": [
                    {"grade": one.grade, "name": neutral(one.name), "meaning": neutral(one.meaning)}
                    for one in rubric.grades
                ],
                "guidance": [neutral(rule) for rule in rubric.guidance],
            }
        )

    def _pair(self, request: Request) -> Response:
        query = request.query_params
        at = query.get("at")
        return JSONResponse(
            self._desk(query.get("assessor")).show(
                at=None if at is None else _whole(at),
                after=_whole(query.get("after", "-1")),
                skipped=query.get("skipped") == "1",
            )
        )

    def _piece(self, request: Request) -> Response:
        query = request.query_params
        pair = query.get("query_id", ""), query.get("doc_id", "")
        desk = self._desk(query.get("assessor"))
        return JSONResponse(desk.piece(pair, _whole(query.get("start", "0"))))

    async def _review(self, request: Request) -> Response:
        sent = await _json_object(request)
        desk = self._desk(str(sent.get("assessor", "")))
        try:
            shown = await run_in_threadpool(desk.act, sent, skipped=sent.get("skipped") is True)
        except Conflict as conflict:
            shown = await run_in_threadpool(desk.show_again, sent)
            return JSONResponse({"error": str(conflict), **shown}, 409)
        return JSONResponse(shown)


def _file(request: Request) -> Response:
    """A file of the page. They are read at once: what is packaged does not change."""
    file = _FILES.get(request.path_params["file"])
    if file is None:
        return JSONResponse({"error": "there is no such page"}, 404)
    name, media_type = file
    content = (resources.files("relabel_assets") / "review" / "page" / "files" / name).read_bytes()
    return Response(content, media_type=media_type)


async def _json_object(request: Request) -> dict[str, Any]:
    """The JSON object that was sent. Raises SetAside for anything else."""
    # A form of another site cannot send this type.
    if request.headers.get("content-type", "").split(";")[0] != "application/json":
        raise SetAside("the request is not JSON")
    try:
        value = parse_json(await request.body())
    except (BadJson, UnicodeDecodeError) as error:
        raise SetAside("the request is not JSON") from error
    if not isinstance(value, dict):
        raise SetAside("the request is no JSON object")
    return value


def _whole(text: str) -> int:
    """The whole number in `text`. Raises SetAside for anything else."""
    if not text.removeprefix("-").isascii() or not text.removeprefix("-").isdecimal():
        raise SetAside("a place is no number")
    return int(text[:10])


def _bad_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, SetAside)
    return JSONResponse({"error": f"{error.message}. {error.remedy}".strip()}, 400)


def _not_written(request: Request, error: Exception) -> Response:
    """The disk is full or read-only: the page keeps the grade and sends it again."""
    return JSONResponse({"error": neutral(str(error))}, 503)
