"""The review page over HTTP: who is let in, what a browser gets, and a server that is killed."""

import http.client
import json
import re
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest
import uvicorn

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.errors import ConfigError, CorpusError
from relabel_assets.review.page.guard import Guard
from relabel_assets.review.page.server import ReviewServer
from relabel_assets.review.page.serving import listening
from relabel_assets.review.pairs_to_review import PairsToReview, pairs_to_review
from relabel_assets.review.store import read_reviews
from relabel_assets.warehouse.warehouse import Warehouse
from relabel_assets_tests.review.page_server import (
    PageServer,
    call,
    draw,
    grade_of,
    pairs_in,
    write_rows,
    write_texts,
)

TOKEN = "a-token-of-the-test"
PAIR = "/api/pair?assessor=ana"


class Serving:
    """A server of `pairs` in a thread of this process."""

    def __init__(self, pairs: PairsToReview, token: str | None = None) -> None:
        app = Guard(ReviewServer(pairs).app(), token=token, cookie="review")
        self._socket = listening("127.0.0.1", [0])
        self.port = self._socket.getsockname()[1]
        config = uvicorn.Config(app, log_level="warning", lifespan="off")
        self._server = uvicorn.Server(config)
        sockets = {"sockets": [self._socket]}
        self._thread = threading.Thread(target=self._server.run, kwargs=sockets, daemon=True)

    def __enter__(self) -> int:
        self._thread.start()
        return self.port

    def __exit__(self, *_: object) -> None:
        self._server.should_exit = True
        self._thread.join(10)
        self._socket.close()


@pytest.fixture
def port(tmp_path: Path) -> Iterator[int]:
    with Serving(pairs_in(tmp_path / "reviews")) as port:
        yield port


def test_every_response_forbids_what_the_page_does_not_need(port: int) -> None:
    for path in ("/", "/review.js", "/review.css", "/icon.svg", PAIR, "/nothing"):
        _, _, headers = call(port, path, Cookie="review=of-another-server")
        assert headers["Set-Cookie"] is None
        policy = headers["Content-Security-Policy"]
        assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self';")
        assert "unsafe" not in policy and "http" not in policy
        assert headers["X-Content-Type-Options"] == "nosniff"
        assert headers["Cache-Control"] == "no-store"


def test_the_page_has_no_inline_script_or_style_and_names_no_other_host(port: int) -> None:
    _, page, _ = call(port, "/")
    assert re.findall(r"<script[^>]*>", page) == ['<script src="/review.js" defer>']
    assert not re.search(r"\sstyle=|\son\w+=|<style|javascript:", page)
    for file in ("/", "/review.js", "/review.css"):
        assert "://" not in call(port, file)[1]


def test_only_a_name_of_this_machine_is_let_in_behind_a_tunnel_too(port: int) -> None:
    for host in ("evil.example", "127.0.0.1.evil.example:80", "10.0.0.1", "[::"):
        assert call(port, PAIR, Host=host)[0] == 421
    for host in ("127.0.0.1", "localhost:1234", "[::1]:80", "LOCALHOST"):
        assert call(port, PAIR, Host=host)[0] == 200


def test_another_site_cannot_send_grades(port: int, tmp_path: Path) -> None:
    sent = grade_of(call(port, PAIR)[1], 1, "r", assessor="ana")
    for origin in ("http://evil.example", "null", "", "http://localhost:1"):
        assert call(port, "/api/review", sent, Origin=origin)[0] == 403
    form = {"Content_Type": "text/plain"}  # what a form can send without asking
    assert call(port, "/api/review", sent, **form)[0] == 400
    assert not (tmp_path / "reviews").exists()


def test_a_grade_is_on_the_disk_when_the_server_says_so(port: int, tmp_path: Path) -> None:
    shown = call(port, PAIR)[1]
    sent = grade_of(shown, 3, "r", assessor="Ana", note="clear")
    status, after, _ = call(port, "/api/review", sent)
    assert (status, after["n_graded"]) == (200, 1)
    (row,) = read_reviews(tmp_path / "reviews", max_grade=3).frame.iter_rows(named=True)
    assert (row["assessor"], row["grade"], row["note"]) == ("ana", 3, "clear")
    assert row["content_hash"] == shown["pair"]["content_hash"]


def test_what_cannot_be_used_is_an_answer_and_no_traceback(port: int) -> None:
    shown = call(port, PAIR)[1]
    good = grade_of(shown, 1, "r", assessor="ana")
    for bad in ([], "x", {}, good | {"assessor": "../x"}, good | {"grade": 9}):
        status, answer, _ = call(port, "/api/review", bad)
        assert (status, bool(answer["error"])) == (400, True)
    assert call(port, "/api/review", good | {"note": "n" * 20_000})[0] == 400
    assert call(port, "/api/review", good | {"note": "n" * 200_000})[0] == 413
    assert call(port, "/api/review", good | {"seen": "before"})[0] == 409
    for path in (
        "/api/pair",
        "/api/pair?assessor=..%2Fx",
        f"{PAIR}&at=x",
        f"{PAIR}&after=-",
        "/api/piece?assessor=ana&query_id=q&doc_id=d&start=0",
    ):
        assert call(port, path)[0] == 400, path


