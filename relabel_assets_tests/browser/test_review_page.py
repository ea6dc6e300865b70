"""The review page in real browsers: two assessors at once, a killed server, a page that is closed halfway.

It needs selenium (extra `browser`), Chromium and chromedriver on the PATH.
"""

import shutil
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from relabel_assets.review.store import read_reviews
from relabel_assets_tests.review.page_server import PageServer

webdriver = pytest.importorskip("selenium.webdriver", reason="needs the extra `browser`")
CHROMIUM = next(filter(None, map(shutil.which, ("chromium", "chromium-browser"))), None)
DRIVER = shutil.which("chromedriver")
PATIENCE_S = 40  # a CI machine may do much else
DEAD_S = 0.25  # the page takes no key so soon after a new pair


class Page:
    """The page of one assessor in a browser of its own."""

    def __init__(self, *, is_phone: bool = False) -> None:
        options = webdriver.ChromeOptions()
        options.binary_location = CHROMIUM
        for flag in ("--headless", "--no-sandbox", "--disable-gpu", "--window-size=1280,900"):
            options.add_argument(flag)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        service = webdriver.chrome.service.Service(DRIVER)
        self.driver = webdriver.Chrome(options=options, service=service)
        self.is_open = True
        if is_phone:  # narrower than a window can be
            size = {"width": 390, "height": 844, "deviceScaleFactor": 2, "mobile": True}
            self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", size)

    def close(self) -> None:
        if self.is_open:
            self.driver.quit()
        self.is_open = False

    def open(self, url: str) -> "Page":
        self.driver.get(url)
        return self

    def js(self, expression: str) -> Any:
        return self.driver.execute_script(f"return {expression}")

    def text(self, name: str) -> str:
        return str(self.js(f"document.getElementById('{name}').textContent"))

    def wait(self, what: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not what():
            assert time.monotonic() < end, f"alert: {self.text('alert')}, {self.text('status')}"
            time.sleep(0.03)

    def type(self, keys: str) -> None:
        time.sleep(DEAD_S)
        self.driver.switch_to.active_element.send_keys(keys)

    def act(self, key: str, saved: str, progress: str) -> None:
        """Press `key`, and wait until the page says what is saved, and how far the assessor is."""
        self.type(key)
        self.wait(lambda: self.text("status") == f"Saved: {saved}.")
        self.wait(lambda: self.is_at(progress))

    def is_at(self, progress: str) -> bool:
        """Whether the page shows that many graded pairs."""
        return self.text("progress-text").startswith(f"{progress} of 12 graded")

    def problems(self) -> list[str]:
        """What the browser complains of: refused scripts, errors."""
        return [entry["message"] for entry in self.driver.get_log("browser")]


@pytest.fixture
def new_page() -> Iterator[Callable[..., Page]]:
    if not (CHROMIUM and DRIVER):
        pytest.skip("Chromium and chromedriver are not installed: apt-get install chromium-driver")
    pages: list[Page] = []

    def create(**settings: Any) -> Page:
        pages.append(Page(**settings))
        return pages[-1]

    yield create
    for page in pages:
        page.close()


def test_two_assessors_a_killed_server_and_a_page_closed_halfway(
    tmp_path: Path, new_page: Callable[..., Page]
) -> None:
    folder = tmp_path / "reviews"
    with PageServer(folder) as server:
        ana = new_page().open(server.url)
        ana.wait(lambda: not ana.js("document.getElementById('welcome').hidden"))
        ana.type("Ana\n")
        ben = new_page(is_phone=True).open(f"{server.url}/?assessor=ben")
        for page in (ana, ben):
            page.wait(lambda page=page: page.text("query") != "")
        assert ana.text("assessor") == "ana"

        ana.act("2", "2 (relevant)", "1")
        ben.act("s", "skipped", "0")
        ben.act("u", "the last one is undone", "0")
        ben.driver.find_element("css selector", "#grade-buttons button[value='1']").click()
        ben.wait(lambda: ben.is_at("1"))
        ana.type("n")
        ana.type("0 is a digit of this note")
        ana.driver.switch_to.active_element.send_keys("\ue00c")  # Escape
        ana.act("0", "0 (irrelevant)", "2")
        grade_while_the_server_is_killed(ana, server)

        complaints = ana.problems() + ben.problems()
        ana.close()
        again = new_page().open(f"{server.url}/?assessor=ana")
        go_on_in_two_tabs(again, f"{server.url}/?assessor=ana")
        complaints += again.problems()
        assert [line for line in complaints if "/api/" not in line] == []
        assert again.js("document.title") == "Review: tiny"  # which a document tried to change
        assert ben.js("document.documentElement.scrollWidth") == 390
    rows = read_reviews(folder, max_grade=3)
    assert rows.problems == []
    assert Counter(rows.frame["assessor"]) == {"ana": 12, "ben": 1}
    assert rows.frame["note"].drop_nulls().to_list() == ["0 is a digit of this note"]
    lines = (folder / "ana.jsonl").read_text().splitlines()
    assert len(lines) == 12  # nothing was asked or written twice


def grade_while_the_server_is_killed(page: Page, server: PageServer) -> None:
    """The server stops, gets a grade, and is gone. The page keeps the grade for its successor."""
    query, n_lines = page.text("query"), len((server.folder / "ana.jsonl").read_text().splitlines())
    server.process.send_signal(signal.SIGSTOP)
    page.type("3")
    page.wait(lambda: bool(page.js("document.getElementById('skip').disabled")))
    server.kill()
    page.wait(lambda: not page.js("document.getElementById('alert').hidden"))
    assert "Not saved yet: 3 (perfect)" in page.text("alert")
    page.type("1")  # not taken: the page still shows the pair of the grade that it keeps
    assert page.text("query") == query
    assert len((server.folder / "ana.jsonl").read_text().splitlines()) == n_lines
    server.start()
    page.wait(lambda: page.is_at("3"))
    assert page.text("status") == "Saved: 3 (perfect)."
    assert page.js("document.getElementById('alert').hidden")


def go_on_in_two_tabs(page: Page, url: str) -> None:
    """A page that was closed goes on where it was; a second tab's grade shows in the first."""
    page.wait(lambda: page.is_at("3"))
    first = page.driver.current_window_handle
    page.driver.switch_to.new_window("tab")
    page.open(url).wait(lambda: page.text("query") != "")
    page.act("1", "1 (related)", "4")
    page.driver.switch_to.window(first)
    page.wait(lambda: page.is_at("4"))
    for n_graded in range(5, 13):
        page.js("document.getElementById('show-all').click()")  # of a huge document
        page.act("2", "2 (relevant)", str(n_graded))
    page.wait(lambda: not page.js("document.getElementById('finished').hidden"))
