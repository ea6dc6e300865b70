"""Documents at an address: a folder by file://, and a web server on the loopback."""

import http.server
import json
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from relabel_assets.corpus.folder import CorpusFolder
from relabel_assets.corpus.folders import Corpora
from relabel_assets.corpus.sources import url_source
from relabel_assets.corpus.sources.remote_files import RemoteFiles, shown_url
from relabel_assets.errors import ConfigError, CorpusError
from relabel_assets_tests.corpus.files import write
from relabel_assets_tests.faults.batch_server import serving

PAGES: dict[str, str | bytes] = {
    "wiki/leave.md": "# Leave\nAsk HR.",
    "wiki/hr/pay.md": "Pay day.",
    "wiki/notes.txt": "Not asked for.",
    "other/secret.md": "Not under the address.",
}


@pytest.fixture(autouse=True)
def no_listings(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each look lists anew."""
    monkeypatch.setattr(url_source, "_SECONDS_OF_A_LISTING", 0.0)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    return write(tmp_path / "site", PAGES)


class Handler(http.server.SimpleHTTPRequestHandler):
    asked: list[str]

    def do_GET(self) -> None:
        self.asked.append(self.path)
        if self.path == "/wiki/moved.md":
            self.send_response(302)
            port = self.server.server_address[1]  # another name is another host
            self.send_header("Location", f"http://localhost:{port}/other/secret.md")
            self.end_headers()
        else:
            super().do_GET()

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture
def server(site: Path) -> Iterator[tuple[str, list[str]]]:
    """The address of a web server of `site`, and the paths that it was asked for."""
    asked: list[str] = []
    handler = partial(type("Logged", (Handler,), {"asked": asked}), directory=str(site))
    with serving(handler) as port:
        yield f"http://127.0.0.1:{port}", asked


def corpus(root: Path, url: str) -> CorpusFolder:
    folder = root / "data" / "wiki"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "corpus.yaml").write_text(json.dumps({"documents": {"url": url}}))
    return Corpora(root / "data", root / "cache").open("wiki")


def ids(folder: CorpusFolder) -> list[str]:
    return folder.documents().frame["doc_id"].to_list()


def test_files_of_a_folder_are_read_like_those_of_documents(tmp_path: Path, site: Path) -> None:
    reading = corpus(tmp_path, f"file://{site}/wiki/**/*.md").documents()
    rows = reading.frame.select("doc_id", "title", "path").rows()
    assert rows == [("hr/pay", "pay", "hr/pay.md"), ("leave", "Leave", "leave.md")]
    assert reading.problems == []


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("wiki", ["hr/pay", "leave", "notes"]),
        ("wiki/", ["hr/pay", "leave", "notes"]),
        ("wiki/*.md", ["leave"]),
        ("wiki/leave.md", ["leave"]),
        ("wiki/**/p?y.md", ["hr/pay"]),
    ],
)
def test_a_pattern_names_files(
    tmp_path: Path, site: Path, pattern: str, expected: list[str]
) -> None:
    assert ids(corpus(tmp_path, f"file://{site}/{pattern}")) == expected


def test_a_web_server_may_be_named_without_a_folder(tmp_path: Path, site: Path) -> None:
    handler = partial(http.server.SimpleHTTPRequestHandler, directory=str(site / "wiki"))
    with serving(handler) as port:
        address = f"http://127.0.0.1:{port}"
        for n, url in enumerate((address, f"{address}/", f"{address}/hr/")):
            found = ids(corpus(tmp_path / str(n), url))
            assert found == (["pay"] if n == 2 else ["hr/pay", "leave", "notes"])


def test_a_version_is_fetched_once(
    tmp_path: Path, server: tuple[str, list[str]], site: Path
) -> None:
    url, asked = server
    folder = corpus(tmp_path, f"{url}/wiki/**/*.md")
    assert ids(folder) == ["hr/pay", "leave"]
    before = folder.fingerprint("documents")
    asked.clear()
    assert ids(folder) == ["hr/pay", "leave"]
    assert [path for path in asked if path.endswith(".md")] == []
    (site / "wiki" / "leave.md").write_text("# Leave\nAsk HR, twice.")
    assert folder.fingerprint("documents") != before
    assert "twice" in folder.documents().frame["body"][1]
    assert [path for path in asked if path.endswith(".md")] == ["/wiki/leave.md"]
    (site / "wiki" / "hr" / "pay.md").unlink()
    assert ids(folder) == ["leave"]
    assert len(list((tmp_path / "cache" / "wiki" / "objects").iterdir())) == 1


def test_a_damaged_copy_is_fetched_again(tmp_path: Path, site: Path) -> None:
    folder = corpus(tmp_path, f"file://{site}/wiki/*.md")
    expected = folder.documents().frame
    (kept,) = (tmp_path / "cache" / "wiki" / "objects").iterdir()
    kept.write_bytes(kept.read_bytes()[:-1] + b"!")
    assert folder.documents().frame.equals(expected)


def test_one_file_that_fails_costs_itself(
    tmp_path: Path, server: tuple[str, list[str]], site: Path
) -> None:
    """The second leads to another host, and the third is larger than a page may be."""
    url, asked = server
    (site / "wiki" / "moved.md").write_text("here")
    with (site / "wiki" / "huge.md").open("wb") as file:
        file.truncate(17 * 2**20)
    reading = corpus(tmp_path, f"{url}/wiki/*.md").documents()
    assert reading.frame["doc_id"].to_list() == ["leave"]
    problems = {problem.file.rpartition("/")[2]: problem.message for problem in reading.problems}
    assert "another host, localhost" in problems["moved.md"]
    assert "at most" in problems["huge.md"]
    assert "/wiki/huge.md" not in asked
    assert not any("secret" in path for path in asked)


def test_nothing_outside_the_address_is_fetched(
    tmp_path: Path, server: tuple[str, list[str]], site: Path
) -> None:
    url, asked = server
    links = (
        "<a href='../other/secret.md'>x</a><a href='/other/secret.md'>y</a><a href='leave.md'>z</a>"
    )
    (site / "wiki" / "index.html").write_text(links)
    assert ids(corpus(tmp_path, f"{url}/wiki/*.md")) == ["leave"]
    assert not any("secret" in path for path in asked)


def test_an_address_that_cannot_be_listed_is_an_error_without_its_secrets(tmp_path: Path) -> None:
    folder = corpus(tmp_path, "http://ana:pa55word@127.0.0.1:9/wiki/*.md?token=t0ken")
    with pytest.raises(CorpusError, match="cannot be listed") as error:
        folder.documents()
    assert "pa55word" not in str(error.value)
    assert "t0ken" not in str(error.value)
    assert len(folder.fingerprint("documents")) == 64


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://bucket/*.md", "pip install s3fs"),
        ("nothing://x/*.md", "nothing"),
        ("simplecache::file:///x/*.md", "chains"),
    ],
)
def test_an_address_of_no_known_kind_says_what_to_do(url: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        RemoteFiles(url)


def test_a_shown_address_has_no_secrets() -> None:
    assert shown_url("s3://key:secret@bucket/a?b*.md") == "s3://bucket/a?b*.md"


def test_an_interrupted_read_keeps_what_was_fetched(
    tmp_path: Path, server: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(url_source, "_AT_ONCE", 1)
    url, asked = server
    folder = corpus(tmp_path, f"{url}/wiki/**")

    def interrupt(step: str, done: int, total: int, note: str = "") -> None:
        if step == "fetching, files" and done == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        folder.documents(interrupt)
    asked.clear()
    assert ids(folder) == ["hr/pay", "leave", "notes"]
    assert len([path for path in asked if path.endswith((".md", ".txt"))]) == 1