def test_a_disk_that_cannot_be_written_is_said_and_the_grade_can_be_sent_again(
    port: int, tmp_path: Path
) -> None:
    sent = grade_of(call(port, PAIR)[1], 1, "r", assessor="ana")
    (tmp_path / "reviews").write_text("a file in place of the folder")
    status, answer, _ = call(port, "/api/review", sent)
    assert (status, "cannot be written" in answer["error"]) == (503, True)
    (tmp_path / "reviews").unlink()
    assert call(port, "/api/review", sent)[1]["n_graded"] == 1


def test_elsewhere_nothing_is_served_without_the_token(tmp_path: Path) -> None:
    with Serving(pairs_in(tmp_path / "reviews"), token=TOKEN) as port:
        for path in ("/", "/review.js", PAIR, f"{PAIR}&token=", f"{PAIR}&token={TOKEN}x"):
            status, _, headers = call(port, path)
            assert (status, headers["Set-Cookie"]) == (401, None)
        assert call(port, "/api/review", {})[0] == 401
        status, _, headers = call(port, f"/?token={TOKEN}", Cookie="review=of-an-earlier-server")
        assert (status, headers["Set-Cookie"]) == (
            200,
            f"review={TOKEN}; Path=/; HttpOnly; SameSite=Strict",
        )
        assert call(port, PAIR, Cookie=f"review={TOKEN}")[0] == 200
        assert call(port, PAIR, Cookie="review=wrong")[0] == 401
        sent = grade_of(call(port, PAIR, Cookie=f"review={TOKEN}")[1], 1, "r", assessor="ana")
        stranger = {"Origin": "http://evil.example", "Cookie": f"review={TOKEN}"}
        assert call(port, "/api/review", sent, **stranger)[0] == 403
        assert call(port, "/api/review", sent, Cookie=f"review={TOKEN}")[0] == 200


def test_the_page_gets_no_grade_rank_or_stratum(tmp_path: Path) -> None:
    warehouse, folder = Warehouse.at(tmp_path / "warehouse.duckdb"), tmp_path / "tiny"
    corpus = CorpusFolder("tiny", folder)
    folder.mkdir()
    write_texts(warehouse)
    with pytest.raises(CorpusError, match="relabel review sample -c tiny"):
        pairs_to_review(corpus, warehouse)
    pair = {"query_id": "q1", "doc_id": "d1"}
    found = {"rank": 7, "bm25_score": 77.5, "source": "bm25"}
    graded = {"grade": 3, "expected_grade": 2.71875, "model_id": "SECRET"}
    graded |= {"grade_probs": [0.0, 0.0, 0.28125, 0.71875]}
    write_rows(warehouse, "bm25_candidates", pair | found)
    write_rows(warehouse, "student_labels", pair | graded)
    draw(folder / "reviews", ("q1", "d1"), ("q1", "gone"))
    pairs = pairs_to_review(corpus, warehouse)
    assert pairs.n_gone == 1
    with Serving(pairs) as port:
        shown = call(port, PAIR)[1]
        everything = json.dumps([shown, call(port, "/api/start")[1]])
        done = call(port, "/api/review", grade_of(shown, 0, "r", assessor="ana"))[1]
        everything += json.dumps(done)
    for secret in ("SECRET", "2.71", "0.71", "77.5", "0.625", "0.8125", "bm25", "rank", "stratum"):
        assert secret not in everything
    assert set(shown["pair"]) == {
        *("place", "query_id", "doc_id", "content_hash", "seen", "query", "title", "metadata"),
        *("body", "review", "note", "is_changed"),
    }
    assert shown["pair"]["review"] is None


def test_a_port_in_use_is_passed_over_or_named() -> None:
    with listening("127.0.0.1", [0]) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(ConfigError, match=f"port {port} of 127.0.0.1 is in use.*--port"):
            listening("127.0.0.1", [port])
        with listening("127.0.0.1", [port, 0]) as other:
            assert other.getsockname()[1] != port
    with pytest.raises(ConfigError, match=r"0\.0\.0\.0"):
        listening("203.0.113.7", [0])
    with pytest.raises(ConfigError, match="--host is 'no such host'"):
        listening("no such host", [0])


@pytest.mark.slow
def test_a_server_killed_while_grades_arrive_keeps_every_confirmed_one(tmp_path: Path) -> None:
    folder, assessors = tmp_path / "reviews", [f"a{number}" for number in range(6)]
    confirmed: list[tuple[str, str, str]] = []
    enough = threading.Event()

    def grade_on(assessor: str) -> None:
        try:
            shown = call(server.port, f"/api/pair?assessor={assessor}")[1]
            while shown["pair"]:
                place = shown["pair"]["place"]
                pair = shown["pair"]["query_id"], shown["pair"]["doc_id"]
                sent = grade_of(shown, 2, f"{assessor}-{place}", assessor=assessor, note="n" * 5000)
                shown = call(server.port, "/api/review", sent)[1]
                confirmed.append((*pair, assessor))
                if len(confirmed) > 20:
                    enough.set()
        except (OSError, http.client.HTTPException):
            pass  # the server is gone

    with PageServer(folder) as server, ThreadPoolExecutor(len(assessors)) as pool:
        graders = [pool.submit(grade_on, assessor) for assessor in assessors]
        assert enough.wait(60)
        server.kill()
        for grader in graders:
            grader.result(60)
        kept = read_reviews(folder, max_grade=3).frame
        assert set(confirmed) <= set(kept.select("query_id", "doc_id", "assessor").iter_rows())
        server.start()  # at the same port
        for assessor in assessors:
            shown = call(server.port, f"/api/pair?assessor={assessor}")[1]
            assert shown["n_graded"] == kept.filter(pl.col("assessor") == assessor).height
